"""A folder that holds some segments of a sealed archive (spec/store.md §5.1), read and checked."""

import os
from dataclasses import dataclass

from . import packs
from .access import Access
from .archive import RECORDS, SMALL_FILE, Archive
from .cursor import Cursor
from .dataset import HeldDataset
from .encryption import NORMS, POLICY, RECORD, RECORD_INDEX, SETTINGS
from .envelope import Chain, parse_envelope
from .folder import NAMES, Folder, PlainFile
from .frames import RecordsHeader, checked_table, read_record_frame, read_records_header
from .grant import Grant, GrantRefusal
from .packs import OpenPack
from .records import Checkpoint, parse_checkpoint, parse_opening, record_hash
from .refusal import Refusal
from .tables import SEAL_LENGTH, ObjectRow, RecordRow, parse_norms, parse_objects, parse_record_index, parse_seal

FILE = "partial"
SUFFIX = ".part"
LIST_LIMIT = 64 << 20
BOUND_LIMIT = 1 << 62

Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class Manifest:
    """What `partial` lists: the seal, the segments, and of each file that is not whole the ranges that are there."""

    seal: bytes
    segments: Ranges
    ranges: dict[str, Ranges]


def _ascending(bounds: list[int], cursor: Cursor) -> Ranges:
    pairs = list(zip(bounds[::2], bounds[1::2]))
    last = -1
    for start, end in pairs:
        if not last < start < end <= BOUND_LIMIT:
            raise cursor.fail("malformed", "ranges that do not ascend, or touch")
        last = end
    return pairs


def parse_manifest(data: bytes) -> Manifest:
    cursor = checked_table(data, b"polpart1", FILE)
    seal = cursor.take(SEAL_LENGTH)

    def counted(size: int) -> int:
        count = cursor.u32()
        if count * size > cursor.remaining:
            raise cursor.fail("malformed", f"{count} items in {cursor.remaining} bytes")
        return count

    segments = _ascending([cursor.u32() for _ in range(2 * counted(8))], cursor)
    ranges: dict[str, Ranges] = {}
    last = b""
    for _ in range(counted(23)):
        raw = cursor.take(cursor.u16())
        if raw <= last or len(raw) > 255:
            raise cursor.fail("malformed", "file names that are not in order, or too long")
        last = raw
        held = _ascending([cursor.u64() for _ in range(2 * counted(16))], cursor)
        if not held:
            raise cursor.fail("malformed", "a file without ranges")
        ranges[raw.decode("utf-8", "replace")] = held
    cursor.finish()
    return Manifest(seal, segments, ranges)


class HeldFile(PlainFile):
    """`NAME.part`, as long as the file will be; only what is listed is read."""

    def __init__(self, file: PlainFile, name: str, length: int, held: Ranges) -> None:
        super().__init__(file.descriptor, name, length)
        self._held = held

    def read(self, offset: int, count: int) -> bytes:
        if offset + count > self.length:
            raise Refusal("damaged", self.name, f"bytes {offset} to {offset + count} pass the end at {self.length}")
        if count and not any(start <= offset and offset + count <= end for start, end in self._held):
            raise Refusal("notHeld", self.name, f"bytes {offset} to {offset + count} are not in this folder")
        return super().read(offset, count)


class PartialFolder(Folder):
    """Files that are whole, and what is listed of the others."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.manifest = parse_manifest(self.read(FILE, LIST_LIMIT))
        self.rows: dict[str, ObjectRow] = {}

    def is_whole(self, name: str) -> bool:
        return super().has(name)

    def open(self, name: str) -> PlainFile:
        if name == FILE:
            return self.open_plain(name)
        try:
            return super().open(name)
        except Refusal as refusal:
            if refusal.code != "missing" or name not in self.rows:
                raise
        held = self.manifest.ranges.get(name)
        if held is None:
            raise Refusal("notHeld", name, "it is not in this folder")
        return HeldFile(self.open_plain(name + SUFFIX), name, self.rows[name].length, held)

    def has(self, name: str) -> bool:
        return name in self.rows or super().has(name)

    def is_name(self, name: str) -> bool:
        return name in (FILE, FILE + ".tmp") or bool(NAMES.fullmatch(name.removesuffix(SUFFIX)))


@dataclass
class PartialSummary:
    """What was there, all of it checked; never a whole archive."""

    segments: list[int]
    of_segments: int
    records: int
    chunks: int
    points: int
    archive_root: str
    seal_digest: str
    prover_key: str


class PartialArchive(Archive):
    """`check_segments()` checks what each listed segment takes, by the steps of archive.md §9."""

    folder: PartialFolder

    def __init__(self, path: str | os.PathLike[str], keys: Grant | bytes | None = None) -> None:
        super().__init__(path, keys)
        self.folder = PartialFolder(path)
        self.sealed = True
        self._rows: list[RecordRow] = []
        self._known: dict[int, tuple[Checkpoint, dict[bytes, Chain]]] = {}

    @staticmethod
    def stands_in(path: str | os.PathLike[str]) -> bool:
        """Where `seal` stands, `partial` says nothing."""
        folder = Folder(path)
        return not folder.has("seal") and folder.has_plain(FILE)

    def check_segments(self) -> PartialSummary:
        self.seal = seal = parse_seal(self.folder.manifest.seal)
        self._access = Access(seal.suite, seal.epoch, seal.archive_id, self._keys)
        rows = parse_objects(self.folder.read("objects", SMALL_FILE), seal)
        self.folder.rows = {row.name: row for row in rows}
        for row in rows:
            if self.folder.is_whole(row.name):
                with self.folder.open(row.name) as file:
                    if file.length != row.length or file.sha256() != row.digest:
                        raise Refusal("damaged", row.name, "not the length and digest in `objects`")
        for name in self.folder.names():
            if name.removesuffix(SUFFIX) not in self.folder.rows and name not in ("objects", FILE, FILE + ".tmp"):
                raise Refusal("malformed", name, "a file that `objects` does not list")
        self._access.check(seal.digest, seal.key_commitment)
        self._rows = parse_record_index(self._file("records.index", RECORD_INDEX), seal)
        self.record_hashes = [row.record_hash for row in self._rows]
        try:
            return self._check_listed()
        finally:
            for pack, *_ in self._packs.values():
                pack.close()
            self._packs.clear()

    def _check_listed(self) -> PartialSummary:
        assert self.seal is not None
        listed = self.folder.manifest.segments
        total = len(self._rows) - 2
        if listed and listed[-1][1] > total:
            raise Refusal("malformed", FILE, f"segment {listed[-1][1] - 1} of {total}")
        segments = [number for start, end in listed for number in range(start, end)]
        with self.folder.open(RECORDS) as file:
            header = read_records_header(file)
            if (header.suite, header.epoch) != (self.seal.suite, self.seal.epoch):
                raise Refusal("malformed", RECORDS, "cipher suite or key epoch is not the seal's")
            self._open_record(file, header)
            opening = self._opened()
            self._check_file_digest("settings.json", SETTINGS, "settings", opening.settings_digest)
            self._check_file_digest("policy.json", POLICY, "policy", opening.policy_digest)
            norms = parse_norms(self._file("norms", NORMS), self.seal.norms_digest)
            dataset = HeldDataset(self.folder, opening.dataset_count, opening.dataset_root, self._access)
            chunks: set[bytes] = set()
            for number in segments:
                if not self._access.grants_segment(number):
                    raise GrantRefusal("outsideGrant", f"segment {number}")
                before, chains = self._checkpoint(file, header, number + 1)
                after, _ = self._checkpoint(file, header, number + 2)
                if number >= len(norms) or norms[number] != (after.step, after.norms):
                    raise Refusal("malformed", "norms", f"row {number} is not that of record {number + 2}")
                self._check_chunks_of(before, chains, chunks)
                indices = [index for step in after.steps for index in step.indices]
                self._access.require_points(indices)
                dataset.check(indices)
                if dataset.signature_root(indices) != after.signature_root:
                    raise Refusal("malformed", RECORDS, f"record {after.sequence}: signature root")
        return PartialSummary(segments, total, len(self._known), len(chunks), len(dataset.checked),
                              self.seal.archive_root.hex(), self.seal.digest.hex(), self.seal.prover_key.hex())

    def _frame(self, file: PlainFile, header: RecordsHeader, number: int) -> tuple[bytes, bytes]:
        row = self._rows[number]
        frame = read_record_frame(file, row.offset, header)
        record, envelope = frame.opened(
            lambda payload, identity, length: self._access.record(number, payload, identity, length, RECORDS), RECORDS)
        if record_hash(record) != row.record_hash:
            raise Refusal("damaged", RECORDS, f"record {number} is not the one in the authenticated table")
        return record, envelope

    def _open_record(self, file: PlainFile, header: RecordsHeader) -> None:
        record, envelope = self._frame(file, header, 0)
        self.opening = parse_opening(record, RECORDS)
        self._compare_opening(self.opening)
        if header.archive_id != self.opening.archive_id:
            raise Refusal("malformed", RECORDS, "archive id before the records is not that of record 0")
        parse_envelope(envelope, [], header, RECORDS)

    def _checkpoint(self, file: PlainFile, header: RecordsHeader, number: int) -> tuple[Checkpoint, dict[bytes, Chain]]:
        if number not in self._known:
            if not self._access.covers(RECORD, number):
                raise GrantRefusal("outsideGrant", f"record {number} of a granted segment")
            record, envelope = self._frame(file, header, number)
            # The step of a record that is not here is the table's word; the number of steps must agree with it.
            checkpoint = parse_checkpoint(record, number, self.record_hashes[number - 1], self._rows[number - 1].step,
                                          self._opened(), RECORDS)
            chains = parse_envelope(envelope, checkpoint.distinct_chunks, header, RECORDS)
            self._known[number] = (checkpoint, chains)
        return self._known[number]

    def _check_chunks_of(self, checkpoint: Checkpoint, chains: dict[bytes, Chain], checked: set[bytes]) -> None:
        for digest, length in zip(checkpoint.chunks, checkpoint.chunk_lengths):
            if digest in checked:
                continue
            self._check_chunk(chains[digest], digest, length, checkpoint.sequence)
            checked.add(digest)

    def _open_pack(self, number: int, name: str, index_name: str) -> OpenPack:
        """The pack's header is not among what a segment takes; its index is."""
        pack = self.folder.open(name)
        try:
            index = packs.parse_index(self.folder.read(index_name, SMALL_FILE), number, pack,
                                      self._opened().chunk_size, index_name)
        except Refusal:
            pack.close()
            raise
        return pack, index.places, index
