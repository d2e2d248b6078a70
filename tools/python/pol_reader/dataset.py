"""Data points, dataset signatures and their tree (spec/dataset.md)."""

import hashlib
import hmac
from dataclasses import dataclass

from .access import Access
from .cursor import Cursor
from .encryption import DATA_POINT, TAG
from .folder import Folder
from .hashing import TreeBuilder, leaf_hash, root_of_leaf_hashes, tagged
from .refusal import Refusal
from .tensors import ELEMENT_TYPES

ELEMENTS_LIMIT = 64 << 20
POINT_LIMIT = ELEMENTS_LIMIT + 2 + 8 * 4 + 8


@dataclass(frozen=True)
class DataPoint:
    element_type: int
    shape: tuple[int, ...]
    elements: bytes
    label: int


def parse_point(data: bytes, where: str = "point") -> DataPoint:
    """Canonical bytes of a point (§2)."""
    cursor = Cursor(data, where)
    element_type, rank = cursor.u8(), cursor.u8()
    if element_type not in ELEMENT_TYPES:
        raise cursor.fail("malformed", f"element type {element_type}")
    if rank > 8:
        raise cursor.fail("limit", f"rank {rank}")
    shape = tuple(cursor.u32() for _ in range(rank))
    count = ELEMENT_TYPES[element_type][1]
    for dimension in shape:
        count *= dimension
    if count > ELEMENTS_LIMIT:
        raise cursor.fail("limit", f"{count} bytes of elements")
    point = DataPoint(element_type, shape, cursor.take(count), int.from_bytes(cursor.take(8), "little", signed=True))
    cursor.finish()
    return point


def salt(secret: bytes, index: int) -> bytes:
    return hmac.new(secret, b"pol/v1/data-salt\n" + index.to_bytes(8, "little"), hashlib.sha256).digest()


def signature(point_salt: bytes, canonical: bytes) -> bytes:
    return tagged("data-point", point_salt, len(canonical).to_bytes(8, "little"), canonical)


def tree_levels(count: int) -> list[int]:
    """Hashes in tree.0, tree.1, ... (§4)."""
    levels = []
    while count:
        levels.append(count)
        count //= 256
    return levels


class Dataset:
    """The folder `dataset/`, checked against record 0's root and count; keeps only `tree.0` in memory."""

    def __init__(self, folder: Folder, count: int, root: bytes, access: Access) -> None:
        self.count = count
        self.access = access
        self.leaves: list[bytes] = []
        previous: list[bytes] = []
        for level, expected in enumerate(tree_levels(count)):
            hashes = self._hashes(folder, f"dataset/tree.{level}", expected)
            if level == 0:
                if root_of_leaf_hashes(hashes) != root:
                    raise Refusal("damaged", "dataset/tree.0", "the leaves do not give the dataset root")
                self.leaves = hashes
            elif hashes != [root_of_leaf_hashes(previous[i * 256:i * 256 + 256]) for i in range(expected)]:
                raise Refusal("damaged", f"dataset/tree.{level}", "not the roots of the level below")
            previous = hashes
        self._check_points(folder)

    @staticmethod
    def _hashes(folder: Folder, name: str, count: int) -> list[bytes]:
        with folder.open(name) as file:
            if file.length != 32 * count:
                raise Refusal("damaged", name, f"{file.length} bytes, not {32 * count}")
            data = file.read(0, file.length)
        return [data[i:i + 32] for i in range(0, len(data), 32)]

    def _check_points(self, folder: Folder) -> None:
        with folder.open("dataset/offsets") as offsets, folder.open("dataset/points") as points:
            if offsets.length != 8 * (self.count + 1):
                raise Refusal("damaged", offsets.name, f"{offsets.length} bytes for {self.count} points")
            data = offsets.read(0, offsets.length)
            places = [int.from_bytes(data[i:i + 8], "little") for i in range(0, len(data), 8)]
            if places[0] != 0 or any(a >= b for a, b in zip(places, places[1:])):
                raise Refusal("malformed", offsets.name, "offsets do not increase from 0")
            if places[-1] != points.length:
                raise Refusal("malformed", offsets.name, f"ends at {places[-1]}, points at {points.length}")
            for index, (start, end) in enumerate(zip(places, places[1:])):
                if end - start > 32 + POINT_LIMIT + (32 + TAG if self.access.suite else 0):
                    raise Refusal("limit", offsets.name, f"point {index} has {end - start} bytes")
                if not self.access.covers(DATA_POINT, index):
                    continue
                stored = self.access.point(index, points.read(start, end - start), points.name)
                if leaf_hash(signature(stored[:32], stored[32:])) != self.leaves[index]:
                    raise Refusal("damaged", points.name, f"point {index} is not the committed one")
                parse_point(stored[32:], points.name)

    def signature_root(self, indices: list[int]) -> bytes:
        """Root over the signatures of these points: `tree.0` already holds their leaf hashes (archive.md §3.3)."""
        return root_of_leaf_hashes(self.leaves[index] for index in indices)


class HeldDataset:
    """The points that a folder of segments holds, by their path to record 0's root; reads tiles of 256 hashes."""

    def __init__(self, folder: Folder, count: int, root: bytes, access: Access) -> None:
        self.access = access
        self.checked: dict[int, bytes] = {}
        self._folder, self._levels = folder, tree_levels(count)
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._count, self._root, self._is_rooted = count, root, False

    def _edge_start(self, level: int) -> int:
        """From here on no hash of the level above stands for this level's."""
        return 256 * self._levels[level + 1] if level + 1 < len(self._levels) else 0

    def _read(self, level: int, first: int) -> list[bytes]:
        count = min(256, self._levels[level] - first)
        with self._folder.open(f"dataset/tree.{level}") as file:
            if file.length != 32 * self._levels[level]:
                raise Refusal("damaged", file.name, f"{file.length} bytes, not {32 * self._levels[level]}")
            data = file.read(32 * first, 32 * count)
        return [data[i:i + 32] for i in range(0, len(data), 32)]

    def _check_root(self) -> None:
        """The tree's right edge: what of each level is under no hash of the next one gives the root."""
        tree = TreeBuilder()
        for level in reversed(range(len(self._levels))):
            start = self._edge_start(level)
            if start < self._levels[level]:
                self._tiles[level, start // 256] = hashes = self._read(level, start)
                for each in hashes:
                    tree.add(each, 8 * level)
        if tree.root() != self._root:
            raise Refusal("damaged", "dataset/tree.0", "the leaves do not give the dataset root")
        self._is_rooted = True

    def _hash(self, level: int, index: int) -> bytes:
        tile = index // 256
        if (level, tile) not in self._tiles:
            hashes = self._read(level, 256 * tile)
            if root_of_leaf_hashes(hashes) != self._hash(level + 1, tile):
                raise Refusal("damaged", f"dataset/tree.{level}", f"tile {tile} is not under the dataset root")
            self._tiles[level, tile] = hashes
        return self._tiles[level, tile][index % 256]

    def check(self, indices: list[int]) -> None:
        if indices and not self._is_rooted:
            self._check_root()
        for index in indices:
            if index not in self.checked:
                self._check_point(index, self._hash(0, index))

    def _check_point(self, index: int, leaf: bytes) -> None:
        with self._folder.open("dataset/offsets") as offsets, self._folder.open("dataset/points") as points:
            if offsets.length != 8 * (self._count + 1):
                raise Refusal("damaged", offsets.name, f"{offsets.length} bytes for {self._count} points")
            data = offsets.read(8 * index, 16)
            start, end = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
            if start >= end:
                raise Refusal("malformed", offsets.name, "offsets do not increase")
            if end - start > 32 + POINT_LIMIT + (32 + TAG if self.access.suite else 0):
                raise Refusal("limit", offsets.name, f"point {index} has {end - start} bytes")
            stored = self.access.point(index, points.read(start, end - start), points.name)
            if leaf_hash(signature(stored[:32], stored[32:])) != leaf:
                raise Refusal("damaged", points.name, f"point {index} is not the committed one")
            parse_point(stored[32:], points.name)
            self.checked[index] = leaf

    def signature_root(self, indices: list[int]) -> bytes:
        return root_of_leaf_hashes(self.checked[index] for index in indices)
