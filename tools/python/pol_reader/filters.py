"""Chunk payloads into raw bytes, written from spec/filters.md alone; one element after the other."""

import struct

import lz4.block  # type: ignore[import-untyped]

from .refusal import Refusal

STORED, LZ4, CONSTANT, BITS, DELTA_PLANES, DELTA_BITS = 0, 1, 2, 3, 16, 17
CODECS = (STORED, LZ4, CONSTANT, BITS, DELTA_PLANES, DELTA_BITS)
EXPANSION = 255


class Rest:
    """What is left of a payload."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where = data, where

    def take(self, count: int, what: str) -> bytes:
        if count > len(self.data):
            raise Refusal("malformed", self.where, f"{what} wants {count} bytes, {len(self.data)} are left")
        taken, self.data = self.data[:count], self.data[count:]
        return taken


def decode(codec: int, parameter: int, payload: bytes, raw_length: int, parent: bytes | None,
           chunk_size: int, where: str) -> bytes:
    """The raw bytes; the checks are in the order of §7."""
    if codec not in CODECS:
        raise Refusal("unsupported", where, f"codec {codec}")
    if max(raw_length, len(payload)) > chunk_size:
        raise Refusal("limit", where, f"{raw_length} bytes in {len(payload)}, at most {chunk_size}")
    if raw_length == 0:
        raise Refusal("malformed", where, "an empty chunk")
    size = parameter & 127
    if (codec in (STORED, LZ4)) != (parameter == 0) or codec not in (STORED, LZ4) and size not in (1, 2, 4, 8):
        raise Refusal("malformed", where, f"parameter {parameter} of codec {codec}")
    if size and raw_length % size:
        raise Refusal("malformed", where, f"{raw_length} bytes in elements of {size}")
    if (codec >= DELTA_PLANES) != (parent is not None) or parent is not None and len(parent) != raw_length:
        raise Refusal("malformed", where, "a delta and only a delta has a parent, as long as itself")
    if (len(payload) != raw_length) if codec == STORED else (len(payload) >= raw_length):
        raise Refusal("malformed", where, f"{raw_length} bytes in {len(payload)}")
    if codec == STORED:
        return payload
    if codec == LZ4:
        return block(payload, raw_length, where)
    if codec == CONSTANT:
        if len(payload) != size:
            raise Refusal("malformed", where, f"an element of {len(payload)} bytes, not {size}")
        return payload * (raw_length // size)
    count = raw_length // size
    rest = Rest(payload, where)
    mapped = from_bit_planes(rest, size, count) if codec in (BITS, DELTA_BITS) else from_byte_planes(rest, size, count)
    return unmapped(mapped, size, parameter >= 128, parent)


def block(data: bytes, length: int, where: str) -> bytes:
    """An LZ4 block of exactly `length` bytes."""
    if length > EXPANSION * len(data):
        raise Refusal("limit", where, f"{length} bytes from an LZ4 block of {len(data)}")
    try:
        raw: bytes = lz4.block.decompress(data, uncompressed_size=length)
    except lz4.block.LZ4BlockError:
        raise Refusal("malformed", where, f"not an LZ4 block of {length} bytes") from None
    if len(raw) != length:
        raise Refusal("malformed", where, f"an LZ4 block of {len(raw)} bytes, not {length}")
    return raw


def from_bit_planes(rest: Rest, size: int, count: int) -> list[int]:
    """§5."""
    length = count // 8
    mask = int.from_bytes(rest.take(size, "the mask"), "little")
    tail = rest.take(count % 8 * size, "the tail")
    plain = Rest(rest.take((8 * size - mask.bit_count()) * length, "the plain planes"), rest.where)
    coded = Rest(block(rest.data, mask.bit_count() * length, rest.where), rest.where)
    mapped = [0] * (8 * length)
    for bit in range(8 * size):
        plane = (coded if mask >> bit & 1 else plain).take(length, "a plane")
        for i in range(8 * length):
            mapped[i] |= (plane[i // 8] >> i % 8 & 1) << bit
    return mapped + integers(tail, size)


def from_byte_planes(rest: Rest, size: int, count: int) -> list[int]:
    """§6."""
    planes = []
    for length in struct.unpack(f"<{size}I", rest.take(4 * size, "the lengths")):
        if length > count:
            raise Refusal("malformed", rest.where, f"a plane of {length} bytes for {count}")
        stored = rest.take(length, "a plane")
        planes.append(stored if length == count else block(stored, count, rest.where))
    if rest.data:
        raise Refusal("malformed", rest.where, f"{len(rest.data)} bytes after the last plane")
    return [int.from_bytes(bytes(element), "little") for element in zip(*planes)]


def integers(data: bytes, size: int) -> list[int]:
    return [int.from_bytes(data[i:i + size], "little") for i in range(0, len(data), size)]


def unmapped(mapped: list[int], size: int, is_float: bool, parent: bytes | None) -> bytes:
    """§4, backwards."""
    bits = 8 * size
    ones = (1 << bits) - 1

    def in_order(value: int) -> int:
        return value ^ ones >> 1 if is_float and value >> bits - 1 else value

    if parent is None:
        raw = [value >> 1 | (value & 1) << bits - 1 if is_float else value for value in mapped]
    else:
        differences = [value >> 1 ^ (ones if value & 1 else 0) for value in mapped]
        raw = [in_order(in_order(older) + difference & ones)
               for older, difference in zip(integers(parent, size), differences)]
    return b"".join(value.to_bytes(size, "little") for value in raw)
