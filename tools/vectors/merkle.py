#!/usr/bin/env python3
"""Writes testvectors/merkle/*.json: trees and proofs of RFC 6962 section 2.1, by its recursive words.

Shares nothing with the Swift code, which folds ranges and shifts positions instead of recursing.
Run from the root of the repository; running it again gives the same bytes.
"""

import hashlib
import json
import pathlib

OUT = pathlib.Path("testvectors/merkle")


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def mth(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = split(len(leaves))
    return hashlib.sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m, leaves):
    n = len(leaves)
    if n == 1:
        return []
    k = split(n)
    if m < k:
        return path(m, leaves[:k]) + [mth(leaves[k:])]
    return path(m - k, leaves[k:]) + [mth(leaves[:k])]


def subproof(m, leaves, whole):
    n = len(leaves)
    if m == n:
        return [] if whole else [mth(leaves)]
    k = split(n)
    if m <= k:
        return subproof(m, leaves[:k], whole) + [mth(leaves[k:])]
    return subproof(m - k, leaves[k:], False) + [mth(leaves[:k])]


def data(i):
    return b"leaf %d" % i if i % 7 else b""


def hexes(hashes):
    return [h.hex() for h in hashes]


def flipped(h):
    return bytes([h[0] ^ 1]) + h[1:]


def inclusion_case(name, leaves, index, /, **changes):
    case = {
        "id": name,
        "leafHash": leaf_hash(leaves[index]).hex(),
        "index": str(index),
        "size": str(len(leaves)),
        "root": mth(leaves).hex(),
        "proof": hexes(path(index, leaves)),
        "expect": "valid",
    }
    if changes:
        case.update(changes, expect="invalid")
    return case


def consistency_case(name, leaves, old, /, **changes):
    case = {
        "id": name,
        "oldSize": str(old),
        "oldRoot": mth(leaves[:old]).hex(),
        "newSize": str(len(leaves)),
        "newRoot": mth(leaves).hex(),
        "proof": hexes(subproof(old, leaves, True)) if 0 < old else [],
        "expect": "valid",
    }
    if changes:
        case.update(changes, expect="invalid")
    return case


def alterations(proof):
    """One fault each; a proof that the fault leaves as it was is dropped by the caller."""
    yield "first hash doubled", proof[:1] + proof
    yield "a hash after the end", proof + [leaf_hash(b"extra")]
    yield "a hash before the start", [leaf_hash(b"extra")] + proof
    if proof:
        yield "last hash missing", proof[:-1]
        yield "first hash missing", proof[1:]
        yield "no hashes", []
        for position in range(len(proof)):
            changed = list(proof)
            changed[position] = flipped(changed[position])
            yield "bit flipped in hash %d" % position, changed
    if len(proof) > 1:
        yield "first two hashes swapped", [proof[1], proof[0]] + proof[2:]
        yield "hashes reversed", proof[::-1]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 255, 256, 257]
    roots = []
    for size in sizes:
        leaves = [data(i) for i in range(size)]
        roots.append({"size": str(size), "root": mth(leaves).hex()})
    write("roots.json", {
        "comment": "leaf i is the text 'leaf i', or nothing where 7 divides i",
        "cases": roots,
    })

    inclusion = []
    for size in [1, 2, 3, 5, 8, 11, 100]:
        leaves = [data(i) for i in range(size)]
        for index in sorted({0, 1, size // 2, size - 2, size - 1} & set(range(size))):
            name = "%d of %d" % (index, size)
            proof = path(index, leaves)
            inclusion.append(inclusion_case(name, leaves, index))
            seen = {tuple(proof)}
            for what, changed in alterations(proof):
                if tuple(changed) not in seen:
                    seen.add(tuple(changed))
                    inclusion.append(inclusion_case(
                        name + ": " + what, leaves, index, proof=hexes(changed)))
            inclusion.append(inclusion_case(
                name + ": another root", leaves, index, root=flipped(mth(leaves)).hex()))
            inclusion.append(inclusion_case(
                name + ": another leaf", leaves, index, leafHash=leaf_hash(b"other").hex()))
            inclusion.append(inclusion_case(
                name + ": size zero", leaves, index, size="0"))
            inclusion.append(inclusion_case(
                name + ": index is the size", leaves, index, index=str(size)))
            inclusion.append(inclusion_case(
                name + ": index far outside", leaves, index, index=str(2**64 - 1)))
            inclusion.append(inclusion_case(
                name + ": size past the limit", leaves, index, size=str(2**64 - 1)))
            # Two positions of one tree can never share a path and a leaf's place in it.
            other = index ^ 1
            if other < size:
                inclusion.append(inclusion_case(
                    name + ": neighbour's index", leaves, index, index=str(other)))
    # A path that stops half-way up, with the root of the subtree it reached.
    leaves = [data(i) for i in range(4)]
    inclusion.append(inclusion_case(
        "a subtree's root", leaves, 0, proof=hexes([leaf_hash(leaves[1])]),
        root=mth(leaves[:2]).hex()))
    inclusion.append(inclusion_case(
        "a leaf as the root", leaves, 0, proof=[], root=leaf_hash(leaves[0]).hex()))
    write("inclusion.json", {"comment": "one fault a case", "cases": inclusion})

    consistency = []
    for old, new in [(1, 2), (1, 3), (2, 3), (3, 4), (4, 7), (6, 8), (7, 8), (8, 9), (8, 16),
                     (5, 100), (64, 100), (99, 100)]:
        leaves = [data(i) for i in range(new)]
        name = "%d to %d" % (old, new)
        proof = subproof(old, leaves, True)
        consistency.append(consistency_case(name, leaves, old))
        seen = {tuple(proof)}
        for what, changed in alterations(proof):
            if tuple(changed) not in seen:
                seen.add(tuple(changed))
                consistency.append(consistency_case(
                    name + ": " + what, leaves, old, proof=hexes(changed)))
        consistency.append(consistency_case(
            name + ": another old root", leaves, old, oldRoot=flipped(mth(leaves[:old])).hex()))
        consistency.append(consistency_case(
            name + ": another new root", leaves, old, newRoot=flipped(mth(leaves)).hex()))
        consistency.append(consistency_case(
            name + ": sizes exchanged", leaves, old, oldSize=str(new), newSize=str(old)))
        consistency.append(consistency_case(
            name + ": old size zero", leaves, old, oldSize="0"))
        consistency.append(consistency_case(
            name + ": equal sizes", leaves, old, oldSize=str(new)))
        consistency.append(consistency_case(
            name + ": size past the limit", leaves, old, newSize=str(2**64 - 1)))
    leaves = [data(i) for i in range(5)]
    consistency.append(consistency_case("equal trees", leaves, 5))
    consistency.append(consistency_case("from nothing", leaves, 0))
    consistency.append(consistency_case("nothing to nothing", [], 0))
    consistency.append(consistency_case(
        "equal sizes, roots differ", leaves, 5, oldRoot=flipped(mth(leaves)).hex()))
    consistency.append(consistency_case(
        "equal trees, a hash too many", leaves, 5, proof=[mth(leaves).hex()]))
    consistency.append(consistency_case(
        "from nothing, a hash too many", leaves, 0, proof=[mth(leaves).hex()]))
    consistency.append(consistency_case(
        "from nothing, zeros for its root", leaves, 0, oldRoot="00" * 32))
    consistency.append(consistency_case(
        "nothing to nothing, zeros for both roots", [], 0, oldRoot="00" * 32, newRoot="00" * 32))
    leaves = [data(i) for i in range(4)]
    consistency.append(consistency_case(
        "a subtree's root for the new one", leaves, 1, proof=hexes([leaf_hash(leaves[1])]),
        newRoot=mth(leaves[:2]).hex()))
    write("consistency.json", {"comment": "one fault a case", "cases": consistency})


def write(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
