#!/usr/bin/env python3
"""Writes testvectors/primitives/*.json; every answer is computed or confirmed here, without Swift.

    tools/vectors/primitives.py [FOLDER]

Needs the `cryptography` package. Published answers (FIPS 180-4, RFC 4231, 5869, 8032, 8439) are
written down below and must equal what is computed; accepted JSON and base64 are read by Python too.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, ed448, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ORDER = 2**252 + 27742317777372353535851937790883648493


def same(what, computed, published):
    if published is not None and computed != published:
        sys.exit(f"primitives.py: error: {what} is {computed}, published is {published}")
    return computed


def sha256_cases():
    cases = [
        ("empty", b"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", b"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("two-blocks", b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        ("million-a", b"a", 1_000_000,
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ]
    cases += [(f"zeros-{n}", b"\0", n, None) for n in (55, 56, 57, 63, 64, 65, 119, 120, 4096)]
    for name, unit, times, published in cases:
        digest = same(name, hashlib.sha256(unit * times).hexdigest(), published)
        yield {"id": name, "unit": unit.hex(), "times": times, "digest": digest}


def hmac_cases():
    block = b"Test Using Larger Than Block-Size Key - Hash Key First"
    long = (b"This is a test using a larger than block-size key and a larger than block-size data."
            b" The key needs to be hashed before being used by the HMAC algorithm.")
    cases = [
        ("rfc4231-1", b"\x0b" * 20, b"Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        ("rfc4231-2", b"Jefe", b"what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ("rfc4231-3", b"\xaa" * 20, b"\xdd" * 50,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ("rfc4231-4", bytes(range(1, 26)), b"\xcd" * 50,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        ("rfc4231-6", b"\xaa" * 131, block,
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        ("rfc4231-7", b"\xaa" * 131, long,
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        ("empty-key", b"", b"message", None),
        ("empty-message", b"key", b"", None),
        ("empty-both", b"", b"", None),
    ]
    for name, key, message, published in cases:
        digest = same(name, hmac.new(key, message, hashlib.sha256).hexdigest(), published)
        yield {"id": name, "key": key.hex(), "message": message.hex(), "digest": digest}


def hkdf_cases():
    """The first 32 bytes of output: RFC 5869 asks for 42 or 82, of which these are the prefix."""
    cases = [
        ("rfc5869-1", b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)),
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"),
        ("rfc5869-2", bytes(range(80)), bytes(range(0x60, 0xB0)), bytes(range(0xB0, 0x100)),
         "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"),
        ("rfc5869-3", b"\x0b" * 22, b"", b"",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"),
        ("empty-secret", b"", b"salt", b"info", None),
        ("long-salt", b"\x01" * 32, b"\x02" * 100, b"info", None),
    ]
    for name, secret, salt, info, published in cases:
        out = HKDF(SHA256(), 32, salt or None, info).derive(secret).hex()
        yield {"id": name, "secret": secret.hex(), "salt": salt.hex(), "info": info.hex(),
               "output": same(name, out, published)}


SECRETS = [
    ("rfc8032-1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
     "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("rfc8032-2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("rfc8032-3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("long-message", "01" * 32, "a5" * 1023, None, None),
]


def raw_public(key):
    return key.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def signing_cases():
    for name, seed, message, public, signature in SECRETS:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        yield {"id": name, "seed": seed, "message": message,
               "publicKey": same(name, raw_public(key).hex(), public),
               "signature": same(name, key.sign(bytes.fromhex(message)).hex(), signature)}


def verifying_cases():
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRETS[2][1]))
    public, message = raw_public(key), b"\xaf\x82"
    good = key.sign(message)
    other = raw_public(ed25519.Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
    scalar = int.from_bytes(good[32:], "little")

    def with_scalar(value):
        return good[:32] + value.to_bytes(32, "little")

    def flipped(bit):
        out = bytearray(good)
        out[bit // 8] ^= 1 << bit % 8
        return bytes(out)

    cases = [
        ("good", "the signature as made", public, message, good),
        ("s-plus-order", "S + L satisfies the equation but is not below L", public, message,
         with_scalar(scalar + ORDER)),
        ("s-is-order", "S = L", public, message, with_scalar(ORDER)),
        ("s-zero", "S = 0", public, message, with_scalar(0)),
        ("s-all-ones", "S = 2^256 - 1", public, message, good[:32] + b"\xff" * 32),
        ("s-negated", "L - S", public, message, with_scalar(ORDER - scalar)),
        ("r-zero", "R is 32 zero bytes", public, message, bytes(32) + good[32:]),
        ("r-identity", "R is the neutral element", public, message, b"\1" + bytes(31) + good[32:]),
        ("r-not-canonical", "R is 2^255 - 18, the neutral element again", public, message,
         b"\xee" + b"\xff" * 30 + b"\x7f" + good[32:]),
        ("halves-swapped", "S || R", public, message, good[32:] + good[:32]),
        ("zeros", "64 zero bytes", public, message, bytes(64)),
        ("empty", "no bytes", public, message, b""),
        ("one-short", "63 bytes", public, message, good[:63]),
        ("one-long", "65 bytes", public, message, good + b"\0"),
        ("twice", "the signature twice", public, message, good + good),
        ("other-message", "one bit of the message", public, b"\xaf\x83", good),
        ("message-cut", "the message without its last byte", public, b"\xaf", good),
        ("message-empty", "no message", public, b"", good),
        ("other-key", "somebody else's key", other, message, good),
        ("key-no-point", "y = 2 is on no point of the curve", b"\2" + bytes(31), message, good),
    ]
    cases += [(f"bit-{bit}", f"bit {bit} flipped", public, message, flipped(bit))
              for bit in (0, 7, 128, 255, 256, 300, 500, 508, 509, 510, 511)]
    for name, comment, raw, text, signature in cases:
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, text)
            valid = True
        except (InvalidSignature, ValueError):
            valid = False
        if valid != (name == "good"):
            sys.exit(f"primitives.py: error: {name} is {valid}")
        yield {"id": name, "comment": comment, "publicKey": raw.hex(), "message": text.hex(),
               "signature": signature.hex(), "valid": valid}


def chacha20_cases():
    """The key stream with nonce zero from the block `block` on, 64 bytes each."""
    def stream(key, block):
        nonce = block.to_bytes(4, "little") + bytes(12)
        return Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(bytes(64)).hex()

    zero, one, ff = bytes(32), bytes(31) + b"\1", b"\0\xff" + bytes(30)
    cases = [
        ("rfc8439-a1-1", zero, 0,
         "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
         "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"),
        ("rfc8439-a1-2", zero, 1,
         "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
         "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"),
        ("rfc8439-a1-3", one, 1,
         "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
         "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"),
        ("rfc8439-a1-4", ff, 2,
         "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
         "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"),
        ("end-of-first-buffer", one, 63, None),
        ("start-of-second-buffer", one, 64, None),
        ("third-buffer", one, 130, None),
    ]
    for name, key, block, published in cases:
        yield {"id": name, "key": key.hex(), "block": block,
               "stream": same(name, stream(key, block), published)}


# Made once with `openssl pkcs8 -topk8 -passout pass:secret` from the key of seed 01...01: what an
# encryption writes is not the same twice.
ENCRYPTED = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj3J6kUJC89CgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEIESNes4VslbMyDvYyMzp1UEQO31
sgH9MXJ1nXhdoq1fos8rpOIDL4ktF8ozmCAFCg6xWJvF7+fCfh2pkZy6C7DlCbfg
JFTs04Rrr5SialWhXYk=
-----END ENCRYPTED PRIVATE KEY-----
"""


def key_cases():
    def private(key):
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()).decode()

    def public(key):
        return key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    seed = b"\1" * 32
    good = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    p256 = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
    x = x25519.X25519PrivateKey.from_private_bytes(seed)
    goldilocks = ed448.Ed448PrivateKey.from_private_bytes(b"\1" * 57)
    sec1 = p256.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption()).decode()
    der = base64.b64decode("".join(private(good).splitlines()[1:-1]))

    def framed(kind, content):
        body = base64.b64encode(content).decode()
        return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"

    one_short = bytes([der[0], der[1] - 1]) + der[2:12] + b"\4\x21\4\x1f" + der[16:47]
    cases = [
        ("ed25519-private", "private", private(good), seed.hex()),
        ("ed25519-public", "public", public(good), raw_public(good).hex()),
        ("private-where-public", "public", private(good), None),
        ("public-where-private", "private", public(good), None),
        ("p256-private", "private", private(p256), None),
        ("p256-private-sec1", "private", sec1, None),
        ("p256-public", "public", public(p256), None),
        ("x25519-private", "private", private(x), None),
        ("x25519-public", "public", public(x), None),
        ("ed448-private", "private", private(goldilocks), None),
        ("ed448-public", "public", public(goldilocks), None),
        ("encrypted-private", "private", ENCRYPTED, None),
        ("seed-one-short", "private", framed("PRIVATE KEY", one_short), None),
        ("der-cut", "private", framed("PRIVATE KEY", der[:-1]), None),
        ("other-label", "private", framed("CERTIFICATE", der), None),
        ("no-end-line", "private", private(good).split("-----END")[0], None),
        ("empty", "private", "", None),
        ("empty-public", "public", "", None),
        ("not-pem", "private", "seed: " + seed.hex() + "\n", None),
    ]
    for name, kind, pem, raw in cases:
        yield {"id": name, "kind": kind, "pem": pem, **({"raw": raw} if raw else {})}


HEX_REFUSED = ["0", "abc", "AB", "aB", "0g", "g0", "0x00", " 00", "00 ", "0 0 ", "00\n", "-1", "+1",
               "\u0660\u0661", "\uff11\uff12", "\0\0", "//", "::", "``", "@@"]
BASE64_REFUSED = [
    ("A", "one letter"), ("AA", "no padding"), ("AAA", "no padding"), ("AAAAA", "five letters"),
    ("AA=", "half the padding"), ("A===", "three padding signs"), ("====", "only padding"),
    ("AA==AAAA", "padding in the middle"), ("AA=A", "padding before a letter"),
    ("=AAA", "padding first"), ("A=A=", "padding between"), ("AB==", "unused bits not zero"),
    ("AP==", "unused bits not zero"), ("AAB=", "unused bits not zero"),
    ("AAD=", "unused bits not zero"), ("-_-_", "the URL alphabet"), ("AAA A", "a space"),
    ("AAAA\n", "a line feed at the end"), ("AAAA\r\nAAAA", "a line break"), (" AAAA", "a space"),
    ("AA==\n", "a line feed after padding"), ("AA\n=", "a line feed for padding"),
    ("AAA\u00e9", "not ASCII"), ("AAA\0", "a zero byte"), ("AAA,", "another alphabet"),
    ("AA==AA==", "two padded texts"), ("AAAA====", "a group of padding"),
]


def text_cases():
    hexes = [b"", b"\0", b"\xff", b"\x0a\xf0", bytes(range(256))]
    base = [b"", b"f", b"fo", b"foo", b"foob", b"fooba", b"foobar", b"\0", b"\0\0", b"\xff" * 4,
            bytes(range(256))]
    for number, value in enumerate(hexes):
        yield {"id": f"hex-{number}", "encoding": "hex", "text": value.hex(), "bytes": value.hex()}
    for number, text in enumerate(HEX_REFUSED):
        if re.fullmatch("([0-9a-f]{2})*", text):
            sys.exit(f"primitives.py: error: {text!r} is hexadecimal")
        yield {"id": f"hex-refused-{number}", "encoding": "hex", "text": text}
    for number, value in enumerate(base):
        yield {"id": f"base64-{number}", "encoding": "base64",
               "text": base64.b64encode(value).decode(), "bytes": value.hex()}
    for number, (text, comment) in enumerate(BASE64_REFUSED):
        try:
            raw = base64.b64decode(text, validate=True)
            if base64.b64encode(raw).decode() == text:
                sys.exit(f"primitives.py: error: {text!r} is base64")
        except ValueError:
            pass
        yield {"id": f"base64-refused-{number}", "comment": comment, "encoding": "base64",
               "text": text}


# (id, bytes): exactly the canonical encoding.
CANONICAL = [
    ("object-empty", b"{}"), ("array-empty", b"[]"), ("true", b"true"), ("false", b"false"),
    ("zero", b"0"), ("negative", b"-1"), ("largest", b"9007199254740991"),
    ("smallest", b"-9007199254740991"), ("string-empty", b'""'), ("string", b'"abc"'),
    ("sorted", b'{"A":1,"a":2,"aa":3,"b":4}'), ("key-empty", b'{"":0}'),
    ("quote-and-backslash", b'"\\"\\\\"'), ("slash", b'"/"'), ("control", b'"\\u0000\\u001f\\u007f"'),
    ("line-feed", b'"\\u000a"'), ("utf8", '"\u00e9\u20ac\U0001f600"'.encode()),
    ("decomposed", '"e\u0301"'.encode()), ("line-separator", '"\u2028"'.encode()),
    ("last-scalar", '"\U0010ffff"'.encode()), ("nested", b'{"a":[{"b":[true,-5,"x"]}]}'),
    ("depth-32", b"[" * 32 + b"]" * 32),
    ("depth-32-objects", b'{"a":' * 31 + b"{}" + b"}" * 31),
]
# (id, bytes): read in the relaxed form, refused in the canonical one.
RELAXED = [
    ("space-before", b" {}"), ("space-after", b"{} "), ("line-feed-after", b"{}\n"),
    ("space-in-object", b'{"a": 1}'), ("space-before-colon", b'{"a" :1}'),
    ("space-after-comma", b"[1, 2]"), ("space-in-empty", b"[ ]"), ("space-tabs", b"\t[\r\n1\t]"),
    ("unsorted", b'{"b":1,"a":2}'), ("unsorted-case", b'{"a":1,"A":2}'),
    ("unsorted-prefix", b'{"aa":1,"a":2}'), ("unsorted-inside", b'[{"b":1,"a":2}]'),
    ("key-not-ascii", '{"\u00e9":1}'.encode()), ("fraction", b"1.5"),
    ("fraction-whole", b"1.0"), ("exponent", b"1e2"), ("exponent-signed", b"12.5E-1"),
    ("exponent-plus", b"2e+1"), ("negative-fraction", b"-0.5"), ("negative-zero-fraction", b"-0.0"),
    ("escape-slash", b'"\\/"'), ("escape-short", b'"\\b\\f\\n\\r\\t"'),
    ("escape-upper-case", b'"\\u001F"'), ("escape-needless", b'"\\u0061"'),
    ("escape-quote-long", b'"\\u0022"'), ("escape-pair", b'"\\ud83d\\ude00"'),
    ("escape-bmp", b'"\\u20ac"'), ("control-raw-127", b'"\x7f"'), ("key-escaped", b'{"\\u0061":1}'),
]
# (id, bytes, offset of the refusal): refused in both forms.
REFUSED = [
    ("nothing", b"", 0), ("only-space", b" ", None), ("byte-order-mark", b"\xef\xbb\xbf{}", 0),
    ("utf16", b"{\0}\0", 1), ("null", b"null", 0), ("null-inside", b'{"a":null}', 5),
    ("nan", b"NaN", 0), ("nan-inside", b"[NaN]", 1), ("infinity", b"Infinity", 0),
    ("minus-infinity", b"-Infinity", 0), ("capital-true", b"True", 0), ("true-cut", b"tru", 0),
    ("true-long", b"truex", 4), ("bare-word", b"abc", 0), ("single-quotes", b"'a'", 0),
    ("comment", b"/**/{}", 0), ("comment-after", b"{}//", 2), ("trailing-value", b"{}{}", 2),
    ("trailing-bracket", b"[]]", 2), ("trailing-comma", b"[1,]", 3),
    ("trailing-zero-byte", b"{}\0", 2), ("trailing-comma-object", b'{"a":1,}', 7),
    ("comma-first", b"[,1]", 1), ("comma-twice", b"[1,,2]", 3), ("comma-missing", b'["a""b"]', 4),
    ("array-open", b"[", 1), ("array-open-1", b"[1", 2), ("array-closed-wrongly", b"[1}", 2),
    ("object-open", b"{", 1), ("object-open-key", b'{"a"', 4), ("object-open-colon", b'{"a":', 5),
    ("object-open-value", b'{"a":1', 6), ("object-closed-wrongly", b'{"a":1]', 6),
    ("colon-missing", b'{"a"1}', 4), ("colon-twice", b'{"a"::1}', 5), ("value-missing", b'{"a":}', 5),
    ("key-bare", b"{a:1}", 1), ("key-number", b"{1:1}", 1), ("key-missing", b"{:1}", 1),
    ("duplicate", b'{"a":1,"a":1}', 7), ("duplicate-apart", b'{"a":1,"b":2,"a":3}', 13),
    ("duplicate-escaped", b'{"a":1,"\\u0061":2}', 7), ("duplicate-empty", b'{"":1,"":2}', 6),
    ("duplicate-inside", b'[{"x":{"a":1,"a":2}}]', 13),
    ("depth-33", b"[" * 33 + b"]" * 33, 32), ("depth-33-open", b"[" * 33, 32),
    ("depth-100000", b"[" * 100_000, 32),
    ("depth-33-objects", b'{"a":' * 32 + b"{}" + b"}" * 32, 160),
    ("leading-zero", b"01", 0), ("leading-zero-negative", b"-01", 0), ("zeros", b"00", 0),
    ("plus", b"+1", 0), ("minus-alone", b"-", 0), ("minus-twice", b"--1", 0),
    ("minus-zero", b"-0", 0), ("hexadecimal", b"0x10", 1), ("underscore", b"1_000", 1),
    ("beyond-2-53", b"9007199254740992", 0), ("beyond-minus-2-53", b"-9007199254740992", 0),
    ("2-63-minus-1", b"9223372036854775807", 0), ("minus-2-63", b"-9223372036854775808", 0),
    ("2-63", b"9223372036854775808", 0), ("2-64", b"18446744073709551616", 0),
    ("digits-40", b"1" * 40, 0), ("digits-41", b"1" * 41, 0), ("digits-100000", b"9" * 100_000, 0),
    ("fraction-41", b"0." + b"1" * 39, 0), ("dot-alone", b".", 0), ("dot-first", b".5", 0),
    ("dot-last", b"1.", 0), ("dot-before-exponent", b"1.e5", 0), ("dot-twice", b"1.2.3", 3),
    ("dot-negative", b"-.5", 0), ("exponent-empty", b"1e", 0), ("exponent-sign-only", b"1e+", 0),
    ("exponent-twice", b"1e5e5", 3), ("exponent-fraction", b"1e5.5", 3),
    ("exponent-huge", b"1e400", 0), ("exponent-huge-negative", b"-1e400", 0),
    ("difference", b"1-2", 1), ("string-open", b'"abc', 0), ("string-open-escape", b'"\\', 1),
    ("string-open-after-escape", b'"\\"', 0), ("control-0", b'"\0"', 1), ("control-10", b'"\n"', 1),
    ("control-31", b'"a\x1f"', 2), ("escape-unknown", b'"\\x41"', 1), ("escape-zero", b'"\\0"', 1),
    ("escape-capital", b'"\\U0041"', 1), ("escape-cut", b'"\\u00"', 1),
    ("escape-cut-3", b'"\\u041"', 1), ("escape-at-end", b'"\\u0', 1),
    ("escape-not-hex", b'"\\u00g0"', 1), ("escape-plus", b'"\\u+041"', 1),
    ("escape-minus", b'"\\u-041"', 1), ("escape-space", b'"\\u 041"', 1),
    ("escape-fullwidth", '"\\u\uff10"'.encode(), 1), ("surrogate-high", b'"\\ud83d"', 1),
    ("surrogate-low", b'"\\ude00"', 1), ("surrogate-swapped", b'"\\ude00\\ud83d"', 1),
    ("surrogate-high-twice", b'"\\ud83d\\ud83d"', 1), ("surrogate-then-letter", b'"\\ud83dx"', 1),
    ("surrogate-then-escape", b'"\\ud83d\\n"', 1), ("surrogate-cut", b'"\\ud83d\\ude', 1),
    ("surrogate-in-key", b'{"\\ud800":1}', 2), ("utf8-surrogate", b'"\xed\xa0\x80"', 0),
    ("utf8-overlong", b'"\xc0\x80"', 0), ("utf8-overlong-slash", b'"\xe0\x80\xaf"', 0),
    ("utf8-beyond", b'"\xf4\x90\x80\x80"', 0), ("utf8-continuation", b'"\x80"', 0),
    ("utf8-cut", b'"\xe2\x82"', 0), ("utf8-ff", b'"\xff"', 0), ("latin1-key", b'{"\xe9":1}', 1),
    ("utf8-outside", b"\xc3\xa9", 0), ("no-break-space", b"\xc2\xa0{}", 0),
    ("vertical-tab", b"\x0b{}", 0), ("form-feed", b"{}\x0c", 2),
]


def quoted(text):
    out = ""
    for letter in text:
        if letter in '"\\':
            out += "\\" + letter
        elif ord(letter) < 32 or ord(letter) == 127:
            out += f"\\u{ord(letter):04x}"
        else:
            out += letter
    return f'"{out}"'


def canonical(value):
    """The canonical encoding, or None for a value that has none. Written from the rules alone."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    parts = []
    if isinstance(value, list):
        parts = [canonical(item) for item in value]
        return None if None in parts else "[" + ",".join(parts) + "]"
    if isinstance(value, dict):
        if not all(key.isascii() for key in value):
            return None
        for key in sorted(value):
            inner = canonical(value[key])
            if inner is None:
                return None
            parts.append(quoted(key) + ":" + inner)
        return "{" + ",".join(parts) + "}"
    return None


def json_cases():
    for name, content in CANONICAL:
        if canonical(json.loads(content)).encode() != content:
            sys.exit(f"primitives.py: error: {name} is not canonical")
        yield {"id": name, "bytes": content.hex(), "expect": "canonical"}
    for name, content in RELAXED:
        text = canonical(json.loads(content))
        if text is not None and text.encode() == content:
            sys.exit(f"primitives.py: error: {name} is canonical")
        case = {"id": name, "bytes": content.hex(), "expect": "relaxed"}
        if text is not None:
            case["canonical"] = text.encode().hex()
        yield case
    for name, content, offset in REFUSED:
        if len(content) >= 10_000:  # One byte, so many times.
            case = {"id": name, "bytes": content[:1].hex(), "times": len(content)}
        else:
            case = {"id": name, "bytes": content.hex()}
        case["expect"] = "refused"
        if offset is not None:
            case["offset"] = str(offset)
        yield case


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    folder = pathlib.Path(__file__).resolve().parents[2] / "testvectors" / "primitives"
    if len(sys.argv) == 2:
        folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, cases in [
        ("sha256", sha256_cases()), ("hmac", hmac_cases()), ("hkdf", hkdf_cases()),
        ("ed25519-signing", signing_cases()), ("ed25519-verifying", verifying_cases()),
        ("chacha20", chacha20_cases()), ("keys", key_cases()), ("text", text_cases()),
        ("json", json_cases()),
    ]:
        cases = list(cases)
        if len({case["id"] for case in cases}) != len(cases):
            sys.exit(f"primitives.py: error: an id stands twice in {name}")
        lines = ",\n".join("  " + json.dumps(case) for case in cases)
        (folder / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        print(f"{folder / name}.json: {len(cases)} cases")


if __name__ == "__main__":
    main()
