"""LZ4 blocks of a stated length (spec/archive.md §5)."""

import lz4.block  # type: ignore[import-untyped]

from .refusal import Refusal


def expand(block: bytes, length: int, where: str) -> bytes:
    """Exactly `length` bytes, more than the block has; the claim is compared before anything is allocated for it."""
    if length <= len(block):
        raise Refusal("malformed", where, f"{length} bytes grew to {len(block)}")
    if length > 255 * len(block):
        raise Refusal("limit", where, f"{length} bytes from {len(block)}")
    try:
        raw: bytes = lz4.block.decompress(block, uncompressed_size=length)
    except lz4.block.LZ4BlockError:
        raise Refusal("malformed", where, "not an LZ4 block of that length") from None
    if len(raw) != length:
        raise Refusal("malformed", where, f"the LZ4 block holds {len(raw)} bytes, not {length}")
    return raw
