"""Norms of an update, in the order of archive.md §3.5."""

import math
import struct
from collections.abc import Iterable, Iterator

from .tensors import BF16, F16, F32, F64

FORMATS = {F16: "e", F32: "f", F64: "d"}
FLOATS = (F16, BF16, F32, F64)
NAN = 0x7FF8000000000000


def widen(element_type: int, data: bytes) -> list[float]:
    """Elements as float64, which is exact for all four types."""
    if element_type == BF16:
        data = b"".join(b"\x00\x00" + data[i:i + 2] for i in range(0, len(data), 2))
        element_type = F32
    code = FORMATS[element_type]
    return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))


class NormSums:
    """Eight lanes for a tensor, totals over tensors; plain float64 additions and multiplications."""

    def __init__(self) -> None:
        self.l1 = self.l2 = self.weights = self.linf = 0.0
        self.nan = False

    def add_tensor(self, pieces: Iterable[tuple[list[float], list[float]]]) -> None:
        """(before, after) pieces of one tensor, in order."""
        l1, l2, weights = [0.0] * 8, [0.0] * 8, [0.0] * 8
        lane = 0
        for before, after in pieces:
            for a, b in zip(before, after):
                d = b - a
                magnitude = abs(d)
                l1[lane] += magnitude
                l2[lane] += d * d
                weights[lane] += a * a
                if magnitude > self.linf:
                    self.linf = magnitude
                elif d != d or a != a:
                    self.nan = True
                lane = (lane + 1) & 7
        self.l1 += self._fold(l1)
        self.l2 += self._fold(l2)
        self.weights += self._fold(weights)

    @staticmethod
    def _fold(lanes: list[float]) -> float:
        total = lanes[0]
        for each in lanes[1:]:
            total = total + each
        return total

    def bits(self) -> tuple[int, int, int, int]:
        if self.nan:
            return (NAN, NAN, NAN, NAN)
        values = (self.l1, math.sqrt(self.l2), self.linf, math.sqrt(self.weights))
        l1, l2, linf, weights = (int.from_bytes(struct.pack("<d", each), "little") for each in values)
        return (l1, l2, linf, weights)


def norms(tensors: Iterable[Iterator[tuple[list[float], list[float]]]]) -> tuple[int, int, int, int]:
    sums = NormSums()
    for pieces in tensors:
        sums.add_tensor(pieces)
    return sums.bits()
