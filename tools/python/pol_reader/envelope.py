"""Envelopes: where a record's chunks are (spec/archive.md §5.3)."""

from dataclasses import dataclass

from .cursor import Cursor
from .frames import SUITES, RecordsHeader

PACK_NUMBER_LIMIT = 99_999_999


@dataclass(frozen=True)
class Place:
    """A frame by its pack and its number there; under suite 1 with the key that opens it."""

    pack: int
    frame: int
    key: bytes | None = None


# A frame, then the one that it is a delta against, and so on to a frame that is no delta.
Chain = tuple[Place, ...]


def parse_envelope(data: bytes, distinct: list[bytes], header: RecordsHeader, where: str) -> dict[bytes, Chain]:
    """The chain of each distinct chunk of a record; none is longer than the `records` file says."""
    cursor = Cursor(data, where)
    version, suite = cursor.u16(), cursor.u16()
    if version != 1 or suite not in SUITES:
        raise cursor.fail("unsupported", f"envelope version {version}, cipher suite {suite}")
    if suite != header.suite:
        raise cursor.fail("malformed", f"cipher suite {suite} in an archive of suite {header.suite}")
    count, ancestors = cursor.u32(), cursor.u32()
    if count != len(distinct):
        raise cursor.fail("malformed", f"an envelope of {count} chunks for a record with {len(distinct)}")
    total = count + ancestors
    if cursor.remaining != total * (44 if suite else 12):
        raise cursor.fail("malformed", f"{total} rows in {cursor.remaining} bytes")
    packs, numbers, parents = ([cursor.u32() for _ in range(total)] for _ in range(3))
    keys = [cursor.digest() if suite else None for _ in range(total)]
    if max(packs, default=0) > PACK_NUMBER_LIMIT:
        raise cursor.fail("limit", f"pack number {max(packs)} has more than eight digits")
    chains: list[Chain] = [()] * total
    # Ancestors first, in order: each stands after its own parent.
    for row in (*range(count, total), *range(count)):
        parent = parents[row]
        known = row - count if row >= count else ancestors
        if parent > known:
            raise cursor.fail("malformed", f"row {row} is a delta against ancestor {parent}, of {known} before it")
        before = chains[count + parent - 1] if parent else ()
        if len(before) > header.depth:
            raise cursor.fail("malformed", f"row {row} has a chain of {len(before)} deltas, at most {header.depth}")
        chains[row] = (Place(packs[row], numbers[row], keys[row]), *before)
    if set(range(1, ancestors + 1)) - set(parents):
        raise cursor.fail("malformed", "an ancestor that no row names")
    return dict(zip(distinct, chains))
