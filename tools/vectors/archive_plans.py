"""The archives under testvectors/archive/valid."""

import struct

from archive_bytes import fixed, le
from archive_writer import Encoding, Plan, State, Tensor, canonical_point, f32

W, B, O, R, C = range(5)
(BOOL, U8, I8, E5M2, E4M3, I16, U16, F16, BF16, I32, U32, F32, I64, U64, F64) = range(1, 16)


def minimal() -> Plan:
    """Record 0, the first state, one segment of one step; no ledger. One chunk is stored, one is compressed."""
    def state(bias: bytes, weight: bytes, moment: float) -> list[Tensor]:
        return [Tensor("bias", W, F32, [2], bias), Tensor("weight", W, F32, [2, 2], weight),
                Tensor("m", O, F32, [64], f32(moment) * 64)]

    return Plan(
        name="minimal",
        points=[canonical_point(U8, [3], bytes([0, 7, 16]), 5), canonical_point(U8, [3], bytes([1, 2, 3]), -1),
                canonical_point(U8, [3], bytes([255, 0, 9]), 0)],
        states=[State(0, [], state(f32(0, 0), f32(1, -2, 0.5, 4), 0)),
                State(1, [(0.5, 2.25, [2, 0])], state(f32(0.25, -0.5), f32(1.5, -2, 0.25, 3), 0.125))],
        settings=b'{"algorithm":"example","seed":1}', policy=b'{"largest":2}')


def rich() -> Plan:
    """Every role and element type, large and small tensors over several chunks, no bytes, NaN, names beyond ASCII."""
    def state(t: int, last: bool = False) -> list[Tensor]:
        scalar = struct.pack("<I", 0x7FC00001) if last else f32(0.5 * t)
        big = f32(0.125 * t) * 16384 + f32(*(i % 7 + (t > 1) for i in range(3616)))
        return [
            Tensor("a.big", W, F32, [100, 200], big),
            Tensor("bf", W, BF16, [4, 2], b"".join(f32(i - 3.5 * t)[2:] for i in range(8))),
            Tensor("double", W, F64, [2], struct.pack("<2d", 1e-3 * t, -10 / (t + 1))),
            Tensor("empty", W, F32, [0, 3], b""),
            Tensor("half", W, F16, [11], struct.pack("<11e", *(0.1 * i * t for i in range(11)))),
            Tensor("mask", W, BOOL, [5], bytes([1, 0, 1, 1, 0])),
            Tensor("scalar", W, F32, [], scalar),
            Tensor("слой.ß✓", W, F32, [19], f32(*(0.3 * i - t * 0.01 * i for i in range(19)))),
            Tensor("\N{GRINNING FACE}", W, F32, [1], f32(-1.0 / (t + 3))),
            Tensor("b1", B, U8, [40000], b"\7" * 40000), Tensor("b2", B, U8, [200, 200], b"\7" * 40000),
            Tensor("b3", B, U8, [0], b""), Tensor("running", B, F64, [1], struct.pack("<d", t / 3)),
            Tensor("e4m3", B, E4M3, [3], bytes([0x7E, 0, 0x81])), Tensor("e5m2", B, E5M2, [2], bytes([0x7B, 0xFC])),
            Tensor("a.big", O, F32, [20000], bytes(80000)), Tensor("b.big", O, F32, [20000], bytes(80000)),
            Tensor("i16", O, I16, [2], struct.pack("<2h", -t, 7)), Tensor("u16", O, U16, [1], le(t, 2)),
            Tensor("i8", O, I8, [2], struct.pack("<2b", -t, 5)), Tensor("i32", O, I32, [1], struct.pack("<i", -t)),
            Tensor("rng", R, U64, [4], fixed(f"rng {t}")), Tensor("words", R, U32, [2], le(t, 4) + le(2**32 - 1, 4)),
            Tensor("steps", C, I64, [], struct.pack("<q", t)),
            Tensor("epoch", C, I64, [1, 1], struct.pack("<q", t // 2)),
        ]

    return Plan(
        name="rich",
        points=[canonical_point(U8, [3], bytes([i % 256, i // 256, 3 * i % 256]), i - 20) for i in range(300)],
        states=[State(0, [], state(0)),
                State(1, [(0.1, 3.5, [299, 0, 1, 1])], state(1)),
                State(3, [(0.1, 3.0, [5]), (0.05, float("inf"), [256, 255, 254])], state(3)),
                State(4, [(0.05, 1.0, [9, 8])], state(4, last=True))],
        settings=b'{"algorithm":"example","seed":2}', policy='{"largest":2,"note":"\u00e4"}'.encode(),
        journal=b'{"at":"2024-01-01T00:00:00Z","event":"opened"}\n', claims=b'{"accuracy":"0.5"}',
        packed_records=True)


def ledger() -> Plan:
    """With a log, two packs, a small limit of 16, and one tensor without bytes at the very end."""
    def state(t: int) -> list[Tensor]:
        return [Tensor("long", W, F32, [5], f32(*(i * 0.5 + t for i in range(5)))),
                Tensor("short", W, F32, [3], f32(t, -t, 0)), Tensor("sixteen", W, F32, [4], f32(1, 2, 3, t)),
                Tensor("z", C, U64, [2**20, 0], b"")]

    return Plan(
        name="ledger", points=[canonical_point(F32, [1], f32(i), i) for i in range(256)],
        states=[State(0, [], state(0)), State(2, [(0.5, 1, [0]), (0.5, 1, [255])], state(1)),
                State(3, [(0.5, 1, [7, 7, 7])], state(2))],
        settings=b'{"algorithm":"example","seed":3}', policy=b'{"largest":3}', chunk_size=131072, small_limit=16,
        log_origin="log.example/one", commitment=fixed("commitment"), commitment_index=7, head_size=9,
        head_root=fixed("head root"), pack_of_record=[0, 0, 0, 1])


def gaps() -> Plan:
    """Records of kind 2: with lost and known steps, with known ones alone, with lost ones alone."""
    def state(t: int) -> list[Tensor]:
        return [Tensor("w", W, F32, [4], f32(t, 1 - t, 0.5 * t, 2))]

    return Plan(
        name="gaps", points=[canonical_point(U8, [1], bytes([i]), i) for i in range(3)],
        states=[State(0, [], state(0)),
                State(3, [(0.5, 1, [2, 1])], state(1), gap=(2, "killed")),
                State(5, [(0.5, 1, [0]), (0.25, 0.5, [1])], state(2), gap=(0, "checkpoint not written: \u00df")),
                State(9, [], state(3), gap=(4, "x" * 255)),
                State(10, [(0.25, 0.5, [0])], state(4))],
        settings=b'{"algorithm":"example","seed":4}', policy=b'{"largest":4}', packed_records=True)


def imported() -> Plan:
    """Checkpoints that were found as files: no data points, every step between them is lost."""
    def state(t: int) -> list[Tensor]:
        return [Tensor("w", W, BF16, [3], b"".join(f32(each)[2:] for each in (t, -t, 0.5)))]

    return Plan(
        name="imported", points=[],
        states=[State(0, [], state(0)), State(100, [], state(1), gap=(100, "imported")),
                State(250, [], state(2), gap=(150, "imported"))],
        settings=b'{"algorithm":"imported"}', policy=b'{"largest":5}')


def encrypted() -> Plan:
    """Cipher suite 1: two segments, three data points of which the first segment uses two, a claim."""
    def state(t: int) -> list[Tensor]:
        return [Tensor("w", W, F32, [8], f32(*(i + 0.5 * t for i in range(8)))),
                Tensor("v", W, F32, [8], f32(*range(8))), Tensor("m", O, F16, [64], bytes([t, 0x3C]) * 64)]

    return Plan(
        name="encrypted", points=[canonical_point(U8, [2], bytes([i, 255 - i]), i) for i in range(3)],
        states=[State(0, [], state(0)), State(1, [(0.5, 2, [0, 2])], state(1)), State(2, [(0.5, 1, [1])], state(2))],
        settings=b'{"algorithm":"example","seed":6}', policy=b'{"largest":6}', claims=b'{"accuracy":"0.75"}',
        packed_records=True, key_epoch=3)


def delta() -> Plan:
    """Every codec but those of `minimal`, chains of up to two deltas, across packs."""
    def state(t: int) -> list[Tensor]:
        def moved(first: float, count: int) -> tuple[float, ...]:
            return tuple(first + i % 9 * 0.25 + (t * 2**-12 if i % 5 else 0) for i in range(count))

        return [
            Tensor("all", W, F32, [80], f32(*moved(1, 80))),
            Tensor("bf", W, BF16, [83], b"".join(f32(each)[2:] for each in moved(-1 - t / 64, 83))),
            Tensor("equal", W, F32, [16], f32(0.5 + t) * 16),
            Tensor("double", W, F64, [40], struct.pack("<40d", *moved(0.25, 40))),
            Tensor("bytes", B, U8, [96], bytes((i // 12 + t * (i == 40)) % 256 for i in range(96))),
            Tensor("twin", B, U8, [96], bytes((i // 12 + (i == t)) % 256 for i in range(96))),
            Tensor("words", O, U16, [48], b"".join(le(1000 + i // 8 + (t if i > 20 else 0), 2) for i in range(48))),
            Tensor("long", O, I64, [16], b"".join(le(2**40 + i // 4, 8) for i in range(16))),
        ]

    # Chunks of a record: weights all, bf, double, equal; buffers bytes, twin; optimizer long, words.
    encodings = {
        (1, 0): Encoding(3, 0x84), (1, 1): Encoding(3, 0x82), (1, 2): Encoding(3, 0x88), (1, 3): Encoding(2, 0x84),
        (1, 4): Encoding(3, 1), (1, 5): Encoding(17, 1, (1, 4)), (1, 6): Encoding(3, 8), (1, 7): Encoding(3, 2),
        (2, 0): Encoding(17, 0x84, (1, 0)), (2, 1): Encoding(16, 0x82, (1, 1)), (2, 2): Encoding(16, 0x88, (1, 2)),
        (2, 3): Encoding(2, 4), (2, 4): Encoding(17, 1, (1, 4)), (2, 5): Encoding(0, 0), (2, 7): Encoding(16, 2, (1, 7)),
        (3, 0): Encoding(17, 0x84, (2, 0)), (3, 1): Encoding(17, 0x82, (1, 1)), (3, 2): Encoding(17, 0x88, (2, 2)),
        (3, 4): Encoding(17, 1, (2, 4)), (3, 5): Encoding(17, 1, (2, 5)), (3, 7): Encoding(17, 2, (2, 7)),
    }
    return Plan(
        name="delta", points=[canonical_point(U8, [1], bytes([i]), i) for i in range(2)],
        states=[State(0, [], state(0)), State(1, [(0.5, 1, [1])], state(1)), State(2, [(0.5, 1, [0])], state(2))],
        settings=b'{"algorithm":"example","seed":5}', policy=b'{"largest":6}', small_limit=16, depth=2,
        encodings=encodings, pack_of_record=[0, 0, 0, 1], packed_records=True)


def twice() -> Plan:
    """A chunk that was forgotten and stored again in another pack, and a frame that a broken append left."""
    def state(t: int) -> list[Tensor]:
        return [Tensor("w", W, F32, [4], f32(1, 2, 3, t)), Tensor("m", O, U8, [3], bytes([1, t % 2, 3]))]

    return Plan(
        name="twice", points=[canonical_point(U8, [1], bytes([i]), i) for i in range(2)],
        states=[State(0, [], state(0)), State(1, [(0.5, 1, [1])], state(1)), State(2, [(0.5, 1, [0])], state(2)),
                State(3, [(0.5, 1, [1])], state(3))],
        settings=b'{"algorithm":"example","seed":8}', policy=b'{"largest":8}', pack_of_record=[0, 0, 0, 1, 1],
        stored_again=frozenset({(3, 1)}), unnamed={2: b"left behind", 3: bytes(300)})


PLANS = {"minimal": minimal, "rich": rich, "ledger": ledger, "gaps": gaps, "imported": imported, "delta": delta,
         "encrypted": encrypted, "twice": twice}
