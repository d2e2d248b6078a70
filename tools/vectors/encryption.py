#!/usr/bin/env python3
"""Writes testvectors/encryption from spec/encryption.md, in plain Python with the `cryptography` package.

    tools/vectors/encryption.py [--check]

`--check` compares with what is there and writes nothing. The files of published cases (aes-256-gcm.json,
chacha20-poly1305.json, x25519.json; see the README there) are not written: each of their answers is computed again.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "testvectors" / "encryption"
CHUNK, RECORD, SETTINGS, POLICY, CLAIMS, INDEX, NORMS, POINT = range(1, 9)
ARCHIVE, OTHER = bytes(range(32)), bytes(range(1, 33))
EPOCH_KEY, OTHER_KEY = b"\x42" * 32, b"\x43" * 32
SEAL = hashlib.sha256(b"a seal").digest()


def u8(n): return struct.pack("<B", n)
def u16(n): return struct.pack("<H", n)
def u32(n): return struct.pack("<I", n)
def u64(n): return struct.pack("<Q", n)


def hkdf(secret, salt, info):
    key = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()


# Objects (§4)

def object_id(key, archive, kind, content):
    return hkdf(key, b"pol/v1/object-id\n", archive + u8(kind) + hashlib.sha256(content).digest())


def object_key(key, archive, kind, identity):
    return hkdf(key, b"pol/v1/object-key\n", archive + u8(kind) + identity)


def commitment(key, archive, epoch):
    return hkdf(key, b"pol/v1/key-commitment\n", archive + u32(epoch))


def associated(archive, epoch, kind, codec, parameter, raw_length, length):
    return (b"pol/v1/object-data\n" + archive + u32(epoch) + u8(kind) + u8(codec) + u8(parameter)
            + u32(raw_length) + u32(length))


def seal(kind, encoded, codec=0, parameter=0, raw_length=None, key=EPOCH_KEY, archive=ARCHIVE, epoch=1):
    raw_length = len(encoded) if raw_length is None else raw_length
    start = u8(codec) + u8(parameter) + u32(raw_length) if kind == CHUNK else b""
    identity = object_id(key, archive, kind, start + encoded)
    secret = object_key(key, archive, kind, identity)
    data = associated(archive, epoch, kind, codec, parameter, raw_length, len(encoded))
    sealed = AESGCM(secret).encrypt(identity[:12], encoded, data)
    return {"archiveId": archive.hex(), "epoch": epoch, "kind": kind, "codec": codec, "parameter": parameter,
            "rawLength": raw_length, "objectId": identity.hex(), "objectKey": secret.hex(), "sealed": sealed.hex()}


def object_cases():
    plain = [
        ("chunk", CHUNK, b"0123456789abcdef", {}),
        ("chunk-encoded", CHUNK, b"\x07" * 21, {"codec": 3, "parameter": 0x84, "raw_length": 4096}),
        ("chunk-as-record", RECORD, b"0123456789abcdef", {}),
        ("record", RECORD, b"\x00record and envelope", {"raw_length": 19}),
        ("settings", SETTINGS, b"{}", {}), ("policy", POLICY, b"{}", {}), ("claims", CLAIMS, b"{}", {}),
        ("record-index", INDEX, bytes(52), {}), ("norms", NORMS, bytes(8), {}),
        ("point", POINT, b"\x01" * 100, {}), ("point-empty", POINT, b"", {}),
        ("other-archive", CHUNK, b"0123456789abcdef", {"archive": OTHER}),
        ("other-epoch", CHUNK, b"0123456789abcdef", {"epoch": 2}),
        ("last-epoch", CHUNK, b"0123456789abcdef", {"epoch": 2**32 - 1}),
        ("other-key", CHUNK, b"0123456789abcdef", {"key": OTHER_KEY}),
        ("other-raw-length", CHUNK, b"0123456789abcdef", {"raw_length": 17}),
    ]
    for name, kind, encoded, options in plain:
        key = options.get("key", EPOCH_KEY)
        case = seal(kind, encoded, **options)
        yield {"id": name, "epochKey": key.hex(), **case, "encoded": encoded.hex(), "expect": "opened",
               "commitment": commitment(key, bytes.fromhex(case["archiveId"]), case["epoch"]).hex()}

    def refused(name, base, **change):
        return {"id": name, **{**base, **change}, "expect": "damaged"}

    base = seal(CHUNK, b"0123456789abcdef", codec=1, parameter=0, raw_length=40)
    sealed = bytes.fromhex(base["sealed"])
    flip = lambda text, at: (b := bytearray(bytes.fromhex(text))).__setitem__(at, b[at] ^ 1) or b.hex()
    yield refused("ciphertext-altered", base, sealed=flip(base["sealed"], 0))
    yield refused("tag-altered", base, sealed=flip(base["sealed"], -1))
    yield refused("tag-cut", base, sealed=sealed[:-1].hex())
    yield refused("shorter-than-a-tag", base, sealed=sealed[:15].hex())
    yield refused("nothing", base, sealed="")
    yield refused("byte-added", base, sealed=sealed.hex() + "00")
    yield refused("nonce-altered", base, objectId=flip(base["objectId"], 11))
    yield refused("key-altered", base, objectKey=flip(base["objectKey"], 31))
    yield refused("codec-changed", base, codec=0)
    yield refused("parameter-changed", base, parameter=1)
    yield refused("raw-length-changed", base, rawLength=41)
    yield refused("kind-changed", base, kind=RECORD)
    yield refused("archive-changed", base, archiveId=OTHER.hex())
    yield refused("epoch-changed", base, epoch=2)
    other = seal(CHUNK, b"0123456789abcdef", codec=1, parameter=0, raw_length=40, key=OTHER_KEY)
    yield refused("key-of-another-epoch-key", base, objectKey=other["objectKey"])
    for kind, name in ((SETTINGS, "settings"), (POLICY, "policy"), (POINT, "point")):
        case = seal(kind, b"{}")
        yield refused(f"{name}-as-claims", case, kind=CLAIMS)
        yield refused(f"{name}-other-raw-length", case, rawLength=3)


def enc_file(kind, plaintext, magic=b"polencf1", stated=None, reserved=bytes(3), **options):
    case = seal(kind, plaintext, **options)
    length = len(plaintext) if stated is None else stated
    return (magic + u8(kind) + reserved + u32(length) + bytes.fromhex(case["objectId"])
            + bytes.fromhex(case["sealed"]))


def file_cases():
    """`kind` is what the file's name asks for; the key is derived from the epoch key and the object id."""
    head = {"archiveId": ARCHIVE.hex(), "epoch": 1, "epochKey": EPOCH_KEY.hex()}

    def case(name, kind, data, expect, **more):
        return {"id": name, **head, "kind": kind, "bytes": data.hex(), "expect": expect, **more}

    text = b'{"a":1}'
    for name, kind in (("settings", 3), ("policy", 4), ("claims", 5), ("record-index", 6), ("norms", 7)):
        yield case(name, kind, enc_file(kind, text), "opened", plaintext=text.hex())
    yield case("empty", NORMS, enc_file(NORMS, b""), "opened", plaintext="")
    good = enc_file(POLICY, text)
    yield case("other-magic", POLICY, enc_file(POLICY, text, magic=b"polencf2"), "malformed")
    yield case("kind-of-another-name", SETTINGS, good, "malformed")
    yield case("kind-of-another-file", CLAIMS, good[:8] + u8(CLAIMS) + good[9:], "damaged")
    yield case("kind-chunk", CHUNK, enc_file(CHUNK, text)[:8] + u8(POLICY) + good[9:], "malformed")
    for at in range(3):
        reserved = bytes(at) + b"\x01" + bytes(2 - at)
        yield case(f"reserved-{at}", POLICY, enc_file(POLICY, text, reserved=reserved), "malformed")
    yield case("length-too-small", POLICY, enc_file(POLICY, text, stated=6), "malformed")
    yield case("length-too-large", POLICY, enc_file(POLICY, text, stated=8), "malformed")
    yield case("length-at-limit", POLICY, enc_file(POLICY, text, stated=2**30), "malformed")
    yield case("length-over-limit", POLICY, enc_file(POLICY, text, stated=2**30 + 1), "limit")
    yield case("length-largest", POLICY, enc_file(POLICY, text, stated=2**32 - 1), "limit")
    yield case("cut-in-header", POLICY, good[:47], "malformed")
    yield case("cut-in-tag", POLICY, good[:-1], "malformed")
    yield case("byte-added", POLICY, good + b"\0", "malformed")
    yield case("id-altered", POLICY, good[:16] + bytes([good[16] ^ 1]) + good[17:], "damaged")
    yield case("ciphertext-altered", POLICY, good[:48] + bytes([good[48] ^ 1]) + good[49:], "damaged")
    yield case("of-another-archive", POLICY, enc_file(POLICY, text, archive=OTHER), "damaged")
    yield case("of-another-epoch", POLICY, enc_file(POLICY, text, epoch=2), "damaged")
    yield case("under-another-key", POLICY, enc_file(POLICY, text, key=OTHER_KEY), "damaged")
    point = lambda data: (c := seal(POINT, data)) and bytes.fromhex(c["objectId"] + c["sealed"])
    yield case("point", POINT, point(b"\x05" * 9), "opened", plaintext=(b"\x05" * 9).hex())
    yield case("point-empty", POINT, point(b""), "opened", plaintext="")
    yield case("point-cut-in-id", POINT, point(b"")[:31], "malformed")
    yield case("point-cut-in-tag", POINT, point(b"")[:-1], "malformed")
    yield case("point-altered", POINT, point(b"a")[:-1] + b"\0", "damaged")
    yield case("point-of-another-kind", POINT, enc_file(POLICY, text)[16:], "damaged")


# Grants (§6)

def grant(scope, magic=b"polgrnt1", version=1, suite=1, epoch=1, archive=ARCHIVE, seal_digest=SEAL,
          scope_byte=None, reserved=bytes(3)):
    number = 0 if isinstance(scope, bytes) and scope_byte is None else 1
    return (magic + u16(version) + u16(suite) + u32(epoch) + archive + seal_digest
            + u8(number if scope_byte is None else scope_byte) + reserved + scope)


def secret(kind, number):
    return hashlib.sha256(b"key" + u8(kind) + u64(number)).digest()


def rows_for(segments, points=(), claims=True):
    records = sorted({0} | {s + n for s in segments for n in (1, 2)})
    rows = [(RECORD, n) for n in records] + [(SETTINGS, 0), (POLICY, 0)]
    rows += [(CLAIMS, 0)] if claims else []
    return rows + [(INDEX, 0), (NORMS, 0)] + [(POINT, n) for n in points]


def segment_scope(segments, rows, segment_count=None, row_count=None):
    return (u32(len(segments) if segment_count is None else segment_count)
            + b"".join(map(u32, segments)) + u32(len(rows) if row_count is None else row_count)
            + b"".join(u8(k) + u64(n) + secret(k, n) for k, n in rows))


def grant_cases():
    facts = {"archiveId": ARCHIVE.hex(), "epoch": 1, "sealDigest": SEAL.hex(),
             "keyCommitment": commitment(EPOCH_KEY, ARCHIVE, 1).hex()}

    def case(name, data, expect, offset=None, **more):
        place = {} if offset is None else {"offset": str(offset)}
        return {"id": name, "bytes": data.hex(), **facts, "expect": expect, **place, **more}

    def segments_grant(segments, rows, **options):
        return grant(segment_scope(segments, rows, **{k: v for k, v in options.items() if k.endswith("_count")}),
                     scope_byte=options.get("scope_byte", 1), reserved=options.get("reserved", bytes(3)))

    whole = grant(EPOCH_KEY)
    rows = rows_for([0, 1, 4], [3, 7, 2**40])
    some = segments_grant([0, 1, 4], rows)
    yield case("whole-archive", whole, "accepted")
    yield case("segments", some, "accepted", asks=[
        {"kind": k, "number": str(n), "expect": "key", "key": secret(k, n).hex()} for k, n in rows
    ] + [{"kind": k, "number": str(n), "expect": "outsideGrant"} for k, n in [
        (CHUNK, 0), (RECORD, 4), (RECORD, 7), (RECORD, 2**64 - 1), (SETTINGS, 1), (POINT, 0), (POINT, 4),
        (POINT, 2**40 + 1)]])
    yield case("segments-without-claims", segments_grant([2], rows_for([2], claims=False)), "accepted",
               asks=[{"kind": CLAIMS, "number": "0", "expect": "outsideGrant"}])
    yield case("no-segment", segments_grant([], rows_for([])), "accepted",
               asks=[{"kind": RECORD, "number": "1", "expect": "outsideGrant"}])
    yield case("last-segment-number", segments_grant([2**32 - 1], rows_for([2**32 - 1])), "accepted")

    yield case("other-archive", grant(EPOCH_KEY, archive=OTHER), "otherArchive")
    yield case("other-epoch", grant(EPOCH_KEY, epoch=2), "otherEpoch")
    yield case("other-seal", grant(EPOCH_KEY, seal_digest=OTHER), "otherSeal")
    yield case("key-not-committed-to", grant(OTHER_KEY), "wrongKey")
    yield case("commitment-of-another-epoch", whole, "wrongKey",
               keyCommitment=commitment(EPOCH_KEY, ARCHIVE, 2).hex())
    yield case("commitment-of-another-archive", whole, "wrongKey",
               keyCommitment=commitment(EPOCH_KEY, OTHER, 1).hex())
    yield case("segments-of-another-archive", grant(segment_scope([2], rows_for([2])), scope_byte=1, archive=OTHER),
               "otherArchive")
    yield case("segments-of-another-epoch", grant(segment_scope([2], rows_for([2])), scope_byte=1, epoch=3),
               "otherEpoch")
    yield case("segments-of-another-seal",
               grant(segment_scope([2], rows_for([2])), scope_byte=1, seal_digest=OTHER), "otherSeal")

    yield case("empty", b"", "malformed", 0)
    yield case("other-magic", grant(EPOCH_KEY, magic=b"polgrnt2"), "malformed", 0)
    yield case("version-0", grant(EPOCH_KEY, version=0), "unsupported", 8)
    yield case("version-2", grant(EPOCH_KEY, version=2), "unsupported", 8)
    yield case("suite-0", grant(EPOCH_KEY, suite=0), "unsupported", 10)
    yield case("suite-2", grant(EPOCH_KEY, suite=2), "unsupported", 10)
    yield case("epoch-0", grant(EPOCH_KEY, epoch=0), "malformed", 12)
    yield case("scope-2", grant(EPOCH_KEY, scope_byte=2), "unsupported", 80)
    for at in range(3):
        yield case(f"reserved-{at}", grant(EPOCH_KEY, reserved=bytes(at) + b"\1" + bytes(2 - at)), "malformed", 81)
    yield case("key-cut", whole[:-1], "malformed", 84)
    yield case("byte-added", whole + b"\0", "malformed", 116)
    yield case("segments-byte-added", some + b"\0", "malformed", len(some))
    yield case("segments-cut", some[:-1], "malformed", 100)
    yield case("cut-in-segments", some[:95], "malformed", 84)
    yield case("segment-count-over-limit", segments_grant([], [], segment_count=2**20 + 1), "limit", 84)
    yield case("segment-count-over-bytes", segments_grant([], [], segment_count=2**20), "malformed", 84)
    yield case("key-count-over-limit", segments_grant([], [], row_count=2**20 + 1), "limit", 88)
    yield case("key-count-over-bytes", segments_grant([], [], row_count=1), "malformed", 88)
    yield case("segment-twice", segments_grant([1, 1], rows_for([1])), "malformed", 88)
    yield case("segments-descend", segments_grant([4, 1], rows_for([1, 4])), "malformed", 88)
    yield case("key-twice", segments_grant([2], rows_for([2]) + [(NORMS, 0)]), "malformed", 96)
    yield case("keys-descend", segments_grant([2], rows_for([2], [5, 4])), "malformed", 96)
    yield case("kinds-descend", segments_grant([2], [(SETTINGS, 0), (RECORD, 0)] + rows_for([2])[4:]), "malformed", 96)
    yield case("kind-0", segments_grant([2], [(0, 0)] + rows_for([2])), "unsupported", 96)
    yield case("kind-9", segments_grant([2], rows_for([2]) + [(9, 0)]), "unsupported", 96 + 8 * 41)
    yield case("chunk-key", segments_grant([2], [(CHUNK, 0)] + rows_for([2])), "malformed", 96)
    yield case("record-of-no-segment", segments_grant([2], rows_for([2, 3])), "malformed", 96 + 3 * 41)
    for name, kind in (("settings", SETTINGS), ("policy", POLICY), ("record-index", INDEX), ("norms", NORMS)):
        without = [row for row in rows_for([2]) if row[0] != kind]
        yield case(f"{name}-missing", segments_grant([2], without), "malformed", 96)
        numbered = sorted([(k, 1) if k == kind else (k, n) for k, n in rows_for([2])])
        at = 96 + 41 * numbered.index((kind, 1))
        yield case(f"{name}-numbered", segments_grant([2], numbered), "malformed", at)
    for record in (0, 3, 4):
        without = [row for row in rows_for([2]) if row != (RECORD, record)]
        yield case(f"record-{record}-missing", segments_grant([2], without), "malformed", 96)


# age (C2SP age.md)

def bech32(prefix, data):
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    total = 1
    for value in ([ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values + [0] * 6):
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            total ^= generator if top >> bit & 1 else 0
    total ^= 1
    values += [total >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(alphabet[value] for value in values)


def b64(data):
    return base64.b64encode(data).decode().rstrip("=")


def age(plaintext, identity, file_key=b"YELLOW SUBMARINE", ephemeral=b"\x21" * 32, nonce=b"\x22" * 16):
    """An age file with all that is random given."""
    share = X25519PrivateKey.from_private_bytes(ephemeral)
    recipient = X25519PrivateKey.from_private_bytes(identity).public_key()
    mine, theirs = share.public_key().public_bytes_raw(), recipient.public_bytes_raw()
    wrap = hkdf(share.exchange(recipient), mine + theirs, b"age-encryption.org/v1/X25519")
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, b"")
    header = f"age-encryption.org/v1\n-> X25519 {b64(mine)}\n{b64(body)}\n---".encode()
    mac = hmac.new(hkdf(file_key, bytes(32), b"header"), header, hashlib.sha256).digest()
    key = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    chunks = [plaintext[i:i + 65536] for i in range(0, len(plaintext), 65536)] or [b""]
    sealed = b"".join(key.encrypt(i.to_bytes(11, "big") + bytes([i == len(chunks) - 1]), chunk, b"")
                      for i, chunk in enumerate(chunks))
    return header + f" {b64(mac)}\n".encode() + nonce + sealed


def grant_file_cases():
    mine, other = b"\x11" * 32, b"\x12" * 32
    text = bech32("age-secret-key-", mine).upper()
    whole = grant(EPOCH_KEY)
    good = age(whole, mine)

    def case(name, data, expect, identity=text):
        return {"id": name, "identity": identity, "bytes": data.hex(), "expect": expect}

    yield {**case("whole-archive", good, "opened"), "grantDigest": hashlib.sha256(whole).hexdigest()}
    long = grant(segment_scope([2], rows_for([2], range(1600))), scope_byte=1)
    yield {**case("two-age-chunks", age(long, mine), "opened"), "grantDigest": hashlib.sha256(long).hexdigest()}
    yield case("for-somebody-else", good, "wrongKey", bech32("age-secret-key-", other).upper())
    yield case("header-altered", good.replace(b"-> X25519 ", b"-> a\n\n-> X25519 "), "damaged")
    yield case("payload-altered", good[:-1] + bytes([good[-1] ^ 1]), "damaged")
    yield case("payload-cut", good[:-1], "damaged")
    yield case("byte-added", good + b"\0", "damaged")
    yield case("age-v2", good.replace(b"/v1\n", b"/v2\n"), "unsupported")
    yield case("not-age", whole, "malformed")
    yield case("another-plaintext", age(b"", mine), "malformed")
    yield case("grant-byte-added", age(whole + b"\0", mine), "malformed")
    yield case("grant-version-2", age(grant(EPOCH_KEY, version=2), mine), "unsupported")


# One ciphertext, two keys (§8)

def times(x, y):
    """Product in GCM's field, blocks as integers with the first bit highest (SP 800-38D §6.3)."""
    z = 0
    for i in range(128):
        if x >> (127 - i) & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def power(x, n):
    result = 1 << 127
    for _ in range(n):
        result = times(result, x)
    return result


def inverse(x):
    result, base, n = 1 << 127, x, 2**128 - 2
    while n:
        result = times(result, base) if n & 1 else result
        base, n = times(base, base), n >> 1
    return result


def block(key, data):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(data)


def double_opening():
    """A chunk of three blocks: the first chosen for one key, the second for the other, the third makes the tags equal.

    For keys 1 and 2 the tag is E(nonce || 1) + sum of block_i * H^(n - i + 1) over data, ciphertext and lengths. Both
    are linear in one free block x, at power 2 of H: x = (sum_1 + sum_2) / (H_1^2 + H_2^2).
    """
    # Anybody may choose an object id: it is stored in clear and only names the object.
    identity = hashlib.sha256(b"one ciphertext, two keys").digest()
    nonce, length = identity[:12], 48
    data = associated(ARCHIVE, 1, CHUNK, 0, 0, length, length)
    keys = [object_key(key, ARCHIVE, CHUNK, identity) for key in (EPOCH_KEY, OTHER_KEY)]
    stream = [b"".join(block(key, nonce + (i + 2).to_bytes(4, "big")) for i in range(3)) for key in keys]
    xor = lambda a, b: bytes(p ^ q for p, q in zip(a, b))
    first = xor(b"honest weights 1", stream[0][:16]) + xor(b"forged weights 2", stream[1][16:32])
    padded = data + bytes(-len(data) % 16)
    lengths = (8 * len(data)).to_bytes(8, "big") + (8 * length).to_bytes(8, "big")
    blocks = [(padded + first + bytes(16) + lengths)[i:i + 16] for i in range(0, len(padded) + 64, 16)]
    sums, squares = [], []
    for key in keys:
        h = int.from_bytes(block(key, bytes(16)), "big")
        total = int.from_bytes(block(key, nonce + b"\0\0\0\1"), "big")
        for i, each in enumerate(blocks):
            total ^= times(int.from_bytes(each, "big"), power(h, len(blocks) - i))
        sums.append(total)
        squares.append(power(h, 2))
    free = times(sums[0] ^ sums[1], inverse(squares[0] ^ squares[1]))
    sealed = first + free.to_bytes(16, "big") + (sums[0] ^ times(free, squares[0])).to_bytes(16, "big")
    plaintexts = [AESGCM(key).decrypt(nonce, sealed, data) for key in keys]
    assert plaintexts[0] != plaintexts[1]
    for key, plaintext in zip((EPOCH_KEY, OTHER_KEY), plaintexts):
        yield {"id": "under-" + key[:1].hex(), "archiveId": ARCHIVE.hex(), "epoch": 1, "epochKey": key.hex(),
               "kind": CHUNK, "codec": 0, "parameter": 0, "rawLength": length, "objectId": identity.hex(),
               "sealed": sealed.hex(), "plaintext": plaintext.hex(),
               "commitment": commitment(key, ARCHIVE, 1).hex(), "rawDigest": hashlib.sha256(plaintext).hexdigest()}


def check_published():
    """The answers of Wycheproof, given again by the `cryptography` package."""
    for name, cipher in (("aes-256-gcm", AESGCM), ("chacha20-poly1305", ChaCha20Poly1305)):
        for case in json.loads((FOLDER / f"{name}.json").read_text()):
            key, nonce, data, sealed = (bytes.fromhex(case[k]) for k in ("key", "nonce", "data", "sealed"))
            try:
                opened = cipher(key).decrypt(nonce, sealed, data).hex()
            except InvalidTag:
                opened = None
            if opened != (case["plaintext"] if case["valid"] else None):
                sys.exit(f"encryption.py: error: {name} {case['id']}")
    for case in json.loads((FOLDER / "x25519.json").read_text()):
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["private"]))
        try:
            shared = private.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(case["public"]))).hex()
        except ValueError:
            shared = None
        if shared != (case["shared"] if case["valid"] else None):
            sys.exit(f"encryption.py: error: x25519 {case['id']}")


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    check_published()
    for name, cases in [("objects", object_cases()), ("files", file_cases()), ("grants", grant_cases()),
                        ("grant-files", grant_file_cases()), ("double-opening", double_opening())]:
        cases = list(cases)
        if len({case["id"] for case in cases}) != len(cases):
            sys.exit(f"encryption.py: error: an id stands twice in {name}")
        text = "[\n" + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]\n"
        path = FOLDER / f"{name}.json"
        if not sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"encryption.py: error: {path} is not what this writes")
        print(f"{path.name}: {len(cases)} cases")


if __name__ == "__main__":
    main()
