"""Chunk payloads into raw bytes, written from spec/filters.md alone."""

import struct

import lz4.block  # type: ignore[import-untyped]
import numpy
from numpy.typing import NDArray

from .refusal import Refusal

Elements = NDArray[numpy.unsignedinteger]  # of the chunk's element size, little-endian

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


def from_bit_planes(rest: Rest, size: int, count: int) -> Elements:
    """§5."""
    length = count // 8
    mask = int.from_bytes(rest.take(size, "the mask"), "little")
    tail = rest.take(count % 8 * size, "the tail")
    plain = Rest(rest.take((8 * size - mask.bit_count()) * length, "the plain planes"), rest.where)
    coded = Rest(block(rest.data, mask.bit_count() * length, rest.where), rest.where)
    mapped = numpy.zeros(8 * length, f"<u{size}")
    for bit in range(8 * size):
        plane = (coded if mask >> bit & 1 else plain).take(length, "a plane")
        bits = numpy.unpackbits(numpy.frombuffer(plane, numpy.uint8), bitorder="little")
        mapped |= bits.astype(mapped.dtype) << mapped.dtype.type(bit)
    return numpy.concatenate([mapped, numpy.frombuffer(tail, mapped.dtype)])


def from_byte_planes(rest: Rest, size: int, count: int) -> Elements:
    """§6."""
    planes = []
    for length in struct.unpack(f"<{size}I", rest.take(4 * size, "the lengths")):
        if length > count:
            raise Refusal("malformed", rest.where, f"a plane of {length} bytes for {count}")
        stored = rest.take(length, "a plane")
        planes.append(stored if length == count else block(stored, count, rest.where))
    if rest.data:
        raise Refusal("malformed", rest.where, f"{len(rest.data)} bytes after the last plane")
    columns = [numpy.frombuffer(plane, numpy.uint8) for plane in planes]
    return numpy.ascontiguousarray(numpy.stack(columns, axis=1)).view(f"<u{size}").reshape(count)


def unmapped(mapped: Elements, size: int, is_float: bool, parent: bytes | None) -> bytes:
    """§4, backwards. Unsigned elements wrap around."""
    one, top = mapped.dtype.type(1), mapped.dtype.type(8 * size - 1)
    ones = ~mapped.dtype.type(0)

    def in_order(value: Elements) -> Elements:
        return numpy.where(value >> top == one, value ^ (ones >> one), value) if is_float else value

    if parent is None:
        raw = value_rotated(mapped, one, top) if is_float else mapped
    else:
        older = numpy.frombuffer(parent, mapped.dtype)
        differences = (mapped >> one) ^ numpy.where(mapped & one == one, ones, ones ^ ones)
        raw = in_order(in_order(older) + differences)
    return raw.astype(mapped.dtype).tobytes()


def value_rotated(mapped: Elements, one: numpy.unsignedinteger, top: numpy.unsignedinteger) -> Elements:
    return (mapped >> one) | ((mapped & one) << top)
