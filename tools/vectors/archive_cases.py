"""The refusals: one fault each, with the error of archive.md §8 that it must give."""

from collections.abc import Callable
from dataclasses import dataclass

from archive_bytes import fixed, le, lz4_literals, lz4_run, string
from archive_plans import B, F32, W, delta, minimal, rich
from archive_writer import Change, Plan, Tensor, Writer, f32

M, D, U, L, X = "malformed", "damaged", "unsupported", "limit", "missing"
PACK, INDEX = "packs/00000000.pack", "packs/00000000.index"
Op = dict[str, object]


@dataclass
class Case:
    """A fault in what the prover wrote (`faults`, everything above is signed again) or in bytes at rest (`ops`)."""

    id: str
    expect: str
    where: str
    comment: str
    base: str = "minimal"
    faults: dict[str, Change] | None = None
    ops: list[Op] | None = None
    plan: Plan | None = None


def flip(data: bytes, at: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def le_value(data: bytes) -> int:
    return int.from_bytes(data, "little")


def more(data: bytes) -> bytes:
    return le(le_value(data) + 1, len(data))


def less(data: bytes) -> bytes:
    return le(le_value(data) - 1, len(data))


def flipped(data: bytes) -> bytes:
    return flip(data, 0)


def signed(id: str, expect: str, where: str, comment: str, base: str = "minimal", **_: object) -> Callable[..., Case]:
    def make(path: str, change: Change, *more: tuple[str, Change]) -> Case:
        return Case(id, expect, where, comment, base, faults=dict([(path, change), *more]))
    return make


def host(id: str, expect: str, where: str, comment: str, base: str = "minimal", **op: object) -> Case:
    return Case(id, expect, where, comment, base, ops=[{"file": where, **op}])


def seal_cases() -> list[Case]:
    cases = [
        host("seal-cut", D, "seal", "one byte short", op="truncate", length=391),
        host("seal-longer", D, "seal", "one byte after the end", op="append", hex="00"),
        host("seal-empty", D, "seal", "no bytes", op="truncate", length=0),
        host("seal-signature-flipped", D, "seal", "last byte of the signature", op="replace", offset=391, hex="ff"),
        host("seal-root-altered", D, "seal", "the archive root, not signed again", op="replace", offset=48, hex="0000"),
        host("seal-key-altered", D, "seal", "another prover key, not signed again", op="replace", offset=296,
             hex="00000000"),
    ]
    for name, field, change, expect, comment in [
        ("magic", "magic", b"polseal2", M, "another magic"),
        ("version-0", "version", le(0, 2), U, "version 0"),
        ("version-2", "version", le(2, 2), U, "version 2"),
        ("suite-1", "suite", le(1, 2), M, "cipher suite 1 without a key epoch"),
        ("suite-2", "suite", le(2, 2), U, "cipher suite 2"),
        ("epoch", "key epoch", le(1, 4), M, "a key epoch under suite 0"),
        ("archive-id", "archive id", fixed("other id"), M, "not the archive id of record 0"),
        ("record-count-1", "record count", le(1, 8), M, "fewer than two records"),
        ("record-count", "record count", le(4, 8), M, "more records than the archive root has"),
        ("record-count-2-63", "record count", le(2**63, 8), M, "2^63 records"),
        ("step-count", "step count", le(2, 8), M, "not the step of the last record"),
        ("model-digest", "model digest", fixed("other model"), M, "not the model of the last checkpoint"),
        ("object-count", "object count", le(9, 4), M, "fewer objects than the object root has"),
        ("reserved", "reserved", le(1, 4), M, "reserved bytes at 164"),
        ("key-commitment", "key commitment", b"\1" + bytes(31), M, "a key commitment under suite 0"),
        ("final-record", "final record hash", fixed("other record"), M, "not the last record hash"),
        ("reserved-2", "reserved 2", bytes(31) + b"\1", M, "reserved bytes at 264"),
    ]:
        cases.append(signed(f"seal-{name}", expect, "seal", comment)(f"seal.{field}", change))
    cases += [
        signed("seal-other-signer", M, "seal", "signed by a key that record 0 does not name")("seal.signer", b""),
        signed("seal-archive-root", D, "records.index", "signed: another archive root")(
            "seal.archive root", fixed("other root")),
        signed("seal-object-root", D, "objects", "signed: another object root")("seal.object root", fixed("other")),
        signed("seal-norms-digest", D, "norms", "signed: another norms digest")("seal.norms digest", fixed("other")),
    ]
    return cases


def table_cases() -> list[Case]:
    index = "records.index"
    cases = [
        host("recindex-cut", D, index, "cut short", op="truncate", length=100),
        host("recindex-empty", D, index, "no bytes", op="truncate", length=0),
        host("recindex-hash-flipped", D, index, "a record hash, CRC as before", op="replace", offset=16, hex="0000"),
        host("recindex-appended", D, index, "a byte after the CRC", op="append", hex="00"),
        signed("recindex-magic", M, index, "another magic")("recindex.magic", b"polridx2"),
        signed("recindex-count-2-61", M, index, "a count whose product with a row overflows")(
            "recindex.count", le(2**61 + 3, 8)),
        signed("recindex-count-less", M, index, "a row more than counted")("recindex.count", le(2, 8)),
        signed("recindex-count-more", M, index, "a row fewer than counted")("recindex.count", le(4, 8)),
        signed("recindex-hash-renewed", D, index, "a record hash altered, CRC and objects renewed")(
            "recindex.row 1 hash", flipped),
        signed("recindex-after", M, index, "a byte between the rows and the CRC")("recindex.after", b"\0"),
        signed("recindex-crc", D, index, "the CRC alone")("recindex.crc", flipped),
        signed("recindex-offset", M, index, "the place of a record")("recindex.row 2 offset", le(2**63, 8)),
        signed("recindex-length", M, index, "the length of a frame")("recindex.row 2 length", flipped),
        signed("recindex-step", M, index, "the step of a record")("recindex.row 2 step", le(9, 8)),
        host("norms-flipped", D, "norms", "a norm", op="replace", offset=30, hex="ff"),
        host("norms-cut", D, "norms", "cut short", op="truncate", length=16),
        signed("norms-magic", M, "norms", "another magic")("norms.magic", b"polnorm2"),
        signed("norms-count", M, "norms", "a row fewer than counted")("norms.count", le(2, 8)),
        signed("norms-count-2-63", M, "norms", "2^63 rows")("norms.count", le(2**63, 8)),
        signed("norms-row", M, "norms", "signed: not the norms of the record")("norms.row 0 norms", flipped),
        signed("norms-step", M, "norms", "signed: not the step of the record")("norms.row 0 step", le(2, 8)),
        signed("norms-after", M, "norms", "a byte after the rows")("norms.after", b"\0"),
        signed("objects-magic", M, "objects", "another magic")("objects.magic", b"polobjs2"),
        signed("objects-after", M, "objects", "a byte after the rows")("objects.after", b"\0"),
        signed("objects-order", M, "objects", "two rows change places")("objects.swap", b""),
        signed("objects-twice", M, "objects", "a row stands twice")("objects.twice", b""),
        signed("objects-parent-folder", M, "objects", "a name that leaves the archive")("extra.../outside", b"x"),
        signed("objects-absolute", M, "objects", "an absolute name")("extra./etc/passwd", b"x"),
        signed("objects-name-nul", M, "objects", "a control character in a name")("extra.no\0rms", b"x"),
        signed("objects-name-case", M, "objects", "a name that a file system could take for another")(
            "extra.Records", b"x"),
        signed("objects-seal", M, "objects", "a row for the seal")("extra.seal ", b"x"),
        signed("objects-pack-too-many", M, "objects", "a pack after a gap")("extra.packs/00000007.pack", b"x"),
        signed("objects-tree-too-high", M, "objects", "a level that three points do not have")(
            "extra.dataset/tree.1", bytes(32)),
        signed("objects-length", D, "records", "signed: another length than the file's")(
            "objects.records.length", flipped),
        signed("objects-digest", D, "journal", "signed: another digest than the file's", base="rich")(
            "objects.journal.digest", flipped),
        host("objects-row-altered", D, "objects", "a digest, not signed again", op="replace", offset=40, hex="0000"),
        host("objects-count-2-31", D, "objects", "2^31 rows", op="replace", offset=8, hex="00000080"),
        host("objects-cut", D, "objects", "cut short", op="truncate", length=300),
        host("objects-rows-swapped", D, "objects", "two rows change places, not signed again", op="swap",
             a=[12, 57], b=[69, 56]),
        host("journal-altered", D, "journal", "a byte of the journal", base="rich", op="replace", offset=9, hex="33"),
        host("claims-altered", D, "claims.json", "a byte of claims", base="rich", op="replace", offset=14, hex="39"),
        host("journal-not-listed", M, "journal", "a journal that the seal knows nothing of", op="write", hex="7b7d0a"),
    ]
    for name in ("records", "settings.json", "dataset/tree.0", INDEX):
        cases.append(signed(f"objects-lacks-{name.replace('/', '-')}", M, name, "a file without a row")(
            f"unlisted.{name}", b""))
    return cases


def file_cases() -> list[Case]:
    cases = [host(f"missing-{name.replace('/', '-')}", X, name, "the file is not there", op="delete")
             for name in ("records", "records.index", "norms", "objects", "settings.json", "policy.json", PACK, INDEX,
                          "dataset/points", "dataset/offsets", "dataset/tree.0")]
    cases += [
        host("missing-tree-1", X, "dataset/tree.1", "the file is not there", base="rich", op="delete"),
        host("missing-journal", X, "journal", "listed, not there", base="rich", op="delete"),
        host("missing-second-pack", X, "packs/00000001.pack", "the file is not there", base="ledger", op="delete"),
        host("extra-file", M, "notes.txt", "a file beside those of §1", op="write", hex="00"),
        host("extra-temporary", M, "seal.tmp", "a file that sealing left behind", op="write", hex="00"),
        host("extra-pack-name", M, "packs/1.pack", "a pack's number without its zeros", op="write", hex="00"),
        host("extra-in-dataset", M, "dataset/secret", "a file beside those of §1", op="write", hex="00"),
        host("extra-folder", M, "more", "a folder beside those of §1", op="folder"),
        host("settings-altered", D, "settings.json", "a byte of the settings", op="replace", offset=30, hex="32"),
        host("settings-newline", D, "settings.json", "a newline at the end", op="append", hex="0a"),
        host("policy-altered", D, "policy.json", "a byte of the policy", op="replace", offset=11, hex="39"),
        host("policy-cut", D, "policy.json", "cut short", op="truncate", length=5),
    ]
    return cases


def record_file_cases() -> list[Case]:
    r = "records"
    size = len(Writer(minimal()).files[r])
    frame, whole = "recordframe.1.", Writer(rich())
    cases = [
        host("records-cut-file-header", D, r, "cut within the file's header", op="truncate", length=47),
        host("records-cut-header", D, r, "cut within a frame's header", op="truncate", length=60),
        host("records-cut", D, r, "cut within the last frame", op="truncate", length=size - 1),
        host("records-empty", D, r, "no bytes", op="truncate", length=0),
        host("records-flipped", D, r, "a byte of record 0", op="replace", offset=161, hex="ffff"),
        host("records-swapped", D, r, "two ranges change places", op="swap", a=[160, 30], b=[600, 20]),
        signed("records-file-magic", M, r, "another magic before the frames")("records.magic", b"polrecs2"),
        signed("records-suite-1", M, r, "cipher suite 1 without a key epoch")("records.suite", le(1, 2)),
        signed("records-suite-1-epoch", M, r, "cipher suite 1 under a seal of suite 0")(
            "records.suite", le(1, 2), ("records.epoch", le(1, 4))),
        signed("records-suite-2", U, r, "cipher suite 2")("records.suite", le(2, 2)),
        signed("records-depth-9", L, r, "delta chains of nine")("records.depth", le(9, 2)),
        signed("records-depth-2-15", L, r, "delta chains of 2^15")("records.depth", le(2**15, 2)),
        signed("records-epoch", M, r, "a key epoch under suite 0")("records.epoch", le(1, 4)),
        signed("records-archive-id", M, r, "not the archive id of record 0")("records.archive id", fixed("other id")),
        signed("records-after", M, r, "a byte after the last record")("records.after", b"\0"),
        signed("records-after-header", M, r, "bytes for a frame's header after the last record")(
            "records.after", b"PRF2" + bytes(60)),
        signed("records-magic", M, r, "another magic, CRC renewed")(frame + "magic", b"PRF1"),
        signed("records-object-id", M, r, "an object id under suite 0")(frame + "object id", bytes(31) + b"\1"),
        signed("records-reserved", M, r, "reserved bytes")(frame + "reserved", bytes(11) + b"\1"),
        signed("records-payload-length-2-31", L, r, "a payload of 2^31 bytes")(frame + "payload length", le(2**31, 4)),
        signed("records-payload-length-limit", L, r, "a payload of 2^27 + 66 bytes")(
            frame + "payload length", le(2**27 + 66, 4)),
        signed("records-payload-length-beyond", D, r, "a payload longer than the file, within the limit")(
            frame + "payload length", le(2**27 + 65, 4)),
        signed("records-payload-empty", M, r, "a payload without its codec")(
            "recordpayload.1.codec", b"", ("recordpayload.1.block", b"")),
        signed("records-length-2-31", L, r, "a record of 2^31 bytes")(frame + "record length", le(2**31, 4)),
        signed("records-length-limit", L, r, "a record of 64 MiB + 49")(
            frame + "record length", le((64 << 20) + 49, 4)),
        signed("records-length-more", M, r, "a record longer than the stored bytes, within the limit")(
            frame + "record length", le(64 << 20, 4)),
        signed("records-envelope-limit", L, r, "an envelope of 64 MiB + 1")(
            frame + "envelope length", le((64 << 20) + 1, 4)),
        signed("records-envelope-2-32", L, r, "an envelope of 2^32 - 1 bytes")(
            frame + "envelope length", le(2**32 - 1, 4)),
        signed("records-envelope-less", M, r, "an envelope shorter than the stored bytes")(
            frame + "envelope length", less),
        signed("records-split", D, r, "a byte of the record counted as the envelope's")(
            frame + "record length", less,
            (frame + "envelope length", more)),
        signed("records-crc", D, r, "the CRC alone")(frame + "crc", flipped),
        signed("records-codec-2", U, r, "codec 2")("recordpayload.1.codec", b"\2"),
        signed("records-codec-255", U, r, "codec 255")("recordpayload.1.codec", b"\xff"),
        signed("records-codec-1", M, r, "stored bytes that are said to be an LZ4 block")(
            "recordpayload.1.codec", b"\1"),
        signed("records-codec-0", M, r, "an LZ4 block that is said to be stored", base="rich")(
            "recordpayload.1.codec", b"\0"),
        signed("records-lz4-more", M, r, "one byte more than the block holds", base="rich")(
            frame + "envelope length", more),
        signed("records-lz4-less", M, r, "one byte fewer than the block holds", base="rich")(
            frame + "envelope length", less),
        signed("records-lz4-literals", M, r, "an LZ4 block that is longer than what it holds", base="rich")(
            "recordpayload.1.block", lz4_literals(whole.record_bytes[1] + whole.envelopes[1])),
        signed("records-lz4-255", L, r, "more than 255 times the block", base="rich")(
            frame + "record length", le(60 << 20, 4)),
        signed("records-lz4-cut", M, r, "the last literal is not there", base="rich")(
            "recordpayload.1.block", lambda v: v[:-1]),
        signed("records-lz4-other", D, r, "an LZ4 block with another record", base="rich")(
            "recordpayload.1.block", lambda v: flip(v, 2)),
        signed("record-kind-3", U, r, "kind 3")("header.2.kind", le(3, 2)),
        signed("record-kind-0", M, r, "a second opening")("header.2.kind", le(0, 2)),
        signed("record-0-kind-1", M, r, "record 0 is no opening")("header.0.kind", le(1, 2)),
        signed("record-0-kind-2", M, r, "record 0 after a gap")("header.0.kind", le(2, 2)),
        signed("record-1-kind-2", M, r, "record 1 after a gap")(
            "header.1.kind", le(2, 2), ("record.1.step", le(0, 8) + string("killed") + le(0, 8))),
        signed("record-version", U, r, "version 2")("header.1.version", le(2, 2)),
        signed("record-0-version", U, r, "version 0")("header.0.version", le(0, 2)),
        signed("record-body-length-less", M, r, "a byte fewer than there are")("header.2.body length",
                                                                               lambda v: bytes([v[0] - 1]) + v[1:]),
        signed("record-body-length-2-31", L, r, "2^31 bytes")("header.2.body length", le(2**31, 4)),
        signed("record-sequence", M, r, "sequence 3 in record 2")("header.2.sequence", le(3, 8)),
        signed("record-0-sequence", M, r, "sequence 1 in record 0")("header.0.sequence", le(1, 8)),
        signed("record-previous", M, r, "previous altered, signed again")("header.2.previous", flipped),
        signed("record-0-previous", M, r, "record 0 with a previous")("header.0.previous", flipped),
        signed("record-short", M, r, "a record shorter than its header")("recordbytes.2", lambda v: v[:40]),
        signed("record-empty", M, r, "a record without bytes")("recordbytes.2", b""),
        signed("record-header-only", M, r, "a checkpoint without a body")(
            "recordbytes.2", lambda v: v[:4] + le(0, 4) + v[8:48]),
    ]
    return cases


def envelope_cases() -> list[Case]:
    r = "records"
    return [
        signed("envelope-version", U, r, "version 2")("envelope.1.version", le(2, 2)),
        signed("envelope-suite-1", M, r, "cipher suite 1 in an archive of suite 0")("envelope.1.suite", le(1, 2)),
        signed("envelope-suite-1-keys", M, r, "cipher suite 1 with keys in an archive of suite 0")(
            "envelope.1.suite", le(1, 2), ("envelope.1.after", bytes(64))),
        signed("envelope-suite-2", U, r, "cipher suite 2")("envelope.1.suite", le(2, 2)),
        signed("envelope-count-2-31", M, r, "2^31 rows")("envelope.1.count", le(2**31, 4)),
        signed("envelope-count-less", M, r, "a row more than counted")("envelope.1.count", le(1, 4)),
        signed("envelope-count-ancestor", M, r, "a row counted as an ancestor")(
            "envelope.1.count", le(1, 4), ("envelope.1.ancestors", le(1, 4))),
        signed("envelope-ancestors", M, r, "an ancestor fewer than counted")("envelope.1.ancestors", le(1, 4)),
        signed("envelope-ancestors-2-32", M, r, "2^32 - 1 ancestors")("envelope.1.ancestors", le(2**32 - 1, 4)),
        signed("envelope-pack", X, "packs/00000001.pack", "a pack that is not there")(
            "envelope.2.row 0 pack", le(1, 4)),
        signed("envelope-pack-2-31", L, r, "a pack number of more than eight digits")(
            "envelope.2.row 0 pack", le(100_000_000, 4)),
        signed("envelope-other-pack", D, "packs/00000001.pack", "a pack with another chunk there", base="ledger")(
            "envelope.1.row 0 pack", le(1, 4)),
        signed("envelope-frame", D, PACK, "the frame of another chunk")("envelope.2.row 0 frame", le(1, 4)),
        signed("envelope-frame-beyond", X, PACK, "a frame more than the pack has")(
            "envelope.2.row 0 frame", le(4, 4)),
        signed("envelope-frame-2-32", X, PACK, "frame 2^32 - 1")("envelope.2.row 0 frame", le(2**32 - 1, 4)),
        signed("envelope-parent-without", M, r, "a parent, and no ancestors")("envelope.2.row 0 parent", le(1, 4)),
        signed("envelope-short", M, r, "a column shorter than its rows")("envelope.2.row 1 parent", b""),
        signed("envelope-empty", M, r, "no bytes")("envelopebytes.2", b""),
        signed("envelope-after", M, r, "a byte after the columns")("envelope.2.after", b"\0"),
        signed("envelope-0-row", M, r, "record 0 with a chunk")(
            "envelope.0.count", le(1, 4), ("envelope.0.after", bytes(12))),
        signed("envelope-0-ancestor", M, r, "record 0 with an ancestor")(
            "envelope.0.ancestors", le(1, 4), ("envelope.0.after", bytes(12))),
    ]


def gap_cases() -> list[Case]:
    """Records of kind 2: record 2 lost two steps and knows one, record 3 lost none, record 4 knows none."""
    r = "records"
    table: list[tuple[str, str, Change, str, str]] = [
        ("lost-less", "2.lost steps", le(1, 8), M, "fewer steps than lie between the records"),
        ("lost-more", "2.lost steps", le(3, 8), M, "more steps than lie between the records"),
        ("lost-2-64", "2.lost steps", le(2**64 - 1, 8), M, "a sum with the known steps that overflows 64 bits"),
        ("lost-2-64-sum", "2.step count", le(2**32 - 1, 4), M, "2^32 - 1 steps after the lost ones"),
        ("count", "3.step count", le(1, 4), M, "no lost steps and fewer known ones than lie between"),
        ("count-with-lost", "4.step count", le(1, 4), M, "a known step more than lie between"),
        ("step-same", "4.step", le(5, 8), M, "lost steps after which no step was done"),
        ("step-before", "4.step", le(4, 8), M, "a step before that of the record before"),
        ("cause-empty", "2.cause", string(""), M, "no cause"),
        ("cause-256", "2.cause", string("c" * 256), L, "a cause of 256 bytes"),
        ("cause-65535", "2.cause", le(65535, 2) + b"killed", L, "a cause of 65535 bytes that are not there"),
        ("cause-control", "2.cause", string("killed\n"), M, "a newline in the cause"),
        ("cause-delete", "2.cause", string("killed\x7f"), M, "U+007F in the cause"),
        ("cause-utf8", "2.cause", string(b"killed\xff"), M, "not UTF-8"),
        ("cause-beyond", "4.cause", le(255, 2) + b"x", M, "lengths taken from what follows the cause"),
        ("norms", "4.norms", flipped, M, "signed: not the norms of the update over the gap"),
        ("signature-root", "4.signature root", fixed("s"), M, "signed: signatures of no data points"),
    ]
    cases = [signed(f"gap-{name}", expect, r, comment, base="gaps")(f"record.{field}", change)
             for name, field, change, expect, comment in table]
    return [
        *cases,
        signed("gap-none", M, r, "no lost steps and no known ones", base="gaps")(
            "record.4.lost steps", le(0, 8), ("record.4.step", le(5, 8))),
        signed("gap-kind-1", M, r, "a record after a gap that is said to be none", base="gaps")(
            "header.2.kind", le(1, 2)),
        signed("gap-cut", M, r, "the body ends within the lost steps", base="gaps")(
            "recordbytes.4", lambda v: v[:4] + le(7, 4) + v[8:55]),
        signed("gap-indices-without-points", M, r, "a known step in an archive without data points", base="imported")(
            "record.2.lost steps", le(99, 8), ("record.2.step count", le(1, 4) + f32(0, 0) + le(1, 4) + le(0, 4))),
    ]


def opening_cases() -> list[Case]:
    r = "records"
    table: list[tuple[str, str, bytes | Callable[[bytes], bytes], str, str, str]] = [
        ("count-0", "dataset count", le(0, 8), M, "no data points, and a root that is not the empty tree's", r),
        ("count-2-32", "dataset count", le(2**32, 8), L, "2^32 data points", r),
        ("count-2-63", "dataset count", le(2**63, 8), L, "2^63 data points", r),
        ("chunk-size-32768", "chunk size", le(32768, 4), M, "below 65536", r),
        ("chunk-size-65537", "chunk size", le(65537, 4), M, "not a power of two", r),
        ("chunk-size-2-21", "chunk size", le(2**21, 4), L, "above 1048576", r),
        ("chunk-size-0", "chunk size", le(0, 4), M, "zero", r),
        ("small-limit", "small limit", le(65537, 4), L, "above the chunk size", r),
        ("commitment", "commitment", fixed("c"), M, "a commitment without a log", r),
        ("commitment-index", "commitment index", le(1, 8), M, "an index without a log", r),
        ("head-size", "head size", le(1, 8), M, "a tree head without a log", r),
        ("head-root", "head root", fixed("h"), M, "a root without a log", r),
        ("origin-control", "log origin", string("log\n"), M, "a newline in the origin", r),
        ("origin-delete", "log origin", string("log\x7f"), M, "U+007F in the origin", r),
        ("origin-utf8", "log origin", string(b"log\xff"), M, "not UTF-8", r),
        ("origin-surrogate", "log origin", string(b"\xed\xa0\x80"), M, "an encoded surrogate is not UTF-8", r),
        ("origin-overlong", "log origin", string(b"\xc1\xa1"), M, "an overlong form is not UTF-8", r),
        ("origin-256", "log origin", string("o" * 256), L, "256 bytes", r),
        ("origin-beyond", "log origin", le(20, 2) + b"log", M, "longer than the record", r),
        ("after", "after", b"\0", M, "a byte after the end", r),
        ("settings-digest", "settings digest", fixed("s"), D, "signed: the digest of other settings", "settings.json"),
        ("policy-digest", "policy digest", fixed("p"), D, "signed: the digest of another policy", "policy.json"),
        ("dataset-root", "dataset root", fixed("d"), D, "signed: the root of another dataset", "dataset/tree.0"),
        ("dataset-count-4", "dataset count", le(4, 8), D, "signed: one point more than there are", "dataset/tree.0"),
        ("prover-key", "prover key", fixed("k"), M, "the seal is signed by another key", "seal"),
    ]
    cases = [signed(f"opening-{name}", expect, where, comment)(f"record.0.{field}", change)
             for name, field, change, expect, comment, where in table]
    cases.append(signed("opening-head-size-small", M, r, "a tree head that does not cover the commitment",
                        base="ledger")("record.0.head size", le(7, 8)))
    cases.append(signed("opening-commitment-zero", M, r, "a log and no commitment", base="ledger")(
        "record.0.commitment", bytes(32)))
    cases.append(signed("opening-empty-root", M, r, "no data points, and the root of some", base="imported")(
        "record.0.dataset root", fixed("d")))
    cases.append(signed("opening-count-1", X, "dataset/tree.0", "signed: a data point that is not there",
                        base="imported")("record.0.dataset count", le(1, 8)))
    cases.append(Case("opening-cut", M, r, "the body ends before the log origin", faults={
        "record.0.log origin": b"", "record.0.small limit": lambda v: v[:3]}))
    return cases


def checkpoint_cases() -> list[Case]:
    r = "records"
    table: list[tuple[str, str, Change, str, str]] = [
        ("step-same", "2.step", le(0, 8), M, "no larger than in the record before"),
        ("step-2-63", "2.step", le(2**63 + 1, 8), M, "2^63 + 1 steps with one step"),
        ("step-count", "2.step count", le(2, 4), M, "not the difference of the steps"),
        ("step-count-2-31", "2.step count", le(2**31, 4), M, "2^31 steps"),
        ("first-step", "1.step", le(1, 8), M, "record 1 after a step"),
        ("first-step-count", "1.step count", le(1, 4), M, "record 1 with a step"),
        ("first-signature-root", "1.signature root", fixed("s"), M, "record 1 with data points"),
        ("first-norms", "1.norms", bytes(31) + b"\1", M, "record 1 with norms"),
        ("batch-0", "2.step 0 batch size", le(0, 4), M, "an empty batch"),
        ("batch-2-20", "2.step 0 batch size", le(2**20 + 1, 4), L, "2^20 + 1 data points"),
        ("batch-2-31", "2.step 0 batch size", le(2**31, 4), L, "2^31 data points"),
        ("batch-beyond", "2.step 0 batch size", le(2**20, 4), M, "more indices than the record holds"),
        ("index", "2.step 0 indices", le(3, 4) + le(0, 4), M, "data point 3 of 3"),
        ("index-max", "2.step 0 indices", le(2, 4) + le(2**32 - 1, 4), M, "data point 2^32 - 1 of 3"),
        ("signature-root", "2.signature root", flipped, M, "signed: not the root over the indices' signatures"),
        ("indices-swapped", "2.step 0 indices", le(0, 4) + le(2, 4), M, "signed: the same points in another order"),
        ("norms-l1", "2.norms", flipped, M, "signed: not the l1 of the update"),
        ("norms-weights", "2.norms", lambda v: v[:24] + flip(v[24:]), M, "signed: not the l2 of the weights"),
        ("tensor-count-2-31", "2.tensor count", le(2**31, 4), L, "2^31 tensors"),
        ("tensor-count-limit", "2.tensor count", le(2**20 + 1, 4), L, "2^20 + 1 tensors"),
        ("tensor-count-beyond", "2.tensor count", le(2**20, 4), M, "more tensors than the record holds"),
        ("name-empty", "2.tensor 0 name", string(""), M, "a name without bytes"),
        ("name-513", "2.tensor 0 name", string("n" * 513), L, "a name of 513 bytes"),
        ("name-65535", "2.tensor 2 name", le(65535, 2) + b"weight", L, "a name of 65535 bytes that are not there"),
        ("name-control", "2.tensor 0 name", string("bi\tas"), M, "a tab in a name"),
        ("name-nul", "2.tensor 0 name", string("bias\0"), M, "a zero byte in a name"),
        ("name-utf8", "2.tensor 0 name", string(b"bia\x80"), M, "not UTF-8"),
        ("role", "2.tensor 2 role", b"\5", M, "role 5"),
        ("type-0", "2.tensor 0 type", b"\0", M, "element type 0"),
        ("type-16", "2.tensor 0 type", b"\x10", M, "element type 16"),
        ("rank-17", "2.tensor 0 rank", b"\x11", L, "rank 17"),
        ("rank-16", "2.tensor 2 rank", b"\x10", M, "more dimensions than the record holds"),
        ("shape-limit", "2.tensor 0 dimensions", le(2**38 + 1, 8), L, "2^40 + 4 bytes"),
        ("shape-2-63", "2.tensor 0 dimensions", le(2**63, 8), L, "2^65 bytes"),
        ("shape-2-63-by-0", "2.tensor 1 dimensions", le(2**63, 8) + le(0, 8), L, "no bytes, one dimension of 2^63"),
        ("shape-wraps", "2.tensor 2 dimensions", le(2**62 + 64, 8), L, "a size that is right modulo 2^64"),
        ("shape-product-wraps", "2.tensor 1 dimensions", le(2**33, 8) + le(2**33 + 2, 8), L,
         "a product that overflows 64 bits"),
        ("shape-larger", "2.tensor 0 dimensions", le(2**38, 8), M, "2^40 bytes in a chunk"),
        ("shape-less", "2.tensor 0 dimensions", le(1, 8), M, "fewer bytes: the next tensor's offset is not its place"),
        ("first-chunk", "2.tensor 2 first chunk", le(0, 4), M, "another chunk than §4's"),
        ("first-chunk-beyond", "2.tensor 2 first chunk", le(2**32 - 1, 4), M, "a chunk that is not in the list"),
        ("offset", "2.tensor 1 offset", le(12, 4), M, "another offset than §4's"),
        ("offset-large", "2.tensor 0 offset", le(2**31, 4), M, "an offset of 2^31"),
        ("chunk-count-less", "2.chunk count", le(1, 4), M, "a chunk fewer than §4's, its digest after the end"),
        ("chunk-count-beyond", "2.chunk count", le(2**20, 4), M, "more chunks than the record holds"),
        ("chunk-count-2-24", "2.chunk count", le(2**24 + 1, 4), L, "2^24 + 1 chunks"),
        ("chunk-count-2-31", "2.chunk count", le(2**31, 4), L, "2^31 chunks"),
        ("after", "2.after", b"\0", M, "a byte after the end"),
        ("cut", "2.chunk 1", lambda v: v[:31], M, "the last digest lacks a byte"),
    ]
    cases = [signed(f"checkpoint-{name}", expect, r, comment)(f"record.{field}", change)
             for name, field, change, expect, comment in table]

    def planned(name: str, comment: str, change: Callable[[list[Tensor]], list[Tensor]],
                faults: dict[str, Change] | None = None, both: bool = True) -> Case:
        plan = minimal()
        for state in plan.states if both else plan.states[1:]:
            state.tensors = change(state.tensors)
        return Case(f"checkpoint-{name}", M, r, comment, plan=plan, faults=faults or {})

    def field(tensors: list[tuple[str, int]]) -> Callable[[list[Tensor]], list[Tensor]]:
        return lambda old: [*old, *(Tensor(name, role, F32, [1], f32(1)) for name, role in tensors)]

    rename: dict[str, Change] = {f"record.{n}.tensor 0 name": string("weight") for n in (1, 2)}
    swap: dict[str, Change] = {f"record.{n}.tensor 0 name": string("x") for n in (1, 2)}
    cases += [
        planned("order", "names of a role are not in order", lambda old: old, swap),
        planned("twice", "a name stands twice in a role", lambda old: old, rename),
        planned("order-role", "a buffer stands before a weight", field([("a", B)]),
                {f"record.{n}.tensor {i} role": role for n in (1, 2) for i, role in ((0, b"\1"), (1, b"\0"))}),
        planned("weight-and-buffer", "a weight and a buffer have one name", field([("bias", B)])),
        planned("another-weight", "a weight more than in the record before",
                field([("other", W)]), both=False),
        planned("another-shape", "a weight has another shape than in the record before",
                lambda old: [Tensor(t.name, t.role, t.type, [4], t.raw) if t.name == "weight" else t for t in old],
                both=False),
        signed("chunk-shorter", M, r, "a chunk with one byte fewer than §4's, stored under its own digest")(
            "raw.2.0", lambda v: v[:-1]),
        signed("chunk-longer", M, r, "a chunk with one byte more than §4's, stored under its own digest")(
            "raw.2.1", lambda v: v + b"\1"),
    ]
    return cases


def pack_cases() -> list[Case]:
    first = len(Writer(minimal()).files[PACK])
    zeros = lz4_run(bytes(256), 1)
    return [
        host("pack-cut", D, PACK, "one byte short", op="truncate", length=first - 1),
        host("pack-appended", D, PACK, "a byte after the last frame", op="append", hex="00"),
        host("pack-appended-frame", D, PACK, "a frame after the last frame", op="append",
             hex=Writer(minimal()).files[PACK][16:56].hex()),
        host("pack-empty", D, PACK, "no bytes", op="truncate", length=0),
        host("pack-payload-flipped", D, PACK, "a byte of a payload", op="replace", offset=34, hex="55"),
        host("pack-swapped", D, PACK, "two ranges change places", op="swap", a=[40, 4], b=[44, 4]),
        signed("pack-magic", M, PACK, "another magic")("pack.0.magic", b"polpack2"),
        signed("pack-number", M, PACK, "another number than in the name")("pack.0.number", le(1, 4)),
        signed("pack-reserved", M, PACK, "reserved bytes")("pack.0.reserved", le(1, 4)),
        signed("frame-magic", M, PACK, "another magic, CRC renewed")("frame.0.0.magic", b"PD"),
        signed("frame-codec-4", U, PACK, "codec 4")("frame.0.0.codec", b"\4"),
        signed("frame-codec-18", U, PACK, "codec 18")("frame.0.0.codec", b"\x12"),
        signed("frame-codec-32", U, PACK, "codec 32")("frame.0.0.codec", b"\x20"),
        signed("frame-codec-255", U, PACK, "codec 255")("frame.0.0.codec", b"\xff"),
        signed("frame-parameter", M, PACK, "a parameter")("frame.0.0.parameter", b"\1"),
        signed("frame-payload-length-2-31", L, PACK, "a payload of 2^31 bytes, CRC renewed")(
            "frame.0.0.payload length", le(2**31, 4)),
        signed("frame-payload-length-0", M, PACK, "no payload, CRC renewed")("frame.0.0.payload length", le(0, 4)),
        signed("frame-payload-length", M, PACK, "a byte fewer than the index says")(
            "frame.0.0.payload length", less),
        signed("frame-raw-0", M, PACK, "raw length 0")("frame.0.0.raw length", le(0, 4)),
        signed("frame-raw-stored", M, PACK, "codec 0 with another raw length")("frame.0.0.raw length", le(25, 4)),
        signed("frame-raw-limit", L, PACK, "codec 1, one byte above the chunk size")(
            "frame.0.1.raw length", le(65537, 4)),
        signed("frame-raw-2-31", L, PACK, "an LZ4 bomb of 2^31 bytes")("frame.0.1.raw length", le(2**31, 4)),
        signed("frame-raw-255", L, PACK, "more than 255 times the payload")(
            "frame.0.1.raw length", le(255 * len(zeros) + 1, 4)),
        signed("frame-raw-not-larger", M, PACK, "codec 1 that gains nothing")(
            "frame.0.1.raw length", le(len(zeros), 4)),
        signed("frame-raw-more", M, PACK, "one byte more than the block holds")("frame.0.1.raw length", le(257, 4)),
        signed("frame-raw-less", M, PACK, "one byte fewer than the block holds")("frame.0.1.raw length", le(255, 4)),
        signed("frame-lz4-literals", M, PACK, "an LZ4 block that is longer than what it holds")(
            "frame.0.1.payload", lz4_literals(bytes(256))),
        signed("frame-lz4-garbage", M, PACK, "a payload that is no LZ4 block")(
            "frame.0.1.payload", bytes([0x10, 0, 0xFF, 0xFF, 0x50]) + bytes(5)),
        signed("frame-lz4-cut", M, PACK, "the last literal is not there")("frame.0.1.payload", zeros[:-1]),
        signed("frame-lz4-other", D, PACK, "an LZ4 block with other content")(
            "frame.0.1.payload", lz4_run(b"\1" * 256, 1)),
        signed("frame-payload-other", D, PACK, "other content, CRC renewed")("frame.0.0.payload", flipped),
        signed("frame-crc", D, PACK, "the CRC alone")("frame.0.0.crc", flipped),
        signed("pack-after", M, INDEX, "a piece of a frame after the last frame, counted in the pack's length")(
            "pack.0.after", b"PC\0"),
        host("index-flipped", D, INDEX, "a byte, CRC as before", op="replace", offset=30, hex="0000"),
        host("index-cut", D, INDEX, "cut short", op="truncate", length=60),
        signed("index-magic", M, INDEX, "another magic")("index.0.magic", b"polpidx2"),
        signed("index-number", M, INDEX, "another number than in the name")("index.0.number", le(1, 4)),
        signed("index-count-2-31", M, INDEX, "2^31 rows")("index.0.count", le(2**31, 4)),
        signed("index-count-less", M, INDEX, "a row more than counted")("index.0.count", le(3, 4)),
        signed("index-count-more", M, INDEX, "a row fewer than counted")("index.0.count", le(5, 4)),
        signed("index-pack-length", M, INDEX, "not the sum of the frames")("index.0.pack length", flipped),
        signed("index-pack-length-limit", L, INDEX, "a pack above 1 GiB")("index.0.pack length", le(2**30 + 1, 8)),
        signed("index-pack-longer", D, PACK, "a frame and a pack that are one byte longer than the file")(
            "index.0.row 3 length", more, ("index.0.pack length", more)),
        signed("index-order", D, PACK, "two rows change places: their frames begin where none does")(
            "index.0.rows", lambda v: v[:24] + v[60:96] + v[24:60] + v[96:]),
        signed("index-ids-swapped", M, INDEX, "two stored ids change places")(
            "index.0.rows", lambda v: v[:24] + v[60:92] + v[56:60] + v[24:56] + v[92:]),
        signed("index-twice", M, INDEX, "a stored id stands twice")(
            "index.0.rows", lambda v: v[:60] + v[24:56] + v[92:]),
        signed("index-id", M, INDEX, "not the stored id of the chunk")("index.0.row 3 id", b"\xff" * 32),
        signed("index-row-too-many", M, INDEX, "a row for a frame that is not there")(
            "index.0.count", more, ("index.0.after", bytes(32) + le(17, 4))),
        signed("index-row-too-few", M, INDEX, "no row for the last frame")(
            "index.0.count", less, ("index.0.rows", lambda v: v[:-36])),
        signed("index-length-2-32", L, INDEX, "a frame of 2^32 - 1 bytes")("index.0.row 0 length", le(2**32 - 1, 4)),
        signed("index-length-limit", L, INDEX, "a frame of 33 bytes more than the chunk size")(
            "index.0.row 0 length", le(65536 + 33, 4)),
        signed("index-length-beyond", M, INDEX, "a frame past the end, within the limit")(
            "index.0.row 0 length", le(65536 + 32, 4)),
        signed("index-length-16", M, INDEX, "a frame without payload")("index.0.row 0 length", le(16, 4)),
        signed("index-length-16-moved", M, INDEX, "a frame without payload, whose bytes the next one has")(
            "index.0.row 0 length", le(16, 4), ("index.0.row 1 length", lambda v: le(le_value(v) + 24, 4))),
        signed("index-length-0", M, INDEX, "a frame without bytes")("index.0.row 0 length", le(0, 4)),
        signed("index-length-less", M, INDEX, "one byte fewer than the frame has")("index.0.row 0 length", less),
        signed("index-length-moved", D, PACK, "a byte of a frame counted as the next one's")(
            "index.0.row 0 length", less, ("index.0.row 1 length", more)),
        signed("index-after", M, INDEX, "a byte between rows and CRC")("index.0.after", b"\0"),
        signed("index-crc", D, INDEX, "the CRC alone")("index.0.crc", flipped),
    ]


def delta_cases() -> list[Case]:
    """Rows and ancestors of record 3: row 0 has the chain ancestor 1, ancestor 0; row 1 has ancestor 2 alone."""
    r, second = "records", "packs/00000001.pack"
    built = Writer(delta())
    stored = built.chunks[2][4]

    def twice(value: bytes) -> Change:
        return lambda old: old + value

    table: list[tuple[str, str, str, str, list[tuple[str, Change]]]] = [
        ("parent-beyond", M, r, "an ancestor more than there are", [("envelope.3.row 0 parent", le(11, 4))]),
        ("parent-2-32", M, r, "ancestor 2^32 - 2", [("envelope.3.row 0 parent", le(2**32 - 1, 4))]),
        ("ancestor-itself", M, r, "an ancestor that is its own parent", [("envelope.3.ancestor 0 parent", le(1, 4))]),
        ("ancestor-cycle", M, r, "an ancestor whose parent stands after it", [
            ("envelope.3.ancestor 0 parent", le(2, 4))]),
        ("ancestor-parent-2-32", M, r, "an ancestor with the parent 2^32 - 2", [
            ("envelope.3.ancestor 9 parent", le(2**32 - 1, 4))]),
        ("ancestor-unused", M, r, "an ancestor that is nobody's parent", [
            ("envelope.1.ancestors", le(2, 4)), *((f"envelope.1.ancestor 0 {name}", twice(bytes(4)))
                                                  for name in ("pack", "frame", "parent"))]),
        ("depth-1", M, r, "a chain of two where the file says one", [("records.depth", le(1, 2))]),
        ("depth-0", M, r, "a delta where the file says that there is none", [("records.depth", le(0, 2))]),
        ("ancestor-pack", X, "packs/00000002.pack", "an ancestor in a pack that is not there", [
            ("envelope.3.ancestor 0 pack", le(2, 4))]),
        ("ancestor-pack-limit", L, r, "an ancestor's pack number of nine digits", [
            ("envelope.3.ancestor 0 pack", le(100_000_000, 4))]),
        ("ancestor-frame-beyond", X, PACK, "an ancestor that its pack does not have", [
            ("envelope.3.ancestor 0 frame", le(15, 4))]),
        ("ancestor-frame", D, second, "another frame of the same length as an ancestor", [
            ("envelope.3.ancestor 0 frame", le(2, 4))]),
        ("parents-swapped", D, second, "two deltas of one length exchange their parents", [
            ("envelope.3.row 4 parent", le(8, 4)), ("envelope.3.row 5 parent", le(7, 4))]),
        ("parent-length", M, second, "a parent of another length", [
            ("envelope.3.row 0 parent", le(3, 4)), ("envelope.3.row 1 parent", le(2, 4))]),
        ("without-parent", M, PACK, "a delta to which the envelope gives no parent", [
            ("frame.0.13.codec", b"\x11"), ("frame.0.13.parameter", b"\1")]),
        ("needless-parent", M, PACK, "a stored chunk to which the envelope gives a parent", [
            ("frame.0.12.codec", b"\0"), ("frame.0.12.parameter", b"\0"), ("frame.0.12.payload", stored)]),
        ("element-3", M, PACK, "elements of three bytes", [("frame.0.8.parameter", b"\x83")]),
        ("element-0", M, PACK, "elements of no bytes", [("frame.0.8.parameter", b"\0")]),
        ("element-multiple", M, PACK, "a raw length that is no multiple of the element", [
            ("frame.0.9.parameter", b"\x84")]),
        ("element-other", D, PACK, "elements that are said to be no floats", [("frame.0.9.parameter", b"\2")]),
        ("planes-length", M, PACK, "a plane longer than it can be", [
            ("frame.0.9.payload", lambda v: le(84, 4) + v[4:])]),
        ("planes-after", M, PACK, "a byte after the last plane", [("frame.0.9.payload", lambda v: v + b"\0")]),
        ("planes-cut", M, PACK, "the last plane lacks a byte", [("frame.0.9.payload", lambda v: v[:-1])]),
        ("bits-cut", M, PACK, "the last literal is not there", [("frame.0.8.payload", lambda v: v[:-1])]),
        ("bits-after", M, PACK, "a byte after the LZ4 block", [("frame.0.8.payload", lambda v: v + b"\0")]),
        ("payload-other", D, PACK, "another difference", [("frame.0.8.payload", lambda v: v[:-1] + b"\x80")]),
    ]
    cases = [Case(f"delta-{name}", expect, where, comment, "delta", faults=dict(changes))
             for name, expect, where, comment, changes in table]
    return [
        *cases,
        signed("filter-constant-length", M, PACK, "two elements", base="delta")("frame.0.3.payload", lambda v: v + v),
        signed("filter-constant-element", M, PACK, "an element longer than the payload", base="delta")(
            "frame.0.3.parameter", b"\x88"),
        signed("filter-constant-other", D, PACK, "another element", base="delta")("frame.0.3.payload", flipped),
        signed("filter-bits-255", L, PACK, "planes of more than 255 times the LZ4 block", base="delta")(
            "frame.0.0.payload", b"\xff" * 4 + b"\0"),
        signed("filter-bits-mask", M, PACK, "more plain planes than the payload holds", base="delta")(
            "frame.0.0.payload", lambda v: bytes(4) + v[4:]),
        signed("filter-bits-short", M, PACK, "a payload shorter than the mask", base="delta")(
            "frame.0.0.payload", lambda v: v[:3]),
        signed("filter-not-shorter", M, PACK, "planes as long as the chunk", base="delta")(
            "frame.0.0.payload", lambda v: v + bytes(320 - len(v))),
        host("delta-ancestor-damaged", D, PACK, "a byte of a frame that others are deltas against", base="delta",
             op="replace", offset=40, hex="5a5a"),
    ]


def dataset_cases() -> list[Case]:
    points, offsets, tree = "dataset/points", "dataset/offsets", "dataset/tree.0"
    return [
        signed("tree-0-altered", D, tree, "a leaf hash")(f"file.{tree}", flipped),
        signed("tree-0-short", D, tree, "a leaf fewer")(f"file.{tree}", lambda v: v[:-32]),
        signed("tree-0-longer", D, tree, "a leaf more")(f"file.{tree}", lambda v: v + bytes(32)),
        signed("tree-1-altered", D, "dataset/tree.1", "a subtree's root", base="rich")("file.dataset/tree.1", flipped),
        signed("tree-1-longer", D, "dataset/tree.1", "the incomplete subtree's root too", base="rich")(
            "file.dataset/tree.1", lambda v: v + bytes(32)),
        signed("points-label", D, points, "a label")(f"file.{points}", lambda v: flip(v, 41)),
        signed("points-salt", D, points, "a salt")(f"file.{points}", flipped),
        signed("points-cut", M, offsets, "points end before the last offset")(f"file.{points}", lambda v: v[:-1]),
        signed("offsets-first", M, offsets, "the first is not 0")(f"file.{offsets}", lambda v: le(1, 8) + v[8:]),
        signed("offsets-same", M, offsets, "two are equal")(f"file.{offsets}", lambda v: v[:16] + v[8:16] + v[24:]),
        signed("offsets-2-63", M, offsets, "2^63")(f"file.{offsets}", lambda v: v[:8] + le(2**63, 8) + v[16:]),
        signed("offsets-moved", D, points, "a point's end")(f"file.{offsets}", lambda v: flip(v, 8)),
        signed("offsets-short", D, offsets, "one fewer")(f"file.{offsets}", lambda v: v[:-8]),
        signed("point-type", M, points, "committed: element type 16")("point.1", lambda v: b"\x10" + v[1:]),
        signed("point-rank", L, points, "committed: rank 9")("point.1", lambda v: v[:1] + b"\x09" + v[2:]),
        signed("point-shape", M, points, "committed: more elements than bytes")(
            "point.1", lambda v: v[:2] + le(4, 4) + v[6:]),
        signed("point-after", M, points, "committed: a byte after the label")("point.1", lambda v: v + b"\0"),
        signed("point-limit", L, points, "committed: 64 MiB + 1 elements")(
            "point.1", lambda v: v[:2] + le((64 << 20) + 1, 4) + v[6:]),
    ]


def cases() -> list[Case]:
    return [*seal_cases(), *table_cases(), *file_cases(), *record_file_cases(), *envelope_cases(), *opening_cases(),
            *checkpoint_cases(), *gap_cases(), *pack_cases(), *delta_cases(), *dataset_cases()]
