#!/usr/bin/env python3
"""Writes testvectors/verification/*.json from spec/verification.md, sections 3 and 6.

    tools/vectors/verification.py [FOLDER]

Shares nothing with the Swift code. Needs the `cryptography` package for ChaCha20. Python's float is
the binary64 of the specification; exact answers come from fractions. Running it again gives the
same bytes.
"""

import hashlib
import json
import pathlib
import struct
import sys
from fractions import Fraction
from math import inf, nan

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

import verification_policy

BILLION = 10**9
TOLERANCE = Fraction(1, 10**12)


def billionths(text):
    """A share as it is written: 0 or 1, then at most 9 decimals; None when it is not one."""
    whole, point, rest = text.partition(".")
    if whole not in ("0", "1") or (point and not 1 <= len(rest) <= 9):
        return None
    if any(digit not in "0123456789" for digit in rest):
        return None
    value = int(whole) * BILLION + int(rest.ljust(9, "0"))
    return value if value <= BILLION else None


def forged_count(segments, fraction):
    return max(1, -(-billionths(fraction) * segments // BILLION))


def missed(segments, forged, drawn):
    """The product of section 6, in its order."""
    product = 1.0
    for i in range(drawn):
        product *= max(0, segments - forged - i) / (segments - i)
    return product


def draw_count(segments, forged, confidence):
    allowed = (BILLION - billionths(confidence)) / BILLION
    product = 1.0
    for drawn in range(segments):
        if product <= allowed:
            return drawn
        product *= max(0, segments - forged - drawn) / (segments - drawn)
    return segments


def exact_probability(segments, forged, drawn):
    """1 - C(N-b, n) / C(N, n); both ratios of falling factorials are equal, so the shorter one."""
    few, many = sorted((forged, drawn))
    if forged + drawn > segments:
        return Fraction(1)
    top, bottom = 1, 1
    for i in range(few):
        top *= segments - many - i
        bottom *= segments - i
    return 1 - Fraction(top, bottom)


def decimal(value, digits=30):
    """A number from 0 to 1 as text, rounded to nearest."""
    scaled = round(value * 10**digits)
    whole, rest = divmod(scaled, 10**digits)
    return "%d.%0*d" % (whole, digits, rest)


def bits(value):
    return struct.pack(">d", value).hex()


COUNTS = [
    *((1, f, c) for f in ("0.000000001", "0.05", "1") for c in ("0.5", "0.999")),
    *((2, f, c) for f in ("0.000000001", "0.5", "0.500000001", "1") for c in ("0.5", "0.999")),
    *((3, f, "0.999") for f in ("0.05", "0.34", "0.67")),
    *((10, "0.1", c) for c in ("0.1", "0.5", "0.9", "0.999999999", "0.000000001")),
    *((n, "0.05", "0.999") for n in (19, 20, 21, 40, 80, 100, 500, 1000, 7800, 100_000)),
    *((n, "0.1", "0.999") for n in (100, 500)), (7800, "0.01", "0.999"),
    *((100, f, "0.999") for f in ("0.01", "0.07", "0.14", "0.28", "0.29", "0.55", "0.57", "0.58")),
    *((1000, f, "0.999") for f in ("0.001", "0.019", "0.057", "1")),
    *((1000, "0.001", c) for c in ("0.001", "0.5", "0.9")),
    (100_000, "0.00001", "0.999"), (100_000, "0.07", "0.999"), (100_000, "0.000000001", "0.5"),
    (100_000, "0.999999999", "0.999999999"), (1_000_000, "0.0001", "0.999"),
    (1_000_000, "0.29", "0.95"), (4_294_967_295, "0.05", "0.999"),
    (4_294_967_295, "1.000000000", "0.999"), (4_294_967_295, "0.999999999", "0.999"),
]

COMMENTS = {
    (100, "0.07"): "binary64 has 100 * 0.07 above 7; b is 7",
    (100, "0.14"): "binary64 has 100 * 0.14 above 14; b is 14",
    (100, "0.28"): "binary64 has 100 * 0.28 above 28; b is 28",
    (100, "0.55"): "binary64 has 100 * 0.55 above 55; b is 55",
    (2, "0.500000001"): "one billionth above half: b is 2",
}


def count_cases():
    for segments, fraction, confidence in COUNTS:
        forged = forged_count(segments, fraction)
        case = {"id": f"{segments}-{fraction}-{confidence}"}
        if comment := COMMENTS.get((segments, fraction)):
            case["comment"] = comment
        drawn = draw_count(segments, forged, confidence)
        # The recipe keeps the promise: rounding may decide only where P and c are as good as equal.
        wanted = Fraction(billionths(confidence), BILLION)
        enough = exact_probability(segments, forged, drawn) >= wanted - TOLERANCE
        needed = exact_probability(segments, forged, drawn - 1) < wanted + TOLERANCE
        if not (enough and needed):
            sys.exit(f"verification.py: error: {case['id']} does not draw the smallest number")
        if exact_probability(segments, forged, drawn - 1) >= wanted:
            case["comment"] = "P equals c one earlier; the binary64 of section 6 is just above"
        yield case | {"segments": segments, "fraction": fraction, "confidence": confidence,
                      "forged": forged, "drawn": drawn}


def probability_cases():
    for segments, forged, drawn in [
            (1, 1, 0), (1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 1, 2), (10, 1, 5), (10, 3, 4),
            (10, 3, 7), (10, 3, 8), (10, 10, 1), (10, 0, 5), (20, 1, 20), (80, 4, 13),
            (100, 5, 74), (100, 5, 73), (500, 25, 118), (1000, 50, 126), (1000, 50, 125),
            (1000, 1, 999), (7800, 78, 658), (100_000, 5000, 138), (100_000, 1, 1),
            (100_000, 1, 500), (100_000, 7000, 1000), (4_294_967_295, 214_748_365, 135)]:
        exact = exact_probability(segments, forged, drawn)
        value = 1 - missed(segments, forged, drawn)
        if abs(Fraction(value) - exact) > TOLERANCE:
            sys.exit("verification.py: error: binary64 is further from the truth than stated")
        yield {"id": f"{segments}-{forged}-{drawn}", "segments": segments, "forged": forged,
               "drawn": drawn, "exact": decimal(exact), "tolerance": "0.000000000001",
               "binary64": bits(value)}


SHARES = [
    ("0", "zero"), ("1", "one"), ("0.05", "decimals"), ("0.050", "zeros at the end"),
    ("0.000000001", "nine decimals"), ("1.000000000", "one with decimals"), ("0.999999999", ""),
    ("0.0000000001", "ten decimals"), ("0.0500000000", "ten decimals, a zero"),
    ("1.000000001", "above one"), ("1.5", "above one"), ("2", "above one"), ("", "empty"),
    (".05", "no digit before the point"), ("0.", "no digit after the point"), (".", "a point"),
    ("00.05", "two zeros"), ("01", "a zero before"), ("-0.05", "a minus"), ("-0", "minus zero"),
    ("+0.05", "a plus"), ("5e-2", "an exponent"), ("0.5e0", "an exponent"), ("0x0.8", "base 16"),
    ("0,05", "a comma"), ("5%", "percent"), (" 0.05", "a space"), ("0.05 ", "a space"),
    ("0.0_5", "an underscore"), ("nan", "no number"), ("inf", "no number"),
    ("0.\u0665", "a digit that is not ASCII"), ("0.05\n", "a line feed"), ("0.0.5", "two points"),
]


def share_cases():
    for text, comment in SHARES:
        case = {"id": json.dumps(text), "comment": comment, "text": text}
        value = billionths(text)
        yield case | ({"expect": "refused"} if value is None
                      else {"expect": "accepted", "billionths": value})


def step_share_cases():
    """Whether the longest b segments hold at most 2 f + 1 / N of the steps."""
    for longest, steps, segments, fraction in [
            (1, 1, 1, "0.05"), (5, 100, 20, "0.05"), (15, 100, 20, "0.05"), (16, 100, 20, "0.05"),
            (11, 100, 100, "0.05"), (12, 100, 100, "0.05"), (15, 100, 100, "0.07"),
            (16, 100, 100, "0.07"), (3, 10, 10, "0.1"), (4, 10, 10, "0.1"), (2, 2, 2, "0.25"),
            (7, 10, 10, "0.3"), (8, 10, 10, "0.3"), (99, 100, 1000, "0.5"),
            (2**53 - 1, 2**53 - 1, 100_000, "0.499995"),
            (2**53 - 1, 2**53 - 1, 100_000, "0.499994999")]:
        limit = 2 * Fraction(billionths(fraction), BILLION) + Fraction(1, segments)
        yield {"id": f"{longest}-{steps}-{segments}-{fraction}", "longest": longest,
               "steps": steps, "segments": segments, "fraction": fraction,
               "expect": "within" if Fraction(longest, steps) <= limit else "beyond"}


class Words:
    """The ChaCha20 key stream as little-endian words; nonce 0, counter from 0."""

    def __init__(self, key):
        self.cipher = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
        self.refused = 0

    def below(self, bound):
        while True:
            word, = struct.unpack("<I", self.cipher.update(bytes(4)))
            if word <= 2**32 - 1 - 2**32 % bound:
                return word % bound
            self.refused += 1


def draw(segments, count, seed):
    """Fisher and Yates's shuffle, with only the places that moved."""
    words, moved, picked = Words(seed), {}, []
    for i in range(count):
        j = i + words.below(segments - i)
        at_i, at_j = moved.get(i, i), moved.get(j, j)
        moved[i], moved[j] = at_j, at_i
        picked.append(at_j)
    return sorted(picked), words.refused


def draw_cases():
    def digest(text):
        return hashlib.sha256(text.encode()).digest()

    root, seal, nonce = digest("archive root"), digest("seal"), digest("nonce")
    zeros = bytes(32)
    for name, segments, count, inputs in [
            ("one", 1, 1, (root, seal, nonce)), ("none-of-one", 1, 0, (root, seal, nonce)),
            ("one-of-two", 2, 1, (root, seal, nonce)), ("both", 2, 2, (root, seal, nonce)),
            ("all-of-20", 20, 20, (root, seal, nonce)), ("19-of-20", 20, 19, (root, seal, nonce)),
            ("zeros", 1000, 126, (zeros, zeros, zeros)),
            ("ones", 1000, 126, (b"\xff" * 32,) * 3),
            ("thousand", 1000, 126, (root, seal, nonce)),
            ("another-root", 1000, 126, (digest("another"), seal, nonce)),
            ("another-seal", 1000, 126, (root, digest("another"), nonce)),
            ("another-nonce", 1000, 126, (root, seal, digest("another"))),
            ("root-and-seal-exchanged", 1000, 126, (seal, root, nonce)),
            ("all-but-one", 300, 299, (root, seal, nonce)),
            ("hundred-thousand", 100_000, 138, (root, seal, nonce)),
            ("many-blocks", 100_000, 1500, (root, seal, nonce)),
            ("words-refused", 3_000_000_000, 64, (root, seal, nonce)),
            ("power-of-two", 2**16, 40, (root, seal, nonce)),
            ("most", 2**32 - 1, 40, (root, seal, nonce))]:
        seed = hashlib.sha256(b"pol/v1/draw\n" + b"".join(inputs)).digest()
        picked, refused = draw(segments, count, seed)
        if name == "words-refused" and refused < 10:
            sys.exit("verification.py: error: no words are refused")
        yield {"id": name, "segments": segments, "count": count, "archiveRoot": inputs[0].hex(),
               "sealDigest": inputs[1].hex(), "nonce": inputs[2].hex(), "seed": seed.hex(),
               "drawn": picked}


def public_draw_cases():
    def digest(text):
        return hashlib.sha256(text.encode()).digest()

    proof, challenge, root, nonce = (digest(text) for text in ("proof", "challenge", "head", "nonce"))
    for name, segments, count, inputs in [
            ("thousand", 1000, 126, (proof, challenge, root, nonce)),
            ("zeros", 1000, 126, (bytes(32),) * 4),
            ("another-proof", 1000, 126, (digest("another"), challenge, root, nonce)),
            ("another-challenge", 1000, 126, (proof, digest("another"), root, nonce)),
            ("another-head", 1000, 126, (proof, challenge, digest("another"), nonce)),
            ("another-nonce", 1000, 126, (proof, challenge, root, digest("another"))),
            ("proof-and-challenge-exchanged", 1000, 126, (challenge, proof, root, nonce))]:
        seed = hashlib.sha256(b"pol/v1/public-draw\n" + b"".join(inputs)).digest()
        yield {"id": name, "segments": segments, "count": count, "proof": inputs[0].hex(),
               "challenge": inputs[1].hex(), "headRoot": inputs[2].hex(), "nonce": inputs[3].hex(),
               "seed": seed.hex(), "drawn": draw(segments, count, seed)[0]}


def targeted(sizes, largest, smallest):
    """NaN counts as infinity; ties go to the last for the largest, to the first for the smallest."""
    sizes, picked = [inf if size != size else size for size in sizes], set()
    for parts, best, order in [(largest, max, 1), (smallest, min, -1)]:
        for part in range(parts):
            places = range(part * len(sizes) // parts, (part + 1) * len(sizes) // parts)
            if places:
                picked.add(best(places, key=lambda place: (sizes[place], place)))
    return sorted(picked)


def targeted_cases():
    mixed = [hashlib.sha256(b"size %d" % i).digest()[0] / 256 for i in range(100)]
    tens = [0.5] * 40
    edge = list(tens)
    edge[3], edge[4], edge[17], edge[29], edge[38] = 9.0, 8.0, nan, 0.0, inf
    cases = [
        ("none", "", []), ("one", "", [1.0]), ("two", "seven empty parts", [1.0, 2.0]),
        ("three", "", [2.0, 1.0, 3.0]), ("seven", "one empty part", [float(i) for i in range(7)]),
        ("eight", "a part each", [float(i) for i in range(8)]),
        ("nine", "the last part has two", [float(i) for i in range(9)]),
        ("falling", "", [float(30 - i) for i in range(30)]),
        ("all-equal", "the last of each eighth, the first of each quarter", tens),
        ("all-zero", "", [0.0] * 16), ("all-nan", "", [nan] * 16), ("all-infinite", "", [inf] * 16),
        ("two-zeros", "-0 equals 0: a tie", [0.0, -0.0, 0.0, -0.0] * 4),
        ("nan-then-infinity", "NaN counts as infinity: the last wins", [nan, inf, 1.0, 0.0] * 8),
        ("infinity-then-nan", "NaN counts as infinity: the last wins", [inf, nan, 1.0, 0.0] * 8),
        ("nan-of-every-kind", "sign and payload say nothing", ["fff8000000000000",
         "7ff8000000000001", "7ff0000000000001", 5.0] * 4),
        ("negative", "no honest norm is; they order as numbers", [-1.0, -inf, 1.0, 0.0] * 4),
        ("subnormal", "", ["0000000000000001", "0000000000000002", 0.0, "8000000000000001"] * 4),
        ("odd-parts", "parts of 12 and 13", mixed), ("edge", "", edge),
        ("one-ulp", "", [1.0, "3ff0000000000001", 1.0, "3fefffffffffffff"] * 4),
    ]
    for name, comment, sizes in cases:
        texts = [size if isinstance(size, str) else bits(size) for size in sizes]
        values = [struct.unpack(">d", bytes.fromhex(text))[0] for text in texts]
        yield {"id": name, "comment": comment, "sizes": texts, "largest": 8, "smallest": 4,
               "picked": targeted(values, 8, 4)}
    for largest, smallest in [(0, 0), (1, 0), (0, 1), (4, 2)]:
        yield {"id": f"budgets-{largest}-{smallest}", "comment": "other budgets",
               "sizes": [bits(size) for size in edge], "largest": largest, "smallest": smallest,
               "picked": targeted(edge, largest, smallest)}


def rows(cases, indent):
    cases = list(cases)
    ids = [case["id"] for case in cases]
    if twice := {name for name in ids if ids.count(name) > 1}:
        sys.exit(f"verification.py: error: {twice} stands twice")
    return "[\n" + ",\n".join(indent + "  " + json.dumps(case) for case in cases) + f"\n{indent}]"


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    folder = pathlib.Path(__file__).resolve().parents[2] / "testvectors" / "verification"
    if len(sys.argv) == 2:
        folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sections = [("shares", share_cases()), ("counts", count_cases()),
                ("probabilities", probability_cases()), ("stepShares", step_share_cases()),
                ("draws", draw_cases()), ("publicDraws", public_draw_cases())]
    text = ",\n".join(f'  "{name}": ' + rows(cases, "  ") for name, cases in sections)
    (folder / "draw.json").write_text("{\n" + text + "\n}\n")
    (folder / "targeted.json").write_text(rows(targeted_cases(), "") + "\n")
    (folder / "policy.json").write_text(rows(verification_policy.cases(), "") + "\n")


if __name__ == "__main__":
    main()
