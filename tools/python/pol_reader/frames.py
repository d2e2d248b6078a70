"""The `records` file and tables that end in a CRC (spec/archive.md §5.4, §6)."""

from collections.abc import Callable
from dataclasses import dataclass

from .cursor import Cursor
from .filters import LZ4, STORED
from .filters import block as lz4_block
from .folder import PlainFile
from .hashing import ZERO, crc32c
from .records import BODY_LIMIT, HEADER_LENGTH
from .refusal import Refusal

RECORD_LIMIT = BODY_LIMIT + HEADER_LENGTH
ENVELOPE_LIMIT = 64 << 20
PAYLOAD_LIMIT = 1 + RECORD_LIMIT + ENVELOPE_LIMIT + 16  # codec, record, envelope, tag
DEPTH_LIMIT = 8
FILE_HEADER = 48
FRAME_HEADER = 64
SUITES = (0, 1)


@dataclass(frozen=True)
class RecordsHeader:
    suite: int
    depth: int
    epoch: int
    archive_id: bytes


def read_records_header(file: PlainFile) -> RecordsHeader:
    cursor = Cursor(file.read(0, FILE_HEADER), file.name)
    if cursor.take(8) != b"polrecs1":
        raise cursor.fail("malformed", "another magic")
    header = RecordsHeader(cursor.u16(), cursor.u16(), cursor.u32(), cursor.digest())
    if header.suite not in SUITES:
        raise cursor.fail("unsupported", f"cipher suite {header.suite}")
    if header.depth > DEPTH_LIMIT:
        raise cursor.fail("limit", f"delta chains {header.depth} long, at most {DEPTH_LIMIT}")
    if (header.epoch != 0) != (header.suite != 0):
        raise cursor.fail("malformed", f"key epoch {header.epoch} under cipher suite {header.suite}")
    return header


@dataclass(frozen=True)
class RecordFrame:
    """One frame of `records`, whole; what it holds is encoded and, under suite 1, encrypted."""

    offset: int
    length: int
    object_id: bytes
    payload: bytes
    record_length: int
    envelope_length: int

    def opened(self, open_payload: Callable[[bytes, bytes, int], bytes], where: str) -> tuple[bytes, bytes]:
        """Record and envelope; `open_payload` takes payload, object id and raw length."""
        length = self.record_length + self.envelope_length
        both = _decoded(open_payload(self.payload, self.object_id, length), length, where)
        return both[:self.record_length], both[self.record_length:]


def read_record_frame(file: PlainFile, offset: int, header: RecordsHeader) -> RecordFrame:
    """Stated maxima, then the file's length, then the CRC, then the fields (§5.4, §8)."""
    cursor = Cursor(file.read(offset, FRAME_HEADER), file.name)
    magic, payload_length, record_length, envelope_length = cursor.take(4), cursor.u32(), cursor.u32(), cursor.u32()
    object_id, crc, reserved = cursor.digest(), cursor.u32(), cursor.take(12)
    if record_length > RECORD_LIMIT or envelope_length > ENVELOPE_LIMIT or payload_length > PAYLOAD_LIMIT:
        raise Refusal("limit", file.name, f"a record of {record_length} bytes, an envelope of {envelope_length},"
                      f" in {payload_length} (byte {offset})")
    payload = file.read(offset + FRAME_HEADER, payload_length)
    if crc32c(cursor.data[:48], payload) != crc:
        raise Refusal("damaged", file.name, f"CRC32C of the record's frame at byte {offset}")
    if magic != b"PRF2":
        raise cursor.fail("malformed", "no record's frame")
    if any(reserved):
        raise cursor.fail("malformed", "reserved bytes")
    if header.suite == 0 and object_id != ZERO:
        raise cursor.fail("malformed", "an object id under cipher suite 0")
    return RecordFrame(offset, FRAME_HEADER + payload_length, object_id, payload, record_length, envelope_length)


def _decoded(payload: bytes, length: int, where: str) -> bytes:
    """Record and envelope from the encoded payload: a codec, then one block for both."""
    cursor = Cursor(payload, where)
    codec = cursor.u8()
    stored = cursor.take(cursor.remaining)
    if codec not in (STORED, LZ4):
        raise cursor.fail("unsupported", f"record codec {codec}")
    if (len(stored) != length) if codec == STORED else (len(stored) >= length):
        raise cursor.fail("malformed", f"{length} bytes in {len(stored)}")
    return stored if codec == STORED else lz4_block(stored, length, where)


def checked_table(data: bytes, magic: bytes, where: str) -> Cursor:
    """A table that ends in its CRC: the CRC is compared first, then the magic; gives the cursor after the magic."""
    if len(data) < len(magic) + 4 or crc32c(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise Refusal("damaged", where, "CRC32C of the table")
    cursor = Cursor(data[:-4], where)
    if cursor.take(len(magic)) != magic:
        raise cursor.fail("malformed", "another magic")
    return cursor
