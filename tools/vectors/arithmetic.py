#!/usr/bin/env python3
"""Writes testvectors/arithmetic/*.json and testvectors/settings/*.json, byte for byte.

Implements spec/training-arithmetic.md on its own: numpy.float32 for single IEEE operations, SHA-256
and HMAC from the standard library, ChaCha20 from the `cryptography` package. Shares no code with the
Swift and C implementation. Run from anywhere: tools/vectors/arithmetic.py [FOLDER]
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys
from fractions import Fraction

import numpy
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

F = numpy.float32
ROOT = pathlib.Path(__file__).resolve().parents[2] / "testvectors"
if len(sys.argv) > 1:
    ROOT = pathlib.Path(sys.argv[1])
NAN = 0x7FC00000
numpy.seterr(all="ignore")


def of_bits(bits):
    return F(struct.unpack("<f", struct.pack("<I", bits))[0]) if bits & 0x7F800000 != 0x7F800000 else (
        numpy.frombuffer(struct.pack("<I", bits), dtype="<f4")[0])


def to_bits(value):
    value = F(value)
    return NAN if value != value else int(numpy.array([value], dtype="<f4").view("<u4")[0])


def hex_of(value):
    return f"{to_bits(value):08x}"


# Section 3: elementary functions.


def polynomial(coefficients, x):
    result = of_bits(coefficients[0])
    for bits in coefficients[1:]:
        result = F(F(result * x) + of_bits(bits))
    return result


EXP = [0x39500D01, 0x3AB60B61, 0x3C088889, 0x3D2AAAAB, 0x3E2AAAAB, 0x3F000000]
LOG = [0x3E638E39, 0x3E924925, 0x3ECCCCCD, 0x3F2AAAAB]
SIN = [0x42283C1A, 0xC2996966, 0x42A335E3, 0xC2255DE7, 0x40C90FDB]
COS = [0xC1D368F9, 0x4270FA83, 0xC2AAE9E4, 0x4281E0F8, 0xC19DE9E6]
LN2_HIGH, LN2_LOW, LOG2_E = 0x3F318000, 0xB95E8083, 0x3FB8AA3B


def power_of_two(n):
    return of_bits((n + 127) << 23)


def exp(x):
    if x != x:
        return of_bits(NAN)
    if x > F(89):
        return F("inf")
    if x < F(-104):
        return F(0)
    t = F(x * of_bits(LOG2_E))
    t = F(t - F(0.5)) if t < 0 else F(t + F(0.5))
    n = int(t)
    r = F(x - F(F(n) * of_bits(LN2_HIGH)))
    r = F(r - F(F(n) * of_bits(LN2_LOW)))
    y = F(F(r * r) * polynomial(EXP, r))
    y = F(y + r)
    y = F(y + F(1))
    half = int(n / 2)
    return F(F(y * power_of_two(half)) * power_of_two(n - half))


def log(x):
    if x != x or x < 0:
        return of_bits(NAN)
    if x == 0:
        return F("-inf")
    if to_bits(x) == 0x7F800000:
        return x
    e = 0
    if to_bits(x) < 0x00800000:
        x = F(x * F(8388608))
        e = -23
    m, exponent = numpy.frexp(x)  # m in [1/2, 1)
    e += int(exponent)
    m = F(m)
    if to_bits(m) < 0x3F3504F3:
        m = F(m * F(2))
        e -= 1
    f = F(m - F(1))
    s = F(f / F(F(2) + f))
    z = F(s * s)
    r = F(polynomial(LOG, z) * z)
    h = F(F(F(0.5) * f) * f)
    k = F(e)
    y = F(s * F(h + r))
    y = F(y + F(k * of_bits(LN2_LOW)))
    y = F(y - h)
    y = F(y + f)
    return F(y + F(k * of_bits(LN2_HIGH)))


def cos_turns(u):
    if not (u >= 0 and u <= 1):
        return of_bits(NAN)
    if u > F(0.5):
        u = F(F(1) - u)
    negative = bool(u > F(0.25))
    if negative:
        u = F(F(0.5) - u)
    if u > F(0.125):
        u = F(F(0.25) - u)
        y = F(polynomial(SIN, F(u * u)) * u)
    else:
        z = F(u * u)
        y = F(F(polynomial(COS, z) * z) + F(1))
    return F(-y) if negative else y


# Section 9 and 10: what the run seed decides.


class Generator:
    def __init__(self, key):
        self.stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()

    @staticmethod
    def derived(seed, tag, label):
        prk = hmac.digest(tag, seed, "sha256")
        return Generator(hmac.digest(prk, label + b"\x01", "sha256"))

    def word(self):
        return struct.unpack("<I", self.stream.update(bytes(4)))[0]

    def below(self, bound):
        end = 2**32 - 2**32 % bound
        while True:
            word = self.word()
            if word < end:
                return word % bound


def decimal(text):
    """The float32 nearest to the decimal, ties to even, without a detour through float64."""
    exact = Fraction(text)
    near = F(float(exact))
    candidates = [numpy.nextafter(near, F("-inf")), near, numpy.nextafter(near, F("inf"))]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - exact), to_bits(c) & 1))


def unit(word):
    return F(F(word >> 8) * F(2.0**-24))


def initial_weights(settings, seed):
    kind = settings["initialization"]
    weights = []
    for index, (fan_in, fan_out) in enumerate(zip(settings["layers"], settings["layers"][1:])):
        generator = Generator.derived(
            seed, b"pol/v1/initial-weights\n", f"layers.{index}.weight".encode())
        fan = fan_in if kind.startswith("kaiming") else fan_in + fan_out
        values = numpy.zeros(fan_in * fan_out, dtype=F)
        uniform = kind.endswith("uniform")
        scale = F(numpy.sqrt(F(F(6 if uniform else 2) / F(fan))))
        for position in range(len(values)):
            if uniform:
                values[position] = F(scale * F(F(unit(generator.word()) * F(2)) - F(1)))
            else:
                first = F(unit(generator.word()) + F(2.0**-24))
                second = unit(generator.word())
                radius = F(numpy.sqrt(F(F(-2) * log(first))))
                values[position] = F(scale * F(radius * cos_turns(second)))
        weights.append([values.reshape(fan_out, fan_in), numpy.zeros(fan_out, dtype=F)])
    return weights


def order(settings, seed, epoch):
    generator = Generator.derived(seed, b"pol/v1/batch-order\n", struct.pack("<Q", epoch))
    span = settings["dataset"]["training"]
    indices = [span["first"] + i for i in range(span["count"])]
    for place in range(len(indices) - 1, 0, -1):
        other = generator.below(place + 1)
        indices[place], indices[other] = indices[other], indices[place]
    return indices


# Section 8: learning rate.


def learning_rate(settings, step):
    schedule = settings["schedule"]
    base = decimal(schedule["base"])
    rate = base
    if schedule["kind"] == "step":
        power, square, left = F(1), decimal(schedule["factor"]), step // schedule["every"]
        while left:
            if left & 1:
                power = F(power * square)
            square = F(square * square)
            left >>= 1
        rate = F(rate * power)
    elif schedule["kind"] == "cosine":
        minimum = decimal(schedule["minimum"])
        turns = F(F(F(step) / F(settings["steps"])) * F(0.5))
        share = F(F(F(1) + cos_turns(turns)) * F(0.5))
        rate = F(minimum + F(F(base - minimum) * share))
    if step < schedule["warmUpSteps"]:
        rate = F(rate * F(F(step + 1) / F(schedule["warmUpSteps"])))
    return rate


# Sections 4 to 7: one step. Sums go element by element in order; numpy only runs independent
# elements side by side.


def product(a, b, initial):
    """C = initial + A B with k ascending; a is [m, k], b is [k, n]."""
    c = numpy.array(numpy.broadcast_to(initial, (a.shape[0], b.shape[1])), dtype=F)
    for k in range(a.shape[1]):
        c = c + a[:, k : k + 1] * b[k : k + 1, :]
    assert c.dtype == F
    return c


def train_step(settings, weights, momenta, features, labels, rate):
    activations = [features]
    for index, (weight, bias) in enumerate(weights):
        z = product(activations[-1], weight.T, bias)
        if index + 1 < len(weights):
            z = numpy.where(z < 0, F(0), z)
        activations.append(z)
    d = activations[-1].copy()
    count = F(len(labels))
    loss = F(0)
    for i, label in enumerate(labels):
        row = d[i]
        largest = row[0]
        for value in row[1:]:
            if value > largest:
                largest = value
        margin = F(row[label] - largest)
        total = F(0)
        for j in range(len(row)):
            row[j] = exp(F(row[j] - largest))
            total = F(total + row[j])
        loss = F(loss + F(log(total) - margin))
        for j in range(len(row)):
            share = F(row[j] / total)
            row[j] = F(F(share - F(1 if j == label else 0)) / count)
    loss = F(loss / count)
    momentum, decay = decimal(settings["momentum"]), decimal(settings["weightDecay"])
    for index in reversed(range(len(weights))):
        weight, bias = weights[index]
        slopes = [product(d.T, activations[index], F(0)), numpy.zeros(len(bias), dtype=F)]
        for row in d:
            slopes[1] = slopes[1] + row
        if index > 0:
            d = product(d, weight, F(0))
            d = numpy.where(activations[index] <= 0, F(0), d)
        for part in range(2):
            w, v = weights[index][part], momenta[index][part]
            g = slopes[part] + decay * w
            v = momentum * v + g
            weights[index][part] = w - rate * v
            momenta[index][part] = v
            assert v.dtype == F and weights[index][part].dtype == F
    return loss


def flat_digest(layers):
    return hashlib.sha256(b"".join(part.astype("<f4").tobytes() for layer in layers for part in layer)).hexdigest()


# Vectors.

SPECIAL = [
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x3F800000, 0xBF800000,
    0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x7F800001, 0x42B17217,
    0x42B17218, 0x42B20000, 0x42B20001, 0xC2AEAC50, 0xC2AEAC51, 0xC2CFF1B4, 0xC2CFF1B5, 0xC2D00000,
    0xC2D00001, 0x3F3504F2, 0x3F3504F3, 0x3FB504F3, 0x3FB504F4, 0x3F000000, 0x3E800000, 0x3E000000,
    0x3F400000, 0x3E800001, 0x3E7FFFFF, 0x3F000001, 0x3EFFFFFF, 0x3E000001, 0x3F800001, 0x3F7FFFFF,
    0x40000000, 0x3EB17218, 0x3EB17219,
]


def inputs(name):
    generator = Generator(hashlib.sha256(name.encode()).digest())
    yield from SPECIAL
    for _ in range(150):
        yield generator.word()
    for _ in range(150):
        word = generator.word()
        if name == "exp":
            yield to_bits(F((word >> 8) * 2.0**-24 * 200 - 108))
        elif name == "log":
            yield (word % 0x02000000) + 0x3F000000 - 0x01000000
        else:
            yield to_bits(unit(word))


def elementary(name, function):
    return {
        "section": "training-arithmetic.md §3", "function": name,
        "cases": [[f"{bits:08x}", hex_of(function(of_bits(bits)))] for bits in inputs(name)],
    }


def settings(layers=(5, 7, 3), count=23, batch=4, initialization="kaiming-uniform", schedule=None,
             steps=20, first=100, held=(0, 0)):
    return {
        "algorithm": "pol/mlp-sgd/v1", "batchSize": batch,
        "dataset": {"heldOut": {"count": held[1], "first": held[0]},
                    "training": {"count": count, "first": first}},
        "initialization": initialization, "inputScale": "0.0625", "layers": list(layers),
        "momentum": "0.9",
        "schedule": schedule or {"base": "0.05", "kind": "cosine", "minimum": "0.0005", "warmUpSteps": 3},
        "steps": steps, "weightDecay": "0.0001",
    }


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def generators():
    key = bytes(range(32))
    # RFC 8439 A.1, test vector 1: key and nonce zero, counter 0.
    cases = [{"key": bytes(32).hex(), "keyStream": (
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586")}]
    for case in cases + [{"key": key.hex()}]:
        stream = Generator(bytes.fromhex(case["key"]))
        words = b"".join(struct.pack("<I", stream.word()) for _ in range(16))
        assert case.get("keyStream", words.hex()) == words.hex()
        case["keyStream"] = words.hex()
        if case not in cases:
            cases.append(case)
    return {"section": "training-arithmetic.md §9", "source": "RFC 8439 A.1 (first case)", "cases": cases}


SEED = hashlib.sha256(b"pol arithmetic vectors").digest()


def initial():
    cases = []
    for kind in ["kaiming-uniform", "kaiming-normal", "glorot-uniform", "glorot-normal"]:
        for layers in [(5, 7, 3), (64, 32, 10), (1, 1)]:
            chosen = settings(layers=layers, initialization=kind)
            weights = initial_weights(chosen, SEED)
            cases.append({
                "settings": canonical(chosen), "sha256": flat_digest(weights),
                "firstWeights": [hex_of(v) for v in weights[0][0].flat[:4]],
            })
    return {"section": "training-arithmetic.md §10", "runSeed": SEED.hex(), "cases": cases}


def orders():
    cases = []
    for count, batch, first in [(23, 4, 100), (1, 5, 7), (1438, 32, 0), (8, 8, 4294967288)]:
        chosen = settings(count=count, batch=batch, first=first, steps=3 * -(-count // batch))
        digests = [
            hashlib.sha256(b"".join(struct.pack("<I", i) for i in order(chosen, SEED, epoch))).hexdigest()
            for epoch in range(3)
        ]
        cases.append({"settings": canonical(chosen), "sha256": digests,
                      "firstBatch": order(chosen, SEED, 0)[:batch]})
    return {"section": "training-arithmetic.md §11", "runSeed": SEED.hex(), "cases": cases}


def rates():
    schedules = [
        {"base": "0.05", "kind": "constant", "warmUpSteps": 0},
        {"base": "0.05", "kind": "constant", "warmUpSteps": 7},
        {"base": "0.1", "every": 10, "factor": "0.1", "kind": "step", "warmUpSteps": 0},
        {"base": "0.3", "every": 1, "factor": "0.97", "kind": "step", "warmUpSteps": 5},
        {"base": "0.05", "kind": "cosine", "minimum": "0.0005", "warmUpSteps": 0},
        {"base": "0.2", "kind": "cosine", "minimum": "0", "warmUpSteps": 100},
    ]
    cases = []
    for schedule in schedules:
        for steps in [100, 5000, 1000000000]:
            chosen = settings(schedule=schedule, steps=steps)
            at = sorted({0, 1, 4, 6, 7, 9, 10, 49, 50, 99, steps // 3, steps // 2, steps - 2, steps - 1})
            cases.append({"settings": canonical(chosen),
                          "rates": [[step, hex_of(learning_rate(chosen, step))] for step in at]})
    return {"section": "training-arithmetic.md §8", "cases": cases}


def training():
    cases = []
    for layers, count, batch, kind in [
        ((5, 7, 3), 23, 4, "kaiming-uniform"), ((9, 17, 6, 4), 30, 7, "glorot-normal"),
        ((6, 3), 11, 11, "kaiming-normal"),
    ]:
        chosen = settings(layers=layers, count=count, batch=batch, initialization=kind)
        generator = Generator(hashlib.sha256(canonical(chosen).encode()).digest())
        pixels = [[generator.below(17) for _ in range(layers[0])] for _ in range(count)]
        labels = [generator.below(layers[-1]) for _ in range(count)]
        scale = decimal(chosen["inputScale"])
        features = numpy.array(pixels, dtype=F) * scale
        weights = initial_weights(chosen, SEED)
        momenta = [[numpy.zeros_like(part) for part in layer] for layer in weights]
        per_epoch = -(-count // batch)
        losses = []
        for step in range(20):
            indices = order(chosen, SEED, step // per_epoch)
            start = step % per_epoch * batch
            rows = [index - 100 for index in indices[start : start + batch]]
            losses.append(hex_of(train_step(
                chosen, weights, momenta, features[rows], [labels[r] for r in rows],
                learning_rate(chosen, step))))
        cases.append({
            "settings": canonical(chosen), "pixels": pixels, "labels": labels, "losses": losses,
            "weightsSHA256": flat_digest(weights), "momentumSHA256": flat_digest(momenta),
        })
    return {"section": "training-arithmetic.md §12", "runSeed": SEED.hex(), "cases": cases}


def settings_vectors():
    def case(identifier, comment, text, expect):
        return {"id": identifier, "comment": comment, "text": text, "expect": expect}

    base = settings()

    def change(**members):
        return canonical({**base, **members})

    def schedule(**members):
        return change(schedule=members)

    def without(key):
        return canonical({k: v for k, v in base.items() if k != key})

    accepted = [
        case("plain", "the example", canonical(base), "accepted"),
        case("no-held-out", "an empty held-out range", change(
            dataset={"heldOut": {"count": 0, "first": 0}, "training": {"count": 1, "first": 0}}), "accepted"),
        case("constant", "a constant rate", schedule(base="1", kind="constant", warmUpSteps=20), "accepted"),
        case("step", "a step rate", schedule(base="0.1", every=5, factor="1", kind="step", warmUpSteps=0), "accepted"),
        case("last-index", "the last index there is", change(
            dataset={"heldOut": {"count": 0, "first": 0}, "training": {"count": 1, "first": 4294967295}}), "accepted"),
        case("widest", "24 characters of decimal", change(inputScale="0.1234567890123456789012"), "accepted"),
    ]
    refused = []

    def refuse(identifier, comment, text):
        refused.append(case(identifier, comment, text, "badSettings"))

    for key in base:
        refuse(f"missing-{key}", f"{key} is missing", without(key))
        refuse(f"boolean-{key}", f"{key} is a boolean", change(**{key: True}))
    refuse("unknown", "an unknown member", change(zeal=1))
    refuse("unknown-schedule", "a member of another kind of schedule",
           schedule(base="0.1", kind="constant", minimum="0", warmUpSteps=0))
    refuse("unknown-dataset", "an unknown member of dataset", change(dataset={**base["dataset"], "third": 1}))
    refuse("unknown-range", "an unknown member of a range", change(
        dataset={**base["dataset"], "training": {"count": 23, "first": 100, "last": 122}}))
    refuse("algorithm", "another algorithm", change(algorithm="pol/mlp-sgd/v2"))
    refuse("initialization", "an unknown initialization", change(initialization="zeros"))
    refuse("kind", "an unknown schedule", schedule(base="0.1", kind="linear", warmUpSteps=0))
    refuse("no-warm-up", "warmUpSteps is always there", schedule(base="0.1", kind="constant"))
    refuse("warm-up-too-long", "more warm-up than steps", schedule(base="0.1", kind="constant", warmUpSteps=21))
    refuse("zero-base", "a rate of zero", schedule(base="0", kind="constant", warmUpSteps=0))
    refuse("minimum-above", "the minimum above the base", schedule(
        base="0.1", kind="cosine", minimum="0.2", warmUpSteps=0))
    refuse("zero-factor", "a factor of zero", schedule(base="0.1", every=1, factor="0", kind="step", warmUpSteps=0))
    refuse("factor-above", "a factor above one", schedule(
        base="0.1", every=1, factor="1.01", kind="step", warmUpSteps=0))
    refuse("zero-every", "a division by zero", schedule(base="0.1", every=0, factor="0.5", kind="step", warmUpSteps=0))
    refuse("every-above", "every above the limit", schedule(
        base="0.1", every=1000000001, factor="0.5", kind="step", warmUpSteps=0))
    refuse("momentum-one", "momentum one never forgets", change(momentum="1"))
    refuse("momentum-rounds-to-one", "its nearest float32 is one", change(momentum="0.99999999999"))
    refuse("input-scale-zero", "every input would be zero", change(inputScale="0"))
    for identifier, text in [
        ("empty", ""), ("negative", "-0.1"), ("plus", "+0.1"), ("exponent", "1e-4"), ("no-whole", ".5"),
        ("no-fraction", "1."), ("trailing-zero", "0.10"), ("whole-zero-fraction", "1.0"),
        ("leading-zero", "00.1"), ("space", " 0.1"), ("nan", "nan"), ("inf", "inf"), ("hex", "0x1"),
        ("two-points", "0.1.2"), ("comma", "0,1"), ("long", "0.12345678901234567890123"), ("newline", "0.1\n"),
        ("arabic", "\u0661"),
    ]:
        refuse(f"decimal-{identifier}", "outside the grammar of decimals", change(weightDecay=text))
    refuse("decimal-number", "a JSON number", change(momentum=0))
    for identifier, layers in [
        ("one", [5]), ("none", []), ("zero", [5, 0, 3]), ("negative", [5, -1, 3]), ("wide", [65537, 3]),
        ("many", [2] * 33), ("heavy", [65536, 65536, 2]), ("string", [5, "7", 3]), ("nested", [[5], 3]),
    ]:
        refuse(f"layers-{identifier}", "layers out of bounds", change(layers=layers))
    refuse("batch-zero", "an empty batch", change(batchSize=0))
    refuse("batch-large", "above the limit", change(batchSize=65537))
    refuse("batch-memory", "batch times width above the limit", change(batchSize=65536, layers=[5, 4097, 3]))
    refuse("batch-negative", "negative", change(batchSize=-1))
    refuse("steps-zero", "no training", change(steps=0, schedule={"base": "0.1", "kind": "constant", "warmUpSteps": 0}))
    refuse("steps-large", "above the limit", change(steps=1000000001))

    def ranges(training, held):
        return change(dataset={"heldOut": {"count": held[1], "first": held[0]},
                               "training": {"count": training[1], "first": training[0]}})

    refuse("training-empty", "nothing to learn from", ranges((0, 0), (0, 0)))
    refuse("training-large", "above the limit", ranges((0, 268435457), (0, 0)))
    refuse("training-past-end", "reaches past the last index", ranges((4294967295, 2), (0, 0)))
    refuse("held-out-past-end", "reaches past the last index", ranges((0, 1), (4294967295, 2)))
    refuse("first-past-end", "starts past the last index", ranges((4294967296, 1), (0, 0)))
    refuse("overlap-front", "held-out points are trained on", ranges((10, 10), (5, 6)))
    refuse("overlap-back", "held-out points are trained on", ranges((10, 10), (19, 6)))
    refuse("overlap-inside", "held-out points are trained on", ranges((10, 10), (12, 2)))
    plain = canonical(base)
    refuse("empty", "no bytes", "")
    refuse("array", "not an object", "[]")
    refuse("space", "white space is not canonical", plain.replace(":", ": ", 1))
    refuse("newline", "a byte after the end", plain + "\n")
    refuse("unsorted", "keys out of order", '{"steps":20,' + plain[1:].replace(',"steps":20', ""))
    refuse("twice", "a key twice", plain.replace('"steps":20', '"steps":20,"steps":20'))
    refuse("escape", "an escape that the canonical form does not use", plain.replace("cosine", "\\u0063osine"))
    refuse("float", "a JSON fraction", plain.replace('"steps":20', '"steps":20.0'))
    refuse("cut", "cut short", plain[:-1])
    refuse("long", "above 4,096 bytes", change(algorithm="a" * 4096))
    return {"section": "settings.md", "accepted": accepted, "refused": refused}


def write(path, value):
    path = ROOT / path
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = json.dumps(value, indent=1, ensure_ascii=True)
    path.write_text(lines + "\n")


if __name__ == "__main__":
    for name, function in [("exp", exp), ("log", log), ("cos", cos_turns)]:
        write(f"arithmetic/{name}.json", elementary(name, function))
    write("arithmetic/generator.json", generators())
    write("arithmetic/initial-weights.json", initial())
    write("arithmetic/batch-order.json", orders())
    write("arithmetic/learning-rate.json", rates())
    write("arithmetic/training.json", training())
    write("settings/settings.json", settings_vectors())
