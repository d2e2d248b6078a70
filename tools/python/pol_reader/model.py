"""Tensor and model digests (spec/dataset.md §5)."""

from collections.abc import Iterable

from .hashing import tagged


def tensor_digest(element_type: int, shape: tuple[int, ...], raw: Iterable[bytes]) -> bytes:
    dimensions = b"".join(each.to_bytes(8, "little") for each in shape)
    return tagged("tensor", bytes([element_type, len(shape)]), dimensions, *raw)


def model_digest(tensors: Iterable[tuple[bytes, bytes]]) -> bytes:
    """From (name, tensor digest) of all weights and buffers, in any order."""
    rows = sorted(tensors)
    names = b"".join(len(name).to_bytes(2, "little") + name + digest for name, digest in rows)
    return tagged("model", len(rows).to_bytes(4, "little"), names)
