#!/usr/bin/env python3
"""Estimates how far checkpoints compress, without the archive: filters of the format, in numpy.

usage: python estimate.py RUN...      (Python with numpy and lz4; prints one JSON document)

For each folder of safetensors files, the middle file is cut into chunks of 256 KiB, none crossing a
tensor, and coded by LZ4 in several ways; `delta` is against the file before it. Ratios are raw bytes
over coded bytes; a chunk that gains nothing counts as raw.

  lz4    LZ4 of the bytes as they are
  intra  bits: elements rotated left by one (exponents become whole bytes), bit transpose, LZ4
  delta  the least of intra and of the difference to the file before (floats as ordered integers,
         subtracted, zigzag) in bit planes or byte planes; an equal chunk costs nothing
  star4  a key file and three deltas against it, from `intra` and from deltas over 1, 2 and 3 files

A second opinion on the archive's own figures, and a check that the runs are like real ones.
"""
import json
import pathlib
import sys

import lz4.block
import numpy

from checkpoint_files import tensors

CHUNK = 256 * 1024
# Element size, and whether the elements are floats.
KINDS = {"F32": (4, True), "BF16": (2, True), "F16": (2, True), "I64": (8, False)}


def coded(payload, raw):
    return min(len(lz4.block.compress(payload, store_size=False)), len(raw))


def elements(raw, size):
    return numpy.frombuffer(raw, dtype=f"<u{size}")


def bits(values):
    """Bit planes of the elements, most significant first."""
    size = values.dtype.itemsize
    as_bytes = values.astype(f">u{size}").view(numpy.uint8).reshape(-1, size)
    return numpy.packbits(numpy.unpackbits(as_bytes, axis=1).T, axis=1).tobytes()


def planes(values):
    size = values.dtype.itemsize
    return [plane.tobytes() for plane in values.view(numpy.uint8).reshape(-1, size).T]


def intra(raw, size, is_float):
    values = elements(raw, size)
    if is_float:
        values = (values << values.dtype.type(1)) | (values >> values.dtype.type(8 * size - 1))
    return min(coded(bits(values), raw), coded(raw, raw))


def ordered(raw, size, is_float):
    """Floats as integers in the same order, so that neighbours differ by one."""
    values = elements(raw, size)
    if not is_float:
        return values
    top = values.dtype.type(1 << (8 * size - 1))
    return numpy.where(values & top, ~values + values.dtype.type(1) + top, values)


def delta(raw, before, size, is_float):
    if raw == before:
        return 0
    difference = ordered(raw, size, is_float) - ordered(before, size, is_float)
    signed = difference.view(f"<i{size}")
    zigzag = ((signed << 1) ^ (signed >> (8 * size - 1))).view(difference.dtype)
    by_planes = sum(coded(plane, plane) for plane in planes(zigzag))
    return min(by_planes, coded(bits(zigzag), raw))


def estimate(run):
    files = sorted(run.glob("*.safetensors"))
    middle = len(files) // 2
    older = [{name: content for name, _, content in tensors(files[middle - distance])}
             for distance in (1, 2, 3)]
    total = {"raw": 0, "lz4": 0, "intra": 0}
    deltas = [0, 0, 0]
    for name, kind, content in tensors(files[middle]):
        size, is_float = KINDS[kind]
        for start in range(0, len(content), CHUNK):
            raw = content[start:start + CHUNK]
            alone = intra(raw, size, is_float)
            total["raw"] += len(raw)
            total["lz4"] += coded(raw, raw)
            total["intra"] += alone
            for distance in range(3):
                before = older[distance][name][start:start + CHUNK]
                deltas[distance] += min(alone, delta(raw, before, size, is_float))
    return {"lz4": total["raw"] / total["lz4"], "intra": total["raw"] / total["intra"],
            "delta": total["raw"] / deltas[0],
            "star4": 4 * total["raw"] / (total["intra"] + sum(deltas))}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(json.dumps({pathlib.Path(run).name: estimate(pathlib.Path(run)) for run in sys.argv[1:]}))
