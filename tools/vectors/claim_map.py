#!/usr/bin/env python3
"""Writes testvectors/claim-map/*.json from spec/claim-map.md: maps, their roots, and proofs, one fault a case.

Shares nothing with the Swift code: subtrees are made by recursion over sets of keys. Run from the root of the
repository; running it again gives the same bytes.
"""

import hashlib
import json
import pathlib
import struct

OUT = pathlib.Path("testvectors/claim-map")
EMPTY = bytes(32)
NONE = 2**64 - 1


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def key_of(kind, digest):
    return sha(b"pol/v1/map-key\n", kind.encode(), b"\n", digest)


def value_bytes(value):
    return struct.pack("<QQ", *value)


def leaf(key, value):
    return sha(b"pol/v1/map-leaf\n", key, value_bytes(value))


def node(left, right):
    return sha(b"pol/v1/map-node\n", left, right)


def bit(key, position):
    return key[position // 8] >> (7 - position % 8) & 1


def subtree(entries, depth):
    """The hash of all `entries` (key to value), whose keys agree in their first `depth` bits."""
    if not entries:
        return EMPTY
    if len(entries) == 1:
        return leaf(*next(iter(entries.items())))
    halves = [{key: value for key, value in entries.items() if bit(key, depth) == side} for side in (0, 1)]
    return node(subtree(halves[0], depth + 1), subtree(halves[1], depth + 1))


def prove(entries, key):
    """(outcome, siblings root's end first, terminal): outcome 0 nothing there, 1 another key, 2 the key."""
    siblings, depth = [], 0
    while len(entries) > 1:
        halves = [{k: v for k, v in entries.items() if bit(k, depth) == side} for side in (0, 1)]
        side = bit(key, depth)
        siblings.append(subtree(halves[1 - side], depth + 1))
        entries, depth = halves[side], depth + 1
    if not entries:
        return 0, siblings, b""
    other, value = next(iter(entries.items()))
    if other == key:
        return 2, siblings, value_bytes(value)
    return 1, siblings, other + value_bytes(value)


def encode(outcome, siblings, terminal, version=1, depth=None, bitmap=None, hashes=None):
    depth = len(siblings) if depth is None else depth
    if bitmap is None:
        bitmap = bytearray((len(siblings) + 7) // 8)
        for position, sibling in enumerate(siblings):
            if sibling != EMPTY:
                bitmap[position // 8] |= 128 >> position % 8
    if hashes is None:
        hashes = [sibling for sibling in siblings if sibling != EMPTY]
    return struct.pack("<BBH", version, outcome, depth) + bytes(bitmap) + b"".join(hashes) + terminal


def entry(number):
    digest = sha(b"claimed %d" % number)
    return key_of("model", digest), (number * 3, NONE if number % 2 else number * 2)


def tree(count):
    return dict(entry(number) for number in range(count))


def near(key, shared):
    """Another key with the same first `shared` bits and no more."""
    changed = bytearray(key)
    changed[shared // 8] ^= 128 >> shared % 8
    return bytes(changed)


def flipped(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1:]


def case(name, entries, key, proof, root=None, expect="invalid"):
    return {"id": name, "root": (root or subtree(entries, 0)).hex(), "key": key.hex(), "proof": proof.hex(),
            "expect": expect}


def answer(entries, key):
    if key not in entries:
        return "absent"
    opened, committed = entries[key]
    return "%d %s" % (opened, "none" if committed == NONE else committed)


def faults(name, entries, key):
    outcome, siblings, terminal = prove(entries, key)
    good = encode(outcome, siblings, terminal)
    yield case(name, entries, key, good, expect=answer(entries, key))
    yield case(name + ": another root", entries, key, good, root=sha(b"another root"))
    yield case(name + ": a byte after the end", entries, key, good + b"\0")
    yield case(name + ": a byte missing", entries, key, good[:-1])
    yield case(name + ": version 2", entries, key, encode(outcome, siblings, terminal, version=2))
    yield case(name + ": outcome 3", entries, key, encode(3, siblings, terminal))
    yield case(name + ": one level more, which is empty", entries, key, encode(outcome, siblings + [EMPTY], terminal))
    yield case(name + ": one level more", entries, key, encode(outcome, siblings + [sha(b"more")], terminal))
    for other in {0, 1, 2} - {outcome}:
        shapes = {0: b"", 1: near(key, min(max(len(siblings), 1), 255)) + value_bytes((1, NONE)), 2: value_bytes((1, NONE))}
        yield case("%s: outcome %d instead" % (name, other), entries, key, encode(other, siblings, shapes[other]))
    if siblings:
        yield case(name + ": depth 0", entries, key, encode(outcome, [], terminal))
        yield case(name + ": first level left out", entries, key, encode(outcome, siblings[1:], terminal))
        yield case(name + ": last level left out", entries, key, encode(outcome, siblings[:-1], terminal))
        for level, sibling in enumerate(siblings):
            if sibling != EMPTY:
                changed = siblings[:level] + [flipped(sibling, 31)] + siblings[level + 1:]
                yield case("%s: bit flipped at level %d" % (name, level), entries, key,
                           encode(outcome, changed, terminal))
        written = [sibling if sibling != EMPTY else EMPTY for sibling in siblings]
        if EMPTY in siblings:
            bitmap = bytearray((len(siblings) + 7) // 8)
            for level in range(len(siblings)):
                bitmap[level // 8] |= 128 >> level % 8
            yield case(name + ": an empty sibling written out", entries, key,
                       encode(outcome, siblings, terminal, bitmap=bitmap, hashes=written))
        if len(siblings) % 8:
            bitmap = bytearray(good[4:4 + (len(siblings) + 7) // 8])
            bitmap[-1] |= 1
            yield case(name + ": an unused bit of the map set", entries, key,
                       encode(outcome, siblings, terminal, bitmap=bitmap))
    for position in range(len(terminal)):
        if position % 13 == 0:
            yield case("%s: bit flipped in byte %d of what stands there" % (name, position), entries, key,
                       encode(outcome, siblings, flipped(terminal, position)))
    if outcome == 2:
        yield case(name + ": of another key", entries, near(key, 255), good)
        yield case(name + ": its own key as another's", entries, key, encode(1, siblings, key + terminal))
    if outcome == 1 and siblings:
        # True in the tree, and it says nothing about a key elsewhere.
        elsewhere = near(key, 0)
        yield case(name + ": of a key on another way", entries, elsewhere, good)


def proofs():
    cases = []
    for count in [0, 1, 2, 3, 20, 300]:
        entries = tree(count)
        keys = sorted(entries)
        asked = [("first", keys[0]), ("last", keys[-1])] if keys else []
        asked += [("strange %d" % number, sha(b"strange %d" % number)) for number in range(4)]
        for name, key in asked:
            cases += faults("%d keys, %s" % (count, name), entries, key)
    # A map with an empty place: two keys that share bits leave one beside them.
    base = entry(0)[0]
    for shared in [1, 7, 8, 60, 254, 255]:
        entries = {base: (5, NONE), near(base, shared): (9, 2)}
        name = "2 keys that share %d bits" % shared
        cases += faults(name, entries, base)
        cases += faults(name + ", beside them", entries, near(base, max(0, shared - 1)))
    # Values that no log can give, in maps that hold them.
    for what, value in [("opened at 2^62", (2**62, NONE)), ("committed at 2^62", (7, 2**62)),
                        ("committed at 2^64 - 2", (7, NONE - 1))]:
        entries = tree(3) | {base: value}
        cases.append(case(what, entries, base, encode(*prove(entries, base))))
    # Not the one shape of a map: its root is of the same entries, one level too deep. Nobody may accept it.
    key, value = entry(1)
    deep = node(leaf(key, value), EMPTY) if bit(key, 0) == 0 else node(EMPTY, leaf(key, value))
    cases.append(case("a single key below an empty sibling", {}, key, encode(2, [EMPTY], value_bytes(value)), root=deep))
    cases.append(case("nothing beside nothing", {}, key, encode(0, [EMPTY], b""), root=node(EMPTY, EMPTY)))
    cases.append(case("depth 257", {}, key, encode(0, [sha(b"x")] * 257, b"")))
    cases.append(case("no bytes", {}, key, b""))
    return cases


def write(name, document):
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / name).write_text(json.dumps(document, indent=1) + "\n")


def main():
    write("keys.json", {"comment": "key of a claim: SHA-256(tag || kind || newline || digest)", "cases": [
        {"kind": kind, "digest": sha(kind.encode()).hex(), "key": key_of(kind, sha(kind.encode())).hex()}
        for kind in ["archiveRoot", "model", "tensor", "sketch", "proverKey"]]})
    write("roots.json", {
        "comment": "entry i: key of the model digest SHA-256('claimed i'), opened 3 i, committed 2 i where i is even",
        "cases": [{"count": count, "root": subtree(tree(count), 0).hex()}
                  for count in [0, 1, 2, 3, 4, 7, 8, 20, 100, 300, 1000]]})
    cases = proofs()
    unique = {}
    for one in cases:
        unique.setdefault((one["root"], one["key"], one["proof"]), one)
    assert len({one["id"] for one in unique.values()}) == len(unique)
    refused = sum(one["expect"] == "invalid" for one in unique.values())
    assert refused > 3 * (len(unique) - refused)
    write("proofs.json", {"comment": "expect: invalid, absent, or the indices opened and committed", "cases":
                          list(unique.values())})
    print("%d proofs, %d refused" % (len(unique), refused))


if __name__ == "__main__":
    main()
