"""A small writer of archives, from spec/archive.md and spec/dataset.md; shares nothing with `pol_reader`.

Every file is put together from named fields, and whatever is derived (a length, a CRC, a hash, a signature) is derived
from the bytes as they stand. A *fault* replaces the bytes of one field by name; everything above it is then hashed and
signed again, so that the fault alone is wrong.
"""

import hmac
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from archive_bytes import crc, fixed, hash_root, hkdf, le, lz4_run, period_of, root, sha, string, tag
from archive_cipher import CHUNK, CLAIMS, NORMS, POINT, POLICY, RECORD, RECORD_INDEX, SETTINGS, Cipher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filters import block as lz4_block
from filters import payload_of

Change = bytes | Callable[[bytes], bytes]
Fields = list[tuple[str, bytes]]

SIZES = {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2, 7: 2, 8: 2, 9: 2, 10: 4, 11: 4, 12: 4, 13: 8, 14: 8, 15: 8}


# Data points (dataset.md)

def canonical_point(element_type: int, shape: list[int], elements: bytes, label: int) -> bytes:
    return (bytes([element_type, len(shape)]) + b"".join(le(d, 4) for d in shape) + elements
            + label.to_bytes(8, "little", signed=True))


def data_salt(secret: bytes, index: int) -> bytes:
    return hmac.digest(secret, b"pol/v1/data-salt\n" + le(index, 8), "sha256")


def data_signature(salt: bytes, canonical: bytes) -> bytes:
    return tag("data-point", salt, le(len(canonical), 8), canonical)


# Tensors

@dataclass
class Tensor:
    name: str
    role: int
    type: int
    shape: list[int]
    raw: bytes


def f32(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def elements(tensor: Tensor) -> list[float]:
    if tensor.type == 9:
        return [struct.unpack("<f", b"\0\0" + tensor.raw[i:i + 2])[0] for i in range(0, len(tensor.raw), 2)]
    letter = {8: "e", 12: "f", 15: "d"}[tensor.type]
    return list(struct.unpack(f"<{len(tensor.raw) // SIZES[tensor.type]}{letter}", tensor.raw))


def update_norms(before: list[Tensor], after: list[Tensor]) -> bytes:
    """archive.md §3.5."""
    l1 = l2 = w2 = linf = 0.0
    for old, new in zip(before, after):
        if new.role != 0 or new.type not in (8, 9, 12, 15):
            continue
        lanes = [[0.0] * 8 for _ in range(3)]
        for j, (a, b) in enumerate(zip(elements(old), elements(new))):
            d = b - a
            if math.isnan(d) or math.isnan(a):
                return bytes.fromhex("000000000000f87f") * 4
            for lane, term in zip(lanes, (abs(d), d * d, a * a)):
                lane[j % 8] += term
            linf = max(linf, abs(d))
        sums = []
        for lane in lanes:
            total = lane[0]
            for k in range(1, 8):
                total += lane[k]
            sums.append(total)
        l1 += sums[0]
        l2 += sums[1]
        w2 += sums[2]
    return struct.pack("<4d", l1, math.sqrt(l2), linf, math.sqrt(w2))


def chunking(tensors: list[Tensor], chunk_size: int, small_limit: int) -> tuple[dict[tuple[int, str], tuple[int, int]],
                                                                               list[bytes]]:
    """archive.md §4: place of each tensor, and the chunks."""
    places: dict[tuple[int, str], tuple[int, int]] = {}
    chunks: list[bytes] = []

    def run(group: list[Tensor]) -> None:
        data = b""
        for each in group:
            places[each.role, each.name] = (len(chunks) + len(data) // chunk_size, len(data) % chunk_size)
            data += each.raw
        chunks.extend(data[i:i + chunk_size] for i in range(0, len(data), chunk_size))

    for role in range(5):
        group = [each for each in tensors if each.role == role]
        for each in group:
            if len(each.raw) >= small_limit:
                run([each])
        for code in range(1, 16):
            run([each for each in group if each.type == code and len(each.raw) < small_limit])
    return places, chunks


def tensor_digest(tensor: Tensor) -> bytes:
    return tag("tensor", bytes([tensor.type, len(tensor.shape)]), b"".join(le(d, 8) for d in tensor.shape), tensor.raw)


def model_digest(tensors: list[Tensor]) -> bytes:
    mine = sorted((t for t in tensors if t.role < 2), key=lambda t: t.name.encode())
    return tag("model", le(len(mine), 4), *(string(t.name) + tensor_digest(t) for t in mine))


# Archives

@dataclass
class State:
    """A checkpoint before it is encoded: steps as (learning rate, loss, indices); a gap as (lost steps, cause)."""

    step: int
    steps: list[tuple[float, float, list[int]]]
    tensors: list[Tensor]
    gap: tuple[int, str] | None = None


@dataclass(frozen=True)
class Encoding:
    """A codec with its parameter; for a delta the (record, chunk) that it is against."""

    codec: int
    parameter: int
    parent: tuple[int, int] | None = None


@dataclass
class Plan:
    """All that an archive is a function of, but faults."""

    name: str
    points: list[bytes]
    states: list[State]
    settings: bytes
    policy: bytes
    chunk_size: int = 65536
    small_limit: int = 65536
    log_origin: str = ""
    commitment: bytes = bytes(32)
    commitment_index: int = 0
    head_size: int = 0
    head_root: bytes = bytes(32)
    pack_of_record: list[int] = field(default_factory=list)
    packed_records: bool = False  # records are stored as LZ4 blocks
    key_epoch: int = 0  # not 0: cipher suite 1
    depth: int = 0
    # (record, chunk) -> how it is stored, where that is not LZ4 or as it is
    encodings: dict[tuple[int, int], Encoding] = field(default_factory=dict)
    # (record, chunk) of content that is stored once more, though an earlier record has it
    stored_again: frozenset[tuple[int, int]] = frozenset()
    # record -> content of a frame before its own, which no record names; its stored id is that of nothing
    unnamed: dict[int, bytes] = field(default_factory=dict)
    journal: bytes | None = None
    claims: bytes | None = None

    @property
    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(fixed(self.name + " prover key"))


class Writer:
    """Builds the files of a plan under a set of faults; `files` and `expect` are the result."""

    def __init__(self, plan: Plan, faults: dict[str, Change] | None = None) -> None:
        self.plan = plan
        self.faults = dict(faults or {})
        self.unused = set(self.faults)
        self.files: dict[str, bytes] = {}
        self.fields: dict[str, Fields] = {}
        self.key = plan.key
        self.public = self.key.public_key().public_bytes_raw()
        self.archive_id = fixed(plan.name + " archive id")
        self.suite = le(1 if plan.key_epoch else 0, 2)
        self.cipher = (Cipher(self.archive_id, plan.key_epoch, fixed(plan.name + " epoch key"))
                       if plan.key_epoch else None)
        self._dataset()
        self._records()
        self._packs()
        self._tables()
        self._objects_and_seal()
        if self.unused:
            raise ValueError(f"faults that meet no field: {sorted(self.unused)}")

    def change(self, path: str, value: bytes) -> bytes:
        if path not in self.faults:
            return value
        self.unused.discard(path)
        change = self.faults[path]
        return change if isinstance(change, bytes) else change(value)

    def encode(self, path: str, fields: Fields) -> bytes:
        """Dots at the end of a path tell apart parts of one thing that are encoded one after the other."""
        changed = [(name, self.change(f"{path.rstrip('.')}.{name}", value)) for name, value in fields]
        self.fields[path] = changed
        return b"".join(value for _, value in changed)

    def put(self, name: str, data: bytes) -> None:
        self.files[name] = self.change(f"file.{name}", data)

    def seal_object(self, cipher: Cipher, path: str, kind: int, content: bytes, encoded: bytes,
                    shape: tuple[int, int, int] | None = None) -> tuple[bytes, bytes, bytes]:
        """Object id, ciphertext and tag, object key; `shape` is codec, parameter, raw length of a chunk's frame."""
        kind = self.change(f"{path}.sealed kind", bytes([kind]))[0]
        identity = self.change(f"{path}.identity", cipher.object_id(kind, content))
        sealed = cipher.seal(kind, identity, encoded, *(shape or (0, 0, len(encoded))))
        return identity, self.change(f"{path}.sealed", sealed), cipher.object_key(kind, identity)

    def put_private(self, name: str, kind: int, data: bytes) -> None:
        """A file that cipher suite 1 encrypts as a whole."""
        if self.cipher:
            data = self.change(f"plain.{name}", data)
            identity, sealed, _ = self.seal_object(self.cipher, f"file.{name}", kind, data, data)
            data = self.encode(f"file.{name}", [
                ("magic", b"polencf1"), ("kind", bytes([kind])), ("zeros", bytes(3)), ("length", le(len(data), 4)),
                ("object id", identity)]) + sealed
        self.put(name, data)

    def _dataset(self) -> None:
        salts = [data_salt(bytes(32), i) for i in range(len(self.plan.points))]
        points = [self.change(f"point.{i}", each) for i, each in enumerate(self.plan.points)]
        self.signatures = [data_signature(s, p) for s, p in zip(salts, points)]
        stored = [s + p for s, p in zip(salts, points)]
        if self.cipher:
            sealed = [self.seal_object(self.cipher, f"point.{i}", POINT, each, each) for i, each in enumerate(stored)]
            self.point_keys = [key for _, _, key in sealed]
            stored = [identity + box for identity, box, _ in sealed]
        offsets = [0]
        for each in stored:
            offsets.append(offsets[-1] + len(each))
        self.dataset_root = root(self.signatures)
        hashes = [sha(b"\x00", each) for each in self.signatures]
        self.put("dataset/points", b"".join(stored))
        self.put("dataset/offsets", b"".join(le(each, 8) for each in offsets))
        level, group = 0, 1
        while len(hashes) // group:
            self.put(f"dataset/tree.{level}", b"".join(
                hash_root(hashes[i * group:(i + 1) * group]) for i in range(len(hashes) // group)))
            level, group = level + 1, group * 256

    def _opening(self) -> Fields:
        plan = self.plan
        return [
            ("archive id", self.archive_id), ("prover key", self.public), ("dataset root", self.dataset_root),
            ("dataset count", le(len(plan.points), 8)),
            ("settings digest", tag("settings", plan.settings)), ("policy digest", tag("policy", plan.policy)),
            ("run secret", fixed(plan.name + " run secret")), ("salt", fixed(plan.name + " salt")),
            ("commitment", plan.commitment), ("commitment index", le(plan.commitment_index, 8)),
            ("head size", le(plan.head_size, 8)), ("head root", plan.head_root),
            ("chunk size", le(plan.chunk_size, 4)), ("small limit", le(plan.small_limit, 4)),
            ("log origin", string(plan.log_origin)), ("after", b""),
        ]

    def _checkpoint(self, sequence: int) -> Fields:
        state = self.plan.states[sequence - 1]
        before = self.plan.states[sequence - 2] if sequence > 1 else None
        tensors = sorted(state.tensors, key=lambda t: (t.role, t.name.encode()))
        places, chunks = chunking(tensors, self.plan.chunk_size, self.plan.small_limit)
        chunks = [self.change(f"raw.{sequence}.{i}", each) for i, each in enumerate(chunks)]
        self.chunks.append(chunks)
        fields: Fields = []
        if state.gap:
            fields = [("lost steps", le(state.gap[0], 8)), ("cause", string(state.gap[1]))]
        fields += [("step", le(state.step, 8)), ("step count", le(len(state.steps), 4))]
        for i, (rate, loss, indices) in enumerate(state.steps):
            fields += [(f"step {i} learning rate", f32(rate)), (f"step {i} loss", f32(loss)),
                       (f"step {i} batch size", le(len(indices), 4)),
                       (f"step {i} indices", b"".join(le(each, 4) for each in indices))]
        used = [self.signatures[i] for _, _, indices in state.steps for i in indices]
        old = sorted(before.tensors, key=lambda t: (t.role, t.name.encode())) if before else []
        fields += [("signature root", root(used)), ("norms", update_norms(old, tensors) if before else bytes(32)),
                   ("tensor count", le(len(tensors), 4))]
        for i, each in enumerate(tensors):
            first, offset = places[each.role, each.name]
            fields += [(f"tensor {i} name", string(each.name)), (f"tensor {i} role", bytes([each.role])),
                       (f"tensor {i} type", bytes([each.type])), (f"tensor {i} rank", bytes([len(each.shape)])),
                       (f"tensor {i} dimensions", b"".join(le(d, 8) for d in each.shape)),
                       (f"tensor {i} first chunk", le(first, 4)), (f"tensor {i} offset", le(offset, 4)),
                       (f"tensor {i} after", b"")]
        fields.append(("chunk count", le(len(chunks), 4)))
        fields += [(f"chunk {i}", sha(each)) for i, each in enumerate(chunks)]
        return [*fields, ("after", b"")]

    def _records(self) -> None:
        self.record_hashes: list[bytes] = []
        self.record_bytes: list[bytes] = []
        self.envelopes: list[bytes] = []
        self.steps: list[int] = []
        self.chunks: list[list[bytes]] = [[]]
        self.place_of: dict[bytes, tuple[int, int]] = {}
        self.parent_of: dict[bytes, bytes | None] = {}
        self.object_keys: dict[bytes, bytes] = {}
        self.record_keys: list[bytes] = []
        self.stored: dict[int, list[tuple[bytes, bytes]]] = {}
        self.rows: list[tuple[int, int]] = []
        previous = bytes(32)
        out = self.encode("records", [("magic", b"polrecs1"), ("suite", self.suite), ("depth", le(self.plan.depth, 2)),
                                      ("epoch", le(self.plan.key_epoch, 4)), ("archive id", self.archive_id)])
        for sequence in range(len(self.plan.states) + 1):
            body = self.encode(f"record.{sequence}", self._checkpoint(sequence) if sequence else self._opening())
            kind = 2 if sequence and self.plan.states[sequence - 1].gap else min(sequence, 1)
            record = self.encode(f"header.{sequence}", [
                ("kind", le(kind, 2)), ("version", le(1, 2)), ("body length", le(len(body), 4)),
                ("sequence", le(sequence, 8)), ("previous", previous)]) + body
            record = self.change(f"recordbytes.{sequence}", record)
            pack = self.plan.pack_of_record[sequence] if self.plan.pack_of_record else 0
            distinct = list(dict.fromkeys(self.chunks[sequence]))
            if sequence in self.plan.unnamed:
                raw = self.plan.unnamed[sequence]
                self._store(raw, pack, None)
                del self.place_of[raw], self.parent_of[raw]
                self.stored[pack][-1] = (fixed("unnamed"), self.stored[pack][-1][1])
            for i, raw in enumerate(self.chunks[sequence]):
                if raw not in self.place_of or (sequence, i) in self.plan.stored_again:
                    self._store(raw, pack, self.plan.encodings.get((sequence, i)))
            self.envelopes.append(self._envelope(sequence, distinct))
            frame = self._record_frame(sequence, record, self.envelopes[-1])
            self.rows.append((len(out), len(frame)))
            out += frame
            previous = tag("record", record)
            self.record_hashes.append(previous)
            self.record_bytes.append(record)
            self.steps.append(self.plan.states[sequence - 1].step if sequence else 0)
        self.put("records", out + self.change("records.after", b""))

    def _envelope(self, sequence: int, distinct: list[bytes]) -> bytes:
        ancestors: list[bytes] = []
        for raw in distinct:
            chain, parent = [], self.parent_of[raw]
            while parent is not None:
                chain.append(parent)
                parent = self.parent_of[parent]
            ancestors += [each for each in reversed(chain) if each not in ancestors]
        rows = [(f"row {i}", raw) for i, raw in enumerate(distinct)]
        rows += [(f"ancestor {i}", raw) for i, raw in enumerate(ancestors)]
        parents = [self.parent_of[raw] for _, raw in rows]
        columns = [[(f"{name} pack", le(self.place_of[raw][0], 4)) for name, raw in rows],
                   [(f"{name} frame", le(self.place_of[raw][1], 4)) for name, raw in rows],
                   [(f"{name} parent", le(0 if parent is None else 1 + ancestors.index(parent), 4))
                    for (name, _), parent in zip(rows, parents)]]
        if self.cipher:
            columns.append([(f"{name} key", self.object_keys[raw]) for name, raw in rows])
        return self.change(f"envelopebytes.{sequence}", self.encode(f"envelope.{sequence}", [
            ("version", le(1, 2)), ("suite", self.suite), ("count", le(len(distinct), 4)),
            ("ancestors", le(len(ancestors), 4)), *(each for column in columns for each in column), ("after", b"")]))

    def _record_frame(self, sequence: int, record: bytes, envelope: bytes) -> bytes:
        path = f"recordframe.{sequence}"
        block = lz4_block(record + envelope) if self.plan.packed_records else record + envelope
        payload = self.encode(f"recordpayload.{sequence}", [
            ("codec", bytes([self.plan.packed_records])), ("block", block)])
        identity = bytes(32)
        if self.cipher:
            identity, payload, key = self.seal_object(self.cipher, path, RECORD, payload, payload,
                                                      (0, 0, len(record) + len(envelope)))
            self.record_keys.append(key)
        header = self.encode(path, [
            ("magic", b"PRF2"), ("payload length", le(len(payload), 4)), ("record length", le(len(record), 4)),
            ("envelope length", le(len(envelope), 4)), ("object id", identity)])
        return header + self.encode(f"{path}.", [("crc", crc(header + payload)), ("reserved", bytes(12))]) + payload

    def stored_id(self, raw: bytes) -> bytes:
        return tag("stored-id", self.archive_id, sha(raw))

    def _store(self, raw: bytes, pack: int, encoding: Encoding | None) -> None:
        """Appends the frame of a chunk to a pack."""
        frames = self.stored.setdefault(pack, [])
        path = f"frame.{pack}.{len(frames)}"
        period = period_of(raw)
        parent = None
        if encoding is None:
            encoding, encoded = Encoding(1 if period else 0, 0), lz4_run(raw, period) if period else raw
        else:
            if encoding.parent:
                parent = self.chunks[encoding.parent[0]][encoding.parent[1]]
            encoded = payload_of(encoding.codec, encoding.parameter, raw, parent)
        self.place_of[raw], self.parent_of[raw] = (pack, len(frames)), parent
        payload, identity = self.encode(f"{path}..", [("payload", encoded)]), self.stored_id(raw)
        first = self.encode(path, [("magic", b"PC"), ("codec", bytes([encoding.codec])),
                                   ("parameter", bytes([encoding.parameter]))])
        raw_length = self.change(f"{path}.raw length", le(len(raw), 4))
        if self.cipher:
            identity, payload, self.object_keys[raw] = self.seal_object(
                self.cipher, path, CHUNK, first[2:] + raw_length + payload, payload,
                (first[2], first[3], int.from_bytes(raw_length, "little")))
        length = self.change(f"{path}.payload length", le(len(payload), 4))
        self.fields[path] += [("payload length", length), ("raw length", raw_length)]
        header = first + length + raw_length
        header += self.encode(f"{path}.", [("crc", crc(header + payload))])
        frames.append((identity, header + payload))

    def _packs(self) -> None:
        for number in range(max(self.stored, default=-1) + 1):
            frames = self.stored.get(number, [])
            out = self.encode(f"pack.{number}", [("magic", b"polpack1"), ("number", le(number, 4)),
                                                 ("reserved", le(0, 4))])
            out += b"".join(frame for _, frame in frames) + self.change(f"pack.{number}.after", b"")
            self.put(f"packs/{number:08d}.pack", out)
            fields: Fields = [("magic", b"polpidx1"), ("number", le(number, 4)), ("count", le(len(frames), 4)),
                              ("pack length", le(len(out), 8))]
            for i, (identity, frame) in enumerate(frames):
                fields += [(f"row {i} id", identity), (f"row {i} length", le(len(frame), 4))]
            name = f"packs/{number:08d}.index"
            self.put(name, self._table(f"index.{number}", fields))

    def _table(self, path: str, fields: Fields) -> bytes:
        """A table that ends in the CRC of all before."""
        data = self.change(f"{path}.rows", self.encode(path, fields)) + self.change(f"{path}.after", b"")
        return data + self.encode(f"{path}.", [("crc", crc(data))])

    def _tables(self) -> None:
        self.put_private("settings.json", SETTINGS, self.plan.settings)
        self.put_private("policy.json", POLICY, self.plan.policy)
        if self.plan.journal is not None:
            self.put("journal", self.plan.journal)
        if self.plan.claims is not None:
            self.put_private("claims.json", CLAIMS, self.plan.claims)
        fields: Fields = [("magic", b"polridx1"), ("count", le(len(self.rows), 8))]
        for i, (offset, length) in enumerate(self.rows):
            fields += [(f"row {i} hash", self.record_hashes[i]), (f"row {i} offset", le(offset, 8)),
                       (f"row {i} length", le(length, 4)), (f"row {i} step", le(self.steps[i], 8))]
        self.put_private("records.index", RECORD_INDEX, self._table("recindex", fields))
        fields = [("magic", b"polnorm1"), ("count", le(len(self.rows) - 2, 8))]
        for i in range(2, len(self.rows)):
            norms = dict(self.fields[f"record.{i}"])["norms"]
            fields += [(f"row {i - 2} step", le(self.steps[i], 8)), (f"row {i - 2} norms", norms)]
        self.norms = self.encode("norms", fields) + self.change("norms.after", b"")
        self.put_private("norms", NORMS, self.norms)

    def _objects_and_seal(self) -> None:
        # A path `unlisted.NAME` drops a row, `extra.NAME` adds one for a file that is not there.
        for path in sorted(self.faults):
            if path.startswith("extra."):
                self.files[path[6:]] = self.change(path, b"")
        rows = [(name.encode(), data) for name, data in self.files.items() if f"unlisted.{name}" not in self.faults]
        self.unused -= {f"unlisted.{name}" for name in self.files}
        rows.sort()
        if "objects.swap" in self.faults:
            self.unused.discard("objects.swap")
            rows[0], rows[1] = rows[1], rows[0]
        encoded = []
        for name, data in rows:
            encoded.append(self.encode(f"objects.{name.decode()}", [
                ("name", string(name)), ("length", le(len(data), 8)), ("digest", sha(data))]))
        if "objects.twice" in self.faults:
            self.unused.discard("objects.twice")
            encoded.insert(0, encoded[0])
        self.files["objects"] = (self.encode("objects", [("magic", b"polobjs1"), ("count", le(len(encoded), 4))])
                                 + b"".join(encoded) + self.change("objects.after", b""))
        self.archive_root = root(self.record_hashes)
        self.model = model_digest(self.plan.states[-1].tensors)
        signer = self.key
        if "seal.signer" in self.faults:
            self.unused.discard("seal.signer")
            signer = Ed25519PrivateKey.from_private_bytes(fixed("another prover key"))
        seal = self.encode("seal", [
            ("magic", b"polseal1"), ("version", le(1, 2)), ("suite", self.suite), ("key epoch", le(self.plan.key_epoch, 4)),
            ("archive id", self.archive_id), ("archive root", self.archive_root),
            ("record count", le(len(self.rows), 8)), ("step count", le(self.steps[-1], 8)),
            ("model digest", self.model), ("object root", root([b"pol/v1/object\n" + each for each in encoded])),
            ("object count", le(len(encoded), 4)), ("reserved", le(0, 4)),
            ("norms digest", tag("norms", self.norms)),
            ("key commitment", self.cipher.commitment if self.cipher else bytes(32)),
            ("final record hash", self.record_hashes[-1]), ("reserved 2", bytes(32)),
            ("prover key", signer.public_key().public_bytes_raw())])
        signature = self.change("seal.signature", signer.sign(b"pol/v1/seal\n" + seal))
        self.fields["seal"].append(("signature", signature))
        self.files["seal"] = seal + signature

    def run_seed(self) -> bytes:
        opening = dict(self.fields["record.0"])
        return hkdf(opening["run secret"], b"pol/v1/run-seed\n", b"".join(opening[name] for name in (
            "prover key", "dataset root", "policy digest", "settings digest", "commitment", "head root")))

    def expect(self) -> dict[str, object]:
        norms = [dict(self.fields[f"record.{i}"])["norms"] for i in range(2, len(self.rows))]
        return {
            "archiveRoot": self.archive_root.hex(),
            "sealDigest": tag("seal-digest", self.files["seal"]).hex(),
            "modelDigest": self.model.hex(),
            "runSeed": self.run_seed().hex(),
            "datasetRoot": self.dataset_root.hex(),
            "datasetCount": str(len(self.plan.points)),
            "proverKey": self.public.hex(),
            "steps": str(self.steps[-1]),
            "recordHashes": [each.hex() for each in self.record_hashes],
            "chunks": [[sha(raw).hex() for raw in chunks[:8]] for chunks in self.chunks],
            "chunkCounts": [len(chunks) for chunks in self.chunks],
            "distinctChunks": len(self.place_of),
            **({"epochKey": self.cipher.epoch_key.hex(), "keyEpoch": self.cipher.epoch} if self.cipher else {}),
            "norms": [[each[i:i + 8][::-1].hex() for i in range(0, 32, 8)] for each in norms],
        }
