#!/usr/bin/env python3
"""Writes testvectors/filters/*.json from spec/filters.md, without Swift and without an LZ4 library.

    tools/vectors/filters.py [FOLDER]
    tools/vectors/filters.py --check     compares with what is in testvectors/filters
"""

import json
import pathlib
import random
import struct
import sys

STORED, LZ4, CONSTANT, BITS, DELTA_PLANES, DELTA_BITS = 0, 1, 2, 3, 16, 17
LIMIT = 1 << 20


# LZ4 blocks (lz4_Block_format): greedy, so that the bytes depend on no library's version.

def extended(length):
    if length < 15:
        return b""
    return b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])


def sequence(literals, match=None):
    token = min(15, len(literals)) << 4
    out = extended(len(literals)) + literals
    if match:
        offset, length = match
        token |= min(15, length - 4)
        out += struct.pack("<H", offset) + extended(length - 4)
    return bytes([token]) + out


def block(data):
    """The last match starts 12 bytes before the end or earlier, and 5 literals end the block."""
    out, anchor, place, seen = b"", 0, 0, {}
    while place < len(data) - 12:
        key = data[place:place + 4]
        start = seen.get(key)
        seen[key] = place
        if start is None or place - start > 65535:
            place += 1
            continue
        length = 4
        while place + length < len(data) - 5 and data[start + length] == data[place + length]:
            length += 1
        out += sequence(data[anchor:place], (place - start, length))
        place += length
        anchor = place
    return out + sequence(data[anchor:])


# Elements (§4).

def integers(data, size):
    return [int.from_bytes(data[i:i + size], "little") for i in range(0, len(data), size)]


def packed(values, size):
    return b"".join(value.to_bytes(size, "little") for value in values)


def mapped(raw, size, is_float, parent=None):
    bits, ones = 8 * size, (1 << 8 * size) - 1

    def in_order(value):
        return value ^ (ones >> 1) if is_float and value >> (bits - 1) else value

    if parent is None:
        return [(value << 1 | value >> (bits - 1)) & ones if is_float else value for value in integers(raw, size)]
    result = []
    for value, older in zip(integers(raw, size), integers(parent, size)):
        difference = (in_order(value) - in_order(older)) & ones
        result.append((difference << 1 ^ (ones if difference >> (bits - 1) else 0)) & ones)
    return result


# Payloads (§3, §5, §6).

def bits_payload(raw, size, is_float, parent=None, coded=None):
    values = mapped(raw, size, is_float, parent)
    whole = len(values) // 8 * 8
    planes = [bytes(sum((values[i + j] >> bit & 1) << j for j in range(8)) for i in range(0, whole, 8))
              for bit in range(8 * size)]
    if coded is None:
        coded = [bit for bit, plane in enumerate(planes)
                 if 8 * sum(a == b for a, b in zip(plane, plane[1:])) >= len(plane)]
    mask = sum(1 << bit for bit in coded)
    return (mask.to_bytes(size, "little") + packed(values[whole:], size)
            + b"".join(plane for bit, plane in enumerate(planes) if bit not in coded)
            + block(b"".join(planes[bit] for bit in coded)))


def planes_payload(raw, size, is_float, parent):
    values = mapped(raw, size, is_float, parent)
    stored = []
    for byte in range(size):
        plane = bytes(value >> 8 * byte & 255 for value in values)
        coded = block(plane)
        stored.append(coded if len(coded) < len(plane) - len(plane) // 64 else plane)
    return struct.pack(f"<{size}I", *map(len, stored)) + b"".join(stored)


def payload_of(codec, parameter, raw, parent):
    size, is_float = parameter & 127, parameter >= 128
    if codec == STORED:
        return raw
    if codec == LZ4:
        return block(raw)
    if codec == CONSTANT:
        return raw[:size]
    if codec == DELTA_PLANES:
        return planes_payload(raw, size, is_float, parent)
    return bits_payload(raw, size, is_float, parent if codec == DELTA_BITS else None)


def case(identity, codec, parameter, raw, parent=None):
    payload = payload_of(codec, parameter, raw, parent)
    assert codec == STORED or len(payload) < len(raw), identity
    return {"id": identity, "codec": codec, "parameter": parameter, "raw": raw.hex(),
            "parent": parent.hex() if parent is not None else None, "payload": payload.hex()}


# Bfloat16 weights a step apart: the worked bytes of spec/filters.md §8.
WORKED_PARENT = packed([0x3F80 + i // 8 for i in range(24)], 2)
WORKED = packed([0x3F81 + i // 8 for i in range(23)] + [0xBF82], 2)


def worked_cases():
    yield case("worked-stored", STORED, 0, bytes.fromhex("0102030405"))
    yield case("worked-lz4", LZ4, 0, bytes(24))
    yield case("worked-constant", CONSTANT, 0x84, bytes.fromhex("0000803f") * 6)
    yield case("worked-bits", BITS, 0x82, WORKED)
    yield case("worked-delta-planes", DELTA_PLANES, 0x82, WORKED, WORKED_PARENT)
    yield case("worked-delta-bits", DELTA_BITS, 0x82, WORKED, WORKED_PARENT)


def edges(size):
    """Zeros of both signs, least and greatest of each kind, infinities, NaN with payloads."""
    bits = 8 * size
    top, ones = 1 << (bits - 1), (1 << bits) - 1
    return [0, top, 1, top | 1, ones, top - 1, 0x7F80 << bits >> 16, 0x7FC1 << bits >> 16, 0xFF80 << bits >> 16,
            ones ^ 1, 0x3F80 << bits >> 16]


def element_cases():
    generator = random.Random(3)
    for size in (1, 2, 4, 8):
        for is_float in (False, True):
            parameter = size | (128 if is_float else 0)
            name = f"{'float' if is_float else 'integer'}-{size}"
            ones = (1 << 8 * size) - 1
            base = 0x3C00 << 8 * size >> 16
            parent = packed([(base + generator.getrandbits(8 * size - 4) // 3) & ones for _ in range(131)], size)
            raw = packed([(value + generator.choice((-2, -1, 0, 0, 1))) & ones for value in integers(parent, size)], size)
            yield case(f"{name}-delta-planes", DELTA_PLANES, parameter, raw, parent) if size > 1 else case(
                f"{name}-delta-planes", DELTA_PLANES, parameter, parent[:66] * 4, bytes([9]) * 66 * 4)
            yield case(f"{name}-delta-bits", DELTA_BITS, parameter, raw, parent)
            odd = packed([edges(size)[i // 24 % 11] for i in range(269)], size)
            turned = packed([edges(size)[i // 24 % 7] for i in range(269)], size)
            for codec, kind in ((DELTA_BITS, "delta-bits"), (DELTA_PLANES, "delta-planes")):
                yield case(f"{name}-edges-{kind}", codec, parameter, odd, turned)
                yield case(f"{name}-edges-turned-{kind}", codec, parameter, turned, odd)
            yield case(f"{name}-edges-bits", BITS, parameter, odd)
            for rest in range(8):
                yield case(f"{name}-bits-tail-{rest}", BITS, parameter, odd[:(136 + rest) * size])
            yield case(f"{name}-constant", CONSTANT, parameter, packed([ones - 2], size) * 5)


def refusal_cases():
    good = {one["id"]: one for one in worked_cases()}
    raw = {"stored": 5, "lz4": 24, "constant": 24, "bits": 48, "delta-planes": 48, "delta-bits": 48}

    def broken(identity, of, expect, comment, **changes):
        one = good[f"worked-{of}"]
        result = {"id": identity, "comment": comment, "codec": one["codec"], "parameter": one["parameter"],
                  "rawLength": raw[of], "chunkSize": LIMIT, "payload": one["payload"], "parent": one["parent"],
                  "expect": expect}
        for key, value in changes.items():
            result[key] = value.hex() if isinstance(value, bytes) else value
        return result

    def body(of):
        return bytes.fromhex(good[f"worked-{of}"]["payload"])

    for of in raw:
        yield broken(f"{of}-raw-above-limit", of, "limit", "the raw length is above the chunk size", chunkSize=raw[of] - 1)
        yield broken(f"{of}-empty", of, "malformed", "the raw length is 0", rawLength=0)
        if of == "stored":
            continue
        yield broken(f"{of}-no-payload", of, "limit" if of == "lz4" else "malformed", "the payload is empty", payload=b"")
        yield broken(f"{of}-payload-not-smaller", of, "malformed", "the payload is as long as the chunk",
                     payload=body(of) + bytes(raw[of] - len(body(of))))
    yield broken("stored-payload-above-limit", "stored", "limit", "the payload is above the chunk size",
                 chunkSize=5, payload=bytes(6))
    for of in ("stored", "lz4"):
        yield broken(f"{of}-parameter", of, "malformed", "a codec without elements has a parameter", parameter=1)
    for of in ("constant", "bits", "delta-planes", "delta-bits"):
        for parameter in (0, 3, 16, 127, 128, 0x83, 255):
            yield broken(f"{of}-parameter-{parameter}", of, "malformed", "no such element", parameter=parameter)
        yield broken(f"{of}-no-whole-elements", of, "malformed", "the raw length is no multiple of the element's",
                     rawLength=raw[of] + 1, **({"parent": bytes(49)} if of.startswith("delta") else {}))
    for of in ("stored", "lz4", "constant", "bits"):
        yield broken(f"{of}-with-parent", of, "malformed", "a parent for what is no delta", parent=bytes(raw[of]))
    for of in ("delta-planes", "delta-bits"):
        yield broken(f"{of}-without-parent", of, "malformed", "a delta without a parent", parent=None)
        yield broken(f"{of}-parent-shorter", of, "malformed", "the parent is an element shorter", parent=bytes(46))
        yield broken(f"{of}-parent-longer", of, "malformed", "the parent is an element longer", parent=bytes(50))
    yield broken("stored-shorter", "stored", "malformed", "fewer bytes than the raw length", payload=bytes(4))
    yield broken("stored-longer", "stored", "malformed", "more bytes than the raw length", payload=bytes(6))
    yield broken("lz4-cut", "lz4", "malformed", "the block is cut", payload=body("lz4")[:-1])
    yield broken("lz4-decodes-to-less", "lz4", "malformed", "23 bytes, the raw length is 24", payload=block(bytes(23)))
    yield broken("lz4-decodes-to-more", "lz4", "malformed", "25 bytes, the raw length is 24", payload=block(bytes(25)))
    yield broken("lz4-offset-before-the-start", "lz4", "malformed", "a match that goes back further than the start",
                 payload=bytes.fromhex("1e0005005000000000") + b"\0")
    yield broken("lz4-expansion", "lz4", "limit", "more than 255 bytes for each stored one", rawLength=255 * 10 + 1)
    yield broken("constant-cut", "constant", "malformed", "less than an element", payload=bytes(3))
    yield broken("constant-two-elements", "constant", "malformed", "two elements", payload=bytes(8))
    bits = body("bits")
    mask, rest = bits[:2], bits[2:]
    yield broken("bits-mask-cut", "bits", "malformed", "half of the mask", payload=mask[:1])
    yield broken("bits-plain-cut", "bits", "malformed", "the plain planes are cut", payload=b"\1\0" + bytes(44))
    yield broken("bits-tail-cut", "bits", "malformed", "no room for the tail", rawLength=46, payload=bits[:2] + bytes(5))
    yield broken("bits-no-block", "bits", "limit", "an empty LZ4 block", payload=b"\xff\xff")
    yield broken("bits-nothing-coded", "bits", "malformed", "no plane is coded and they have no room",
                 payload=bytes(47))
    yield broken("bits-mask-more", "bits", "malformed", "the block is a plane shorter than the mask says",
                 payload=b"\xff\xff" + block(bytes(45)))
    yield broken("bits-mask-less", "bits", "malformed", "the block is a plane longer than the mask says",
                 payload=b"\xfe\xff" + bytes(3) + block(bytes(48)))
    yield broken("bits-block-cut", "bits", "malformed", "the block is cut", payload=bits[:-1])
    yield broken("bits-after-block", "bits", "malformed", "a byte after the block", payload=bits + b"\0")
    yield broken("bits-expansion", "bits", "limit", "more than 255 bytes for each stored one", rawLength=16 * 512,
                 payload=b"\xff\xff" + bytes(32))
    planes = body("delta-planes")
    first, second = struct.unpack("<2I", planes[:8])

    def lengths(*values, tail=planes[8:]):
        return struct.pack("<2I", *values) + tail

    yield broken("delta-planes-lengths-cut", "delta-planes", "malformed", "the lengths are cut", payload=planes[:7])
    yield broken("delta-planes-past-the-end", "delta-planes", "malformed", "a plane ends after the payload",
                 payload=lengths(first, second + 1))
    yield broken("delta-planes-huge", "delta-planes", "malformed", "a plane of 4 GiB", payload=lengths(first, 0xFFFFFFFF))
    yield broken("delta-planes-longer-than-a-plane", "delta-planes", "malformed", "25 bytes for 24 elements",
                 payload=lengths(25, 5, tail=bytes(30)))
    yield broken("delta-planes-no-plane", "delta-planes", "limit", "an LZ4 block of no bytes",
                 payload=lengths(0, second, tail=planes[8 + first:]))
    yield broken("delta-planes-after-the-last", "delta-planes", "malformed", "a byte after the last plane",
                 payload=planes + b"\0")
    yield broken("delta-planes-block-shorter", "delta-planes", "malformed", "a block of 23 bytes for 24 elements",
                 payload=lengths(first, len(block(bytes(23))), tail=planes[8:8 + first] + block(bytes(23))))
    yield broken("delta-planes-block-longer", "delta-planes", "malformed", "a block of 25 bytes for 24 elements",
                 payload=lengths(first, len(block(bytes(25))), tail=planes[8:8 + first] + block(bytes(25))))
    yield broken("delta-planes-expansion", "delta-planes", "limit", "more than 255 bytes for each stored one",
                 rawLength=2 * 2560, parent=bytes(2 * 2560), payload=lengths(10, 10, tail=bytes(20)))
    delta = body("delta-bits")
    yield broken("delta-bits-block-cut", "delta-bits", "malformed", "the block is cut", payload=delta[:-1])
    yield broken("delta-bits-after-block", "delta-bits", "malformed", "a byte after the block", payload=delta + b"\0")
    yield broken("delta-bits-mask-cut", "delta-bits", "malformed", "half of the mask", payload=delta[:1])


# Frames (§2).

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def frame(codec, parameter, raw_length, payload, magic=b"PC", length=None):
    head = magic + struct.pack("<BBII", codec, parameter, len(payload) if length is None else length, raw_length)
    return head + struct.pack("<I", crc32c(head + payload)) + payload


def frame_cases():
    for one in worked_cases():
        payload = bytes.fromhex(one["payload"])
        yield {"id": f"frame-{one['id'][7:]}", "comment": "a whole frame", "chunkSize": LIMIT, "expect": None,
               "frame": frame(one["codec"], one["parameter"], len(one["raw"]) // 2, payload).hex()}
    good = frame(LZ4, 0, 24, block(bytes(24)))

    def broken(identity, expect, comment, data, size=LIMIT):
        return {"id": identity, "comment": comment, "chunkSize": size, "expect": expect, "frame": data.hex()}

    for count in range(16):
        yield broken(f"frame-cut-{count}", "damaged", "the header is cut", good[:count])
    yield broken("frame-payload-cut", "damaged", "the payload is cut", good[:-1])
    yield broken("frame-payload-longer", "damaged", "a byte after the payload", good + b"\0")
    for place in range(16):
        yield broken(f"frame-flipped-{place}", "damaged", "one bit of the header is turned over",
                     good[:place] + bytes([good[place] ^ 1]) + good[place + 1:])
    yield broken("frame-payload-flipped", "damaged", "one bit of the payload is turned over",
                 good[:-1] + bytes([good[-1] ^ 128]))
    yield broken("frame-magic", "malformed", "another magic", frame(LZ4, 0, 24, block(bytes(24)), magic=b"PD"))
    for codec in (4, 15, 18, 31, 32, 128, 255):
        yield broken(f"frame-codec-{codec}", "unsupported", "no such codec", frame(codec, 0, 24, block(bytes(24))))
    yield broken("frame-raw-above-limit", "limit", "24 bytes where a chunk has 23", good, 23)
    yield broken("frame-payload-above-limit", "limit", "a payload above the chunk size", frame(STORED, 0, 5, bytes(6)), 5)
    yield broken("frame-raw-zero", "malformed", "an empty chunk", frame(STORED, 0, 0, b"\0"))
    yield broken("frame-no-payload", "malformed", "an empty payload", frame(STORED, 0, 1, b""))
    yield broken("frame-length-less", "malformed", "the payload length is one less", frame(STORED, 0, 5, bytes(5), length=4))
    yield broken("frame-length-more", "malformed", "the payload length is one more", frame(STORED, 0, 5, bytes(5), length=6))


def files():
    lists = {"payloads": [*worked_cases(), *element_cases()], "refusals": list(refusal_cases()),
             "frames": list(frame_cases())}
    for name, cases in lists.items():
        identities = [one["id"] for one in cases]
        assert len(set(identities)) == len(identities), name
        yield f"{name}.json", "[\n" + ",\n".join(" " + json.dumps(one) for one in cases) + "\n]\n"


def main():
    home = pathlib.Path(__file__).resolve().parents[2] / "testvectors/filters"
    arguments = sys.argv[1:]
    if arguments == ["--check"]:
        different = [name for name, text in files() if not (home / name).is_file() or (home / name).read_text() != text]
        if different:
            sys.exit(f"filters.py: error: testvectors/filters differs: {', '.join(different)}")
        return
    folder = pathlib.Path(arguments[0]) if arguments else home
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
