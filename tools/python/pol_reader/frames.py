"""The `records` file, envelopes, packs and pack indexes (spec/archive.md §5)."""

from dataclasses import dataclass

import lz4.block  # type: ignore[import-untyped]

from .cursor import Cursor
from .folder import PlainFile
from .hashing import crc32c, sha256, tagged
from .records import BODY_LIMIT, HEADER_LENGTH
from .refusal import Refusal

RECORD_LIMIT = BODY_LIMIT + HEADER_LENGTH
ENVELOPE_LIMIT = 64 << 20
PACK_LIMIT = 1 << 30
FRAME_HEADER = 16


def stored_id(archive_id: bytes, chunk: bytes) -> bytes:
    return tagged("stored-id", archive_id, chunk)


@dataclass(frozen=True)
class RecordFrame:
    offset: int
    record: bytes
    envelope: bytes

    @property
    def length(self) -> int:
        return FRAME_HEADER + len(self.record) + len(self.envelope)


def read_record_frame(file: PlainFile, offset: int) -> RecordFrame:
    """Stated maxima, then the file's length, then the CRC, then what the bytes say (§5.4, §8)."""
    cursor = Cursor(file.read(offset, FRAME_HEADER), file.name)
    magic, record_length, envelope_length, crc = cursor.take(4), cursor.u32(), cursor.u32(), cursor.u32()
    if record_length > RECORD_LIMIT or envelope_length > ENVELOPE_LIMIT:
        raise Refusal("limit", file.name, f"a record of {record_length} bytes, an envelope of {envelope_length}"
                      f" (byte {offset})")
    data = file.read(offset + FRAME_HEADER, record_length + envelope_length)
    if crc32c(cursor.data[:12], data) != crc:
        raise Refusal("damaged", file.name, f"CRC32C of the record's frame at byte {offset}")
    if magic != b"PRF1":
        raise Refusal("malformed", file.name, f"no record's frame at byte {offset}")
    return RecordFrame(offset, data[:record_length], data[record_length:])


def parse_envelope(envelope: bytes, archive_id: bytes, distinct: list[bytes], where: str) -> dict[bytes, int]:
    """Pack number of each distinct chunk of a record (§5.3)."""
    cursor = Cursor(envelope, where)
    version, suite = cursor.u16(), cursor.u16()
    if version != 1 or suite != 0:
        raise cursor.fail("unsupported", f"envelope version {version}, cipher suite {suite}")
    count = cursor.u32()
    if count != len(distinct):
        raise cursor.fail("malformed", f"an envelope of {count} chunks for a record with {len(distinct)}")
    packs = {}
    for digest in distinct:
        if cursor.digest() != stored_id(archive_id, digest):
            raise cursor.fail("malformed", "a stored id is not that of the record's chunk")
        packs[digest] = cursor.u32()
    cursor.finish()
    return packs


@dataclass(frozen=True)
class IndexRow:
    stored_id: bytes
    offset: int
    length: int


def checked_table(data: bytes, magic: bytes, where: str) -> Cursor:
    """A table that ends in its CRC: the CRC is compared first, then the magic; gives the cursor after the magic."""
    if len(data) < len(magic) + 4 or crc32c(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise Refusal("damaged", where, "CRC32C of the table")
    cursor = Cursor(data[:-4], where)
    if cursor.take(len(magic)) != magic:
        raise cursor.fail("malformed", "another magic")
    return cursor


def parse_index(data: bytes, number: int, pack: PlainFile, where: str) -> dict[bytes, IndexRow]:
    cursor = checked_table(data, b"polpidx1", where)
    found, count, pack_length = cursor.u32(), cursor.u32(), cursor.u64()
    if found != number:
        raise cursor.fail("malformed", f"index of pack {found}")
    if pack_length > PACK_LIMIT:
        raise cursor.fail("limit", f"a pack of {pack_length} bytes")
    if pack_length != pack.length:
        raise Refusal("damaged", pack.name, f"{pack.length} bytes, its index says {pack_length}")
    if count * 40 != cursor.remaining:
        raise cursor.fail("malformed", f"{count} rows in {cursor.remaining} bytes")
    rows: dict[bytes, IndexRow] = {}
    last = b""
    for _ in range(count):
        row = IndexRow(cursor.digest(), cursor.u32(), cursor.u32())
        if row.stored_id <= last:
            raise cursor.fail("malformed", "rows are not in order of stored id, each once")
        if row.offset < 16 or row.length <= FRAME_HEADER or row.offset + row.length > pack_length:
            raise cursor.fail("malformed", f"frame at {row.offset}+{row.length} of a pack of {pack_length} bytes")
        rows[row.stored_id] = row
        last = row.stored_id
    return rows


def check_pack_header(pack: PlainFile, number: int) -> None:
    if pack.length > PACK_LIMIT:
        raise Refusal("limit", pack.name, f"{pack.length} bytes")
    cursor = Cursor(pack.read(0, 16), pack.name)
    if (cursor.take(8), cursor.u32(), cursor.u32()) != (b"polpack1", number, 0):
        raise cursor.fail("malformed", "another magic or pack number, or reserved bytes")


def decode_frame(frame: bytes, chunk_size: int, where: str) -> bytes:
    """Raw bytes of a chunk from exactly its frame (§5.1)."""
    cursor = Cursor(frame, where)
    magic, codec, parameter = cursor.take(2), cursor.u8(), cursor.u8()
    payload_length, raw_length, crc = cursor.u32(), cursor.u32(), cursor.u32()
    payload = frame[FRAME_HEADER:]
    if crc32c(frame[:12], payload) != crc:
        raise Refusal("damaged", where, "CRC32C of a frame")
    if magic != b"PC":
        raise cursor.fail("malformed", "no frame")
    if codec > 1:
        raise cursor.fail("unsupported", f"codec {codec}")
    if raw_length > chunk_size or payload_length > chunk_size:
        raise cursor.fail("limit", f"a chunk of {raw_length} bytes in {payload_length}, at most {chunk_size}")
    if parameter != 0 or raw_length == 0 or payload_length == 0 or payload_length != len(payload):
        raise cursor.fail("malformed", f"frame fields {parameter}, {payload_length}, {raw_length}")
    if codec == 0:
        if raw_length != payload_length:
            raise cursor.fail("malformed", f"{payload_length} stored bytes for {raw_length}")
        return payload
    if raw_length <= payload_length:
        raise cursor.fail("malformed", f"{raw_length} bytes grew to {payload_length}")
    if raw_length > 255 * payload_length:
        raise cursor.fail("limit", f"{raw_length} bytes from {payload_length}")
    try:
        raw: bytes = lz4.block.decompress(payload, uncompressed_size=raw_length)
    except lz4.block.LZ4BlockError:
        raise cursor.fail("malformed", "not an LZ4 block of that length") from None
    if len(raw) != raw_length:
        raise cursor.fail("malformed", f"the LZ4 block holds {len(raw)} bytes, not {raw_length}")
    return raw


def scan_pack(pack: PlainFile, chunk_size: int, archive_id: bytes) -> dict[bytes, IndexRow]:
    """The rows that a pack's index must have: decodes every frame from the start of the file to its end."""
    rows: dict[bytes, IndexRow] = {}
    offset = 16
    while offset < pack.length:
        header = Cursor(pack.read(offset, FRAME_HEADER), pack.name)
        header.take(4)
        payload_length = header.u32()
        if payload_length > chunk_size:
            raise Refusal("limit", pack.name, f"a payload of {payload_length} bytes (byte {offset})")
        frame = pack.read(offset, FRAME_HEADER + payload_length)
        identity = stored_id(archive_id, sha256(decode_frame(frame, chunk_size, pack.name)))
        if identity in rows:
            raise Refusal("malformed", pack.name, f"a chunk stored twice (byte {offset})")
        rows[identity] = IndexRow(identity, offset, len(frame))
        offset += len(frame)
    return rows
