"""Policies, accepted and refused: the cases of testvectors/verification/policy.json.

A part of verification.py; the rules are those of spec/verification.md, section 3.
"""

import json
import re
import struct
import sys
from fractions import Fraction

ROOT = "00112233445566778899aabbccddeeff" * 2
# float32: 24 bits of precision; half a step above the largest finite value rounds to infinity.
FLOAT32_MAX = (2**24 - 1) * 2**104
DECIMAL = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?", re.ASCII)

DEFAULT = {
    "algorithms": ["pol/mlp-sgd/v1"], "datasetRoots": [],
    "learningRate": {"ceiling": "10.0", "floor": "1e-06"}, "minimumPasses": 1,
    "minimumSteps": 100, "segments": [{"every": 5, "from": 0}], "zeroUpdatePercent": 1,
}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def policy(**changes):
    return canonical(DEFAULT | changes)


def rates(floor, ceiling):
    return policy(learningRate={"ceiling": ceiling, "floor": floor})


def phases(*pairs):
    return policy(segments=[{"every": every, "from": start} for start, every in pairs])


def float32(text):
    """The bits of the nearest float32, ties to even; None when the text is not a decimal, or not finite.

    From the exact fraction, for a way over binary64 would round twice.
    """
    if len(text) > 24 or not DECIMAL.fullmatch(text):
        return None
    digits, _, exponent = text.partition("e")
    exponent = int(exponent or "0")
    value = Fraction(digits)
    if value == 0 or exponent < -1000:
        return 0
    if exponent > 1000:
        return None
    value *= Fraction(10) ** exponent
    unit = Fraction(1, 2**149)  # The smallest step; larger values have larger ones.
    while value / unit >= 2**24:
        unit *= 2
    rounded = round(value / unit) * unit  # Python rounds halves to even.
    if rounded > FLOAT32_MAX:
        return None
    bits, = struct.unpack(">I", struct.pack(">f", float(rounded)))
    return bits


def next_step(segments, step, total):
    every = [phase for phase in segments if phase["from"] <= step][-1]["every"]
    later = [phase["from"] for phase in segments if phase["from"] > step]
    return min([step + every, total] + later[:1])


def accepted(name, comment, text, steps=(0, 1, 4, 5, 99), total=100):
    value = json.loads(text)
    bounds = [float32(value["learningRate"][end]) for end in ("floor", "ceiling")]
    if canonical(value) != text or None in bounds or bounds[0] > bounds[1]:
        sys.exit(f"verification_policy.py: error: {name} is not a policy")
    segments = value["segments"]
    return {
        "id": name, "comment": comment, "expect": "accepted", "bytes": text.encode().hex(),
        "floor": "%08x" % bounds[0], "ceiling": "%08x" % bounds[1],
        "minimumPasses": value["minimumPasses"], "minimumSteps": value["minimumSteps"],
        "zeroUpdatePercent": value["zeroUpdatePercent"], "algorithms": value["algorithms"],
        "datasetRoots": value["datasetRoots"],
        "next": [{"step": step, "total": total, "next": next_step(segments, step, total)}
                 for step in steps if step < total],
        "longest": [{"step": step, "longest": [phase["every"] for phase in segments
                                               if phase["from"] <= step][-1]} for step in steps],
    }


def accepted_cases():
    yield accepted("default", "", policy())
    yield accepted("hundred", "the verifier's default", phases((0, 100)), (0, 50, 100, 240), 250)
    yield accepted("three-phases", "a phase's start is a checkpoint", phases((0, 1), (10, 7), (50, 20)),
                   (0, 8, 9, 10, 17, 38, 45, 46, 49, 50, 70, 89, 99))
    yield accepted("equal-every", "not falling is enough", phases((0, 7), (10, 7)), (0, 7, 10, 17))
    yield accepted("sixteen-phases", "the most", phases(*((i, i + 1) for i in range(16))),
                   (0, 1, 7, 14, 15, 31, 90))
    yield accepted("longest-every", "2^30", phases((0, 2**30)), (0, 99))
    yield accepted("latest-from", "2^53 - 1", phases((0, 1), (2**53 - 1, 2)), (0, 2**53 - 2), 2**53 - 1)
    yield accepted("nothing-asked", "", policy(
        minimumPasses=0, minimumSteps=0, zeroUpdatePercent=100))
    yield accepted("everything-asked", "", policy(
        minimumPasses=2**53 - 1, minimumSteps=2**53 - 1, zeroUpdatePercent=0))
    yield accepted("roots", "", policy(datasetRoots=[ROOT, "ff" * 32]))
    yield accepted("algorithms", "64, and any names", policy(
        algorithms=["é\"\\"] + [f"algorithm {i}" for i in range(63)]))
    for name, comment, floor, ceiling in [
            ("rates-equal", "", "0.1", "0.1"), ("rates-of-equal-value", "", "0.1", "1e-1"),
            ("rates-zero", "", "0", "0.0"), ("rate-zeros-after", "", "0.100", "10.000"),
            ("rate-exponents", "", "1e-6", "1e+1"), ("rate-exponent-zeros", "", "1e-006", "1e0"),
            ("rate-largest", "the largest float32", "0", "3.4028235e38"),
            ("rate-just-finite", "below half a step above it", "0", "3.40282356e38"),
            ("rate-smallest", "the smallest float32 above 0", "1e-45", "1e-44"),
            ("rate-to-zero", "rounds to 0", "1e-60", "0.7e-45"),
            ("rate-far-to-zero", "", "1e-99999999999999999999", "1"),
            ("rate-zero-large-exponent", "0 however large the exponent", "0e999999999999999999", "1"),
            ("rate-24-characters", "the longest", "0.1000000000000000000001", "1.00000000000000000000e1"),
            ("rate-tie-even", "2^24 + 1 lies between two, the even one is taken", "16777217", "16777218"),
            ("rate-rounds-once", "binary64 first would round this to the tie, then down",
             "1.000000059604644775391", "2"),
            ("rate-order-by-value", "as decimals floor > ceiling; as float32 they are equal",
             "0.10000000000000000001", "0.1")]:
        yield accepted(name, comment, rates(floor, ceiling))


def refused(name, comment, text):
    content = text if isinstance(text, bytes) else text.encode()
    return {"id": name, "comment": comment, "expect": "refused", "bytes": content.hex()}


def form_cases():
    text = policy()
    yield refused("empty", "", "")
    yield refused("white-space", "after a colon", text.replace(":1,", ": 1,", 1))
    yield refused("line-feed", "after the document", text + "\n")
    yield refused("byte-order-mark", "", b"\xef\xbb\xbf" + text.encode())
    yield refused("twice", "a second document", text + text)
    yield refused("cut-short", "", text[:-1])
    yield refused("keys-unsorted", "", json.dumps(
        dict(reversed(sorted(DEFAULT.items()))), separators=(",", ":")))
    yield refused("keys-of-a-phase-unsorted", "", text.replace(
        '{"every":5,"from":0}', '{"from":0,"every":5}'))
    yield refused("keys-of-rates-unsorted", "", text.replace(
        '{"ceiling":"10.0","floor":"1e-06"}', '{"floor":"1e-06","ceiling":"10.0"}'))
    yield refused("escape", "a letter that needs none", text.replace("pol/", "\\u0070ol/"))
    yield refused("escaped-slash", "", text.replace("pol/", "pol\\/"))
    yield refused("not-utf-8", "", text.encode().replace(b"pol/", b"pol\xff"))
    yield refused("leading-zero", "", text.replace('"minimumSteps":100', '"minimumSteps":0100'))
    yield refused("minus-zero", "", text.replace('"from":0', '"from":-0'))
    yield refused("exponent", "", text.replace('"minimumSteps":100', '"minimumSteps":1e2'))
    for what, content in [("array", "[]"), ("string", '"policy"'), ("number", "1"), ("no-member", "{}"),
                          ("null", "null"), ("in-an-array", "[" + text + "]"),
                          ("deep", "[" * 40 + "]" * 40)]:
        yield refused(f"document-{what}", "", content)


def member_cases():
    text = policy()
    for name in sorted(DEFAULT):
        without = {key: value for key, value in DEFAULT.items() if key != name}
        yield refused(f"without-{name}", "a missing member", canonical(without))
        value = canonical(DEFAULT[name])
        member = f'"{name}":{value}'
        yield refused(f"{name}-twice", "the same value", text.replace(member, f"{member},{member}"))
        yield refused(f"{name}-null", "", text.replace(member, f'"{name}":null'))
        yield refused(f"{name}-bool", "", policy(**{name: True}))
        other = f'"{name[:-1] + name[-1].upper()}":{value}'
        yield refused(f"{name}-misspelt", "in place of it", text.replace(member, other))
    yield refused("unknown-member", "", policy(zzz=1))
    yield refused("unknown-in-rates", "", policy(learningRate={"ceiling": "1", "floor": "0", "warm": "0"}))
    yield refused("unknown-in-phase", "", policy(segments=[{"every": 5, "from": 0, "to": 9}]))
    for name in ("minimumPasses", "minimumSteps", "zeroUpdatePercent"):
        yield refused(f"{name}-negative", "", policy(**{name: -1}))
        yield refused(f"{name}-text", "", policy(**{name: "1"}))
        yield refused(f"{name}-fraction", "", policy(**{name: 1.5}))
        yield refused(f"{name}-beyond", "2^53", policy(**{name: 2**53}))
    yield refused("zeroUpdatePercent-101", "", policy(zeroUpdatePercent=101))
    yield refused("algorithms-none", "", policy(algorithms=[]))
    yield refused("algorithms-65", "", policy(algorithms=[str(i) for i in range(65)]))
    yield refused("algorithms-number", "", policy(algorithms=["pol/mlp-sgd/v1", 1]))
    yield refused("algorithms-text", "", policy(algorithms="pol/mlp-sgd/v1"))
    for name, roots in [
            ("short", [ROOT[2:]]), ("long", [ROOT + "00"]), ("upper-case", [ROOT.upper()]),
            ("no-digit", ["g" + ROOT[1:]]), ("empty", [""]), ("number", [0]), ("text", ROOT),
            ("second", [ROOT, ROOT[1:]])]:
        yield refused(f"root-{name}", "", policy(datasetRoots=roots))


def rate_cases():
    yield refused("floor-above-ceiling", "", rates("0.2", "0.1"))
    yield refused("floor-above-ceiling-by-one-step", "neighbouring float32", rates("16777218", "16777216"))
    yield refused("rates-empty", "", policy(learningRate={}))
    yield refused("rates-array", "", policy(learningRate=["0", "1"]))
    yield refused("rates-without-floor", "", policy(learningRate={"ceiling": "1"}))
    yield refused("rates-without-ceiling", "", policy(learningRate={"floor": "1"}))
    yield refused("rate-integer", "a JSON number", policy(learningRate={"ceiling": 10, "floor": "0"}))
    yield refused("rate-fraction", "a JSON number", policy(learningRate={"ceiling": 0.5, "floor": "0"}))
    yield refused("ceiling-twice", "", policy().replace('"ceiling":"10.0",', '"ceiling":"10.0",' * 2))
    for name, text in [
            ("empty", ""), ("nan", "nan"), ("NaN", "NaN"), ("inf", "inf"), ("infinity", "infinity"),
            ("minus-inf", "-inf"), ("minus", "-1"), ("minus-zero", "-0"), ("plus", "+1"),
            ("point-first", ".5"), ("point-last", "5."), ("point", "."), ("two-points", "1.0.0"),
            ("leading-zero", "01"), ("leading-zeros", "00.1"), ("no-exponent", "1e"),
            ("sign-without-exponent", "1e+"), ("exponent-first", "e5"), ("two-exponents", "1e1e1"),
            ("exponent-with-point", "1e1.0"), ("two-signs", "1e+-1"), ("upper-case", "1E1"),
            ("base-16", "0x1p1"), ("space-before", " 1"), ("space-after", "1 "), ("comma", "1,5"),
            ("underscore", "1_0"), ("arabic", "\u0661"), ("full-width", "\uff11"), ("words", "one"),
            ("suffix", "1f"), ("25-characters", "0.10000000000000000000001"),
            ("just-infinite", "3.40282357e38"), ("beyond", "1e39"), ("far-beyond", "1e99999999999999999999"),
            ("beyond-binary64", "1e309"), ("control", "1\u0000")]:
        if float32(text) is not None:
            sys.exit(f"verification_policy.py: error: rate-{name} is a decimal")
        yield refused(f"rate-{name}", "", rates("0", text))
    for name, text in [("floor-nan", "nan"), ("floor-minus", "-1"), ("floor-long", "0." + "0" * 23)]:
        yield refused(name, "", rates(text, "1"))


def phase_cases():
    yield refused("phases-none", "", policy(segments=[]))
    yield refused("phases-17", "", phases(*((i, i + 1) for i in range(17))))
    yield refused("phase-from-1", "the first is not from 0", phases((1, 5)))
    yield refused("phases-out-of-order", "", phases((0, 1), (20, 2), (10, 3)))
    yield refused("phases-first-last", "", phases((10, 5), (0, 5)))
    yield refused("phases-equal-from", "", phases((0, 1), (10, 2), (10, 3)))
    yield refused("phases-both-from-0", "", phases((0, 1), (0, 2)))
    yield refused("every-falling", "", phases((0, 5), (10, 4)))
    yield refused("every-falling-later", "", phases((0, 1), (10, 9), (20, 8)))
    yield refused("every-0", "", phases((0, 0)))
    yield refused("every-0-later", "", phases((0, 5), (10, 0)))
    yield refused("every-negative", "", phases((0, -5)))
    yield refused("every-beyond", "2^30 + 1", phases((0, 2**30 + 1)))
    yield refused("every-huge", "2^53 - 1", phases((0, 2**53 - 1)))
    yield refused("from-negative", "", phases((0, 5), (-1, 5)))
    yield refused("from-beyond", "2^53", phases((0, 5), (2**53, 5)))
    for name, segments in [
            ("without-from", [{"every": 5}]), ("without-every", [{"from": 0}]), ("empty", [{}]),
            ("number", [5]), ("array", [[5, 0]]), ("every-text", [{"every": "5", "from": 0}]),
            ("from-text", [{"every": 5, "from": "0"}]), ("from-fraction", [{"every": 5, "from": 0.5}]),
            ("object", {"every": 5, "from": 0})]:
        yield refused(f"phase-{name}", "", policy(segments=segments))


def cases():
    good = list(accepted_cases())
    bad = [*form_cases(), *member_cases(), *rate_cases(), *phase_cases()]
    if len(bad) < 2 * len(good) or {case["bytes"] for case in good} & {case["bytes"] for case in bad}:
        sys.exit("verification_policy.py: error: too few refusals, or one that is accepted")
    return good + bad
