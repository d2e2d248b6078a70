"""Packs, their frames and their indexes (spec/archive.md §5.1, §5.2)."""

from dataclasses import dataclass

from .cursor import Cursor
from .filters import CODECS, DELTA_PLANES
from .filters import decode as decode_payload
from .folder import PlainFile
from .frames import checked_table
from .hashing import crc32c, tagged
from .refusal import Refusal

PACK_LIMIT = 1 << 30
FRAME_HEADER = 16
TAG = 16


def stored_id(archive_id: bytes, chunk: bytes) -> bytes:
    return tagged("stored-id", archive_id, chunk)


@dataclass(frozen=True)
class FramePlace:
    offset: int
    length: int


@dataclass(frozen=True)
class PackIndex:
    """Stored id and place of each frame, in order of place."""

    ids: list[bytes]
    places: list[FramePlace]


# A pack, the places of its frames, and its index where it has one.
OpenPack = tuple[PlainFile, list[FramePlace], PackIndex | None]


def parse_index(data: bytes, number: int, pack: PlainFile, chunk_size: int, where: str) -> PackIndex:
    """What the index says of itself first; then the pack must have the length that it gives (§8)."""
    cursor = checked_table(data, b"polpidx1", where)
    found, count, pack_length = cursor.u32(), cursor.u32(), cursor.u64()
    if found != number:
        raise cursor.fail("malformed", f"index of pack {found}")
    if pack_length > PACK_LIMIT:
        raise cursor.fail("limit", f"a pack of {pack_length} bytes")
    if count * 36 != cursor.remaining:
        raise cursor.fail("malformed", f"{count} rows in {cursor.remaining} bytes")
    ids: list[bytes] = []
    places: list[FramePlace] = []
    offset = 16
    for _ in range(count):
        ids.append(cursor.digest())
        length = cursor.u32()
        if length > FRAME_HEADER + chunk_size + TAG:
            raise cursor.fail("limit", f"a frame of {length} bytes")
        if length <= FRAME_HEADER:
            raise cursor.fail("malformed", f"a frame of {length} bytes")
        places.append(FramePlace(offset, length))
        offset += length
    if offset != pack_length:
        raise cursor.fail("malformed", f"frames end at {offset}, the pack at {pack_length}")
    if len(set(ids)) != count:
        raise cursor.fail("malformed", "a stored id stands twice")
    if pack_length != pack.length:
        raise Refusal("damaged", pack.name, f"{pack.length} bytes, its index says {pack_length}")
    return PackIndex(ids, places)


def check_pack_header(pack: PlainFile, number: int) -> None:
    if pack.length > PACK_LIMIT:
        raise Refusal("limit", pack.name, f"{pack.length} bytes")
    cursor = Cursor(pack.read(0, 16), pack.name)
    if (cursor.take(8), cursor.u32(), cursor.u32()) != (b"polpack1", number, 0):
        raise cursor.fail("malformed", "another magic or pack number, or reserved bytes")


@dataclass(frozen=True)
class Frame:
    codec: int
    parameter: int
    raw_length: int
    payload: bytes

    @property
    def is_delta(self) -> bool:
        return self.codec >= DELTA_PLANES


def parse_frame(data: bytes, chunk_size: int, overhead: int, where: str) -> Frame:
    """The CRC, then the fields, of exactly one frame (§5.1); `overhead` is what encryption adds to a payload."""
    cursor = Cursor(data, where)
    magic, codec, parameter = cursor.take(2), cursor.u8(), cursor.u8()
    payload_length, raw_length, crc = cursor.u32(), cursor.u32(), cursor.u32()
    payload = data[FRAME_HEADER:]
    if crc32c(data[:12], payload) != crc:
        raise Refusal("damaged", where, "CRC32C of a frame")
    if magic != b"PC":
        raise cursor.fail("malformed", "no frame")
    if codec not in CODECS:
        raise cursor.fail("unsupported", f"codec {codec}")
    if raw_length > chunk_size or payload_length > chunk_size + overhead:
        raise cursor.fail("limit", f"a chunk of {raw_length} bytes in {payload_length}, at most {chunk_size}")
    if raw_length == 0 or payload_length <= overhead or payload_length != len(payload):
        raise cursor.fail("malformed", f"{payload_length} bytes stated, {len(payload)} there, for {raw_length}")
    return Frame(codec, parameter, raw_length, payload)


def decode(frame: Frame, parent: bytes | None, chunk_size: int, where: str) -> bytes:
    """Raw bytes of a chunk; `parent` are those that a delta is against."""
    return decode_payload(frame.codec, frame.parameter, frame.payload, frame.raw_length, parent, chunk_size, where)


def scan_pack(pack: PlainFile, chunk_size: int) -> list[FramePlace]:
    """Places of all frames, by their headers, from the start of the file to its end."""
    places: list[FramePlace] = []
    offset = 16
    while offset < pack.length:
        header = Cursor(pack.read(offset, FRAME_HEADER), pack.name)
        header.take(4)
        payload_length = header.u32()
        if payload_length > chunk_size + TAG:
            raise Refusal("limit", pack.name, f"a payload of {payload_length} bytes (byte {offset})")
        if offset + FRAME_HEADER + payload_length > pack.length:
            raise Refusal("damaged", pack.name, f"the frame at {offset} passes the end")
        places.append(FramePlace(offset, FRAME_HEADER + payload_length))
        offset = places[-1].offset + places[-1].length
    return places
