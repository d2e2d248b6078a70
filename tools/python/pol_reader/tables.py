"""What sealing writes (spec/archive.md §6)."""

from dataclasses import dataclass

from .cursor import Cursor
from .folder import NAMES
from .frames import SUITES, checked_table
from .hashing import ZERO, ed25519_valid, tagged, tree_root
from .refusal import Refusal

SEAL_LENGTH = 392


@dataclass(frozen=True)
class Seal:
    suite: int
    epoch: int
    archive_id: bytes
    archive_root: bytes
    record_count: int
    step_count: int
    model_digest: bytes
    object_root: bytes
    object_count: int
    norms_digest: bytes
    key_commitment: bytes
    final_record_hash: bytes
    prover_key: bytes
    digest: bytes


def parse_seal(data: bytes) -> Seal:
    """Length, magic, version, suite, signature, then what was signed (§9 step 1)."""
    if len(data) != SEAL_LENGTH:
        raise Refusal("damaged", "seal", f"{len(data)} bytes, not {SEAL_LENGTH}")
    cursor = Cursor(data, "seal")
    if cursor.take(8) != b"polseal1":
        raise cursor.fail("malformed", "another magic")
    version, suite = cursor.u16(), cursor.u16()
    if version != 1 or suite not in SUITES:
        raise cursor.fail("unsupported", f"version {version}, cipher suite {suite}")
    if not ed25519_valid(data[296:328], data[328:], b"pol/v1/seal\n" + data[:328]):
        raise Refusal("damaged", "seal", "the signature is not one of the prover key over these bytes")
    epoch = cursor.u32()
    archive_id, archive_root = cursor.digest(), cursor.digest()
    record_count, step_count = cursor.u64(), cursor.u64()
    model_digest, object_root = cursor.digest(), cursor.digest()
    object_count, reserved = cursor.u32(), cursor.u32()
    norms_digest, key_commitment = cursor.digest(), cursor.digest()
    final, reserved_digest = cursor.digest(), cursor.digest()
    if reserved or reserved_digest != ZERO:
        raise Refusal("malformed", "seal", "reserved bytes are not zero")
    if (epoch != 0) != (suite != 0) or suite == 0 and key_commitment != ZERO:
        raise Refusal("malformed", "seal", f"key epoch or key commitment under cipher suite {suite}")
    if record_count < 2:
        raise Refusal("malformed", "seal", f"{record_count} records")
    return Seal(suite, epoch, archive_id, archive_root, record_count, step_count, model_digest, object_root,
                object_count, norms_digest, key_commitment, final, data[296:328], tagged("seal-digest", data))


@dataclass(frozen=True)
class RecordRow:
    record_hash: bytes
    offset: int
    length: int
    step: int


def parse_record_index(data: bytes, seal: Seal) -> list[RecordRow]:
    """CRC, root, count, last hash (§9 step 2): the hashes are authenticated, the places are hints."""
    where = "records.index"
    cursor = checked_table(data, b"polridx1", where)
    count = cursor.u64()
    if count * 52 != cursor.remaining:
        raise cursor.fail("malformed", f"{count} rows in {cursor.remaining} bytes")
    rows = [RecordRow(cursor.digest(), cursor.u64(), cursor.u32(), cursor.u64()) for _ in range(count)]
    if tree_root(row.record_hash for row in rows) != seal.archive_root:
        raise Refusal("damaged", where, "the record hashes do not give the archive root")
    if count != seal.record_count:
        raise Refusal("malformed", "seal", f"{seal.record_count} records, the archive root has {count}")
    if rows[-1].record_hash != seal.final_record_hash:
        raise Refusal("malformed", "seal", "the final record hash is not the last one")
    return rows


Norms = tuple[int, int, int, int]


def parse_norms(data: bytes, digest: bytes) -> list[tuple[int, Norms]]:
    """Step and norms of each segment, after comparing the digest."""
    if tagged("norms", data) != digest:
        raise Refusal("damaged", "norms", "not the seal's norms digest")
    cursor = Cursor(data, "norms")
    if cursor.take(8) != b"polnorm1":
        raise cursor.fail("malformed", "another magic")
    count = cursor.u64()
    if count * 40 != cursor.remaining:
        raise cursor.fail("malformed", f"{count} rows in {cursor.remaining} bytes")
    return [(cursor.u64(), (cursor.u64(), cursor.u64(), cursor.u64(), cursor.u64())) for _ in range(count)]


@dataclass(frozen=True)
class ObjectRow:
    name: str
    length: int
    digest: bytes


def parse_objects(data: bytes, seal: Seal) -> list[ObjectRow]:
    """Rows as far as they can be told apart, their root, and only then what they say."""
    where = "objects"
    cursor = Cursor(data, where, short="damaged")
    magic, count = cursor.take(8), cursor.u32()
    if count > cursor.remaining // 42:
        raise cursor.fail("damaged", f"{count} rows in {cursor.remaining} bytes")
    leaves, names, rows = [], [], []
    for _ in range(count):
        start = cursor.offset
        raw = cursor.take(cursor.u16())
        row = (raw, cursor.u64(), cursor.digest())
        leaves.append(b"pol/v1/object\n" + data[start:cursor.offset])
        names.append(raw)
        rows.append(row)
    if tree_root(leaves) != seal.object_root:
        raise Refusal("damaged", where, "the rows do not give the object root")
    if magic != b"polobjs1":
        raise Refusal("malformed", where, "another magic")
    cursor.finish()
    if count != seal.object_count:
        raise Refusal("malformed", "seal", f"{seal.object_count} objects, the table has {count}")
    if names != sorted(set(names)):
        raise Refusal("malformed", where, "names are not in bytewise order, each once")
    parsed = []
    for raw, length, digest in rows:
        if len(raw) > 255:
            raise Refusal("limit", where, f"a name of {len(raw)} bytes")
        name = raw.decode("ascii", "replace")
        if not NAMES.fullmatch(name) or name in ("objects", "seal"):
            raise Refusal("malformed", where, f"{ascii(name)} is not a file of §1 that has a row")
        parsed.append(ObjectRow(name, length, digest))
    return parsed
