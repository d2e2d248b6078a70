"""Element types, tensors and their canonical chunks (spec/archive.md §3.4, §4)."""

from dataclasses import dataclass

# code -> (name, bytes of an element)
ELEMENT_TYPES: dict[int, tuple[str, int]] = {
    1: ("BOOL", 1), 2: ("U8", 1), 3: ("I8", 1), 4: ("F8_E5M2", 1), 5: ("F8_E4M3", 1), 6: ("I16", 2), 7: ("U16", 2),
    8: ("F16", 2), 9: ("BF16", 2), 10: ("I32", 4), 11: ("U32", 4), 12: ("F32", 4), 13: ("I64", 8), 14: ("U64", 8),
    15: ("F64", 8),
}
F16, BF16, F32, F64 = 8, 9, 12, 15
ROLES = ("weight", "buffer", "optimizer", "random", "counter")
WEIGHT, BUFFER = 0, 1


@dataclass(frozen=True)
class Tensor:
    """A row of a tensor table: names content, and the place of its first byte in the list of chunks."""

    name: bytes
    role: int
    element_type: int
    shape: tuple[int, ...]
    first_chunk: int
    offset: int

    @property
    def byte_count(self) -> int:
        count = ELEMENT_TYPES[self.element_type][1]
        for dimension in self.shape:
            count *= dimension
        return count


@dataclass(frozen=True)
class Layout:
    """What §4 computes: for each tensor (in the order given) its place, and the length of every chunk."""

    places: list[tuple[int, int]]
    chunk_lengths: list[int]


def canonical_layout(tensors: list[Tensor], chunk_size: int, small_limit: int) -> Layout:
    places: list[tuple[int, int]] = [(0, 0)] * len(tensors)
    lengths: list[int] = []

    def run(members: list[int]) -> None:
        """One run of bytes: the members without gaps, cut into pieces."""
        first, position = len(lengths), 0
        for index in members:
            places[index] = (first + position // chunk_size, position % chunk_size)
            position += tensors[index].byte_count
        whole, rest = divmod(position, chunk_size)
        lengths.extend([chunk_size] * whole + ([rest] if rest else []))

    for role in range(len(ROLES)):
        mine = sorted((i for i, each in enumerate(tensors) if each.role == role), key=lambda i: tensors[i].name)
        for index in mine:
            if tensors[index].byte_count >= small_limit:
                run([index])
        for element_type in ELEMENT_TYPES:
            run([i for i in mine
                 if tensors[i].element_type == element_type and tensors[i].byte_count < small_limit])
    return Layout(places, lengths)


def tensor_pieces(tensor: Tensor, chunk_size: int) -> list[tuple[int, int, int]]:
    """(chunk, start, end) for each piece of a tensor's bytes."""
    pieces = []
    chunk, start, left = tensor.first_chunk, tensor.offset, tensor.byte_count
    while left:
        count = min(left, chunk_size - start)
        pieces.append((chunk, start, start + count))
        chunk, start, left = chunk + 1, 0, left - count
    return pieces
