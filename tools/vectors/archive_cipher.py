"""Cipher suite 1 and grants for the vectors, from spec/encryption.md; shares nothing with `pol_reader`."""

import base64
import hmac
from dataclasses import dataclass

from archive_bytes import fixed, hkdf, le, sha
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CHUNK, RECORD, SETTINGS, POLICY, CLAIMS, RECORD_INDEX, NORMS, POINT = range(1, 9)


@dataclass(frozen=True)
class Cipher:
    """What an epoch key makes of an archive's objects."""

    archive_id: bytes
    epoch: int
    epoch_key: bytes

    def object_id(self, kind: int, content: bytes) -> bytes:
        return hkdf(self.epoch_key, b"pol/v1/object-id\n", self.archive_id + bytes([kind]) + sha(content))

    def object_key(self, kind: int, identity: bytes) -> bytes:
        return hkdf(self.epoch_key, b"pol/v1/object-key\n", self.archive_id + bytes([kind]) + identity)

    @property
    def commitment(self) -> bytes:
        return hkdf(self.epoch_key, b"pol/v1/key-commitment\n", self.archive_id + le(self.epoch, 4))

    def seal(self, kind: int, identity: bytes, encoded: bytes, codec: int, parameter: int, raw_length: int) -> bytes:
        data = (b"pol/v1/object-data\n" + self.archive_id + le(self.epoch, 4) + bytes([kind, codec, parameter])
                + le(raw_length, 4) + le(len(encoded), 4))
        return AESGCM(self.object_key(kind, identity)).encrypt(identity[:12], encoded, data)


def bech32(prefix: str, data: bytes) -> str:
    """BIP 173, as age writes its keys."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    value, bits = int.from_bytes(data, "big"), 8 * len(data)
    pad = -bits % 5
    words = [value << pad >> shift & 31 for shift in range(bits + pad - 5, -1, -5)]

    def polymod(values: list[int]) -> int:
        check = 1
        for each in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ each
            for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> i & 1 else 0
        return check

    expanded = [ord(each) >> 5 for each in prefix] + [0] + [ord(each) & 31 for each in prefix]
    check = polymod([*expanded, *words, 0, 0, 0, 0, 0, 0]) ^ 1
    words += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(letters[each] for each in words)


class Recipient:
    """An X25519 identity of age, and files for it; ephemeral keys and nonces are fixed."""

    def __init__(self, label: str) -> None:
        self.secret = fixed(label)
        self.public = X25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw()
        self.identity = bech32("age-secret-key-", self.secret).upper()
        self.recipient = bech32("age", self.public)

    def encrypt(self, plain: bytes, label: str) -> bytes:
        """age-encryption.org/v1 with one X25519 stanza."""
        file_key = fixed(label + " file key")[:16]
        ephemeral = X25519PrivateKey.from_private_bytes(fixed(label + " ephemeral"))
        share = ephemeral.public_key().public_bytes_raw()
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.public))
        wrap = hkdf(secret, share + self.public, b"age-encryption.org/v1/X25519")
        body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
        header = f"age-encryption.org/v1\n-> X25519 {plain64(share)}\n{plain64(body)}\n---".encode()
        mac = hmac.digest(hkdf(file_key, b"", b"header"), header, "sha256")
        nonce = fixed(label + " nonce")[:16]
        stream = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
        pieces = [plain[i:i + 65536] for i in range(0, len(plain), 65536)] or [b""]
        sealed = b"".join(stream.encrypt(i.to_bytes(11, "big") + bytes([i == len(pieces) - 1]), piece, None)
                          for i, piece in enumerate(pieces))
        return header + f" {plain64(mac)}\n".encode() + nonce + sealed


def plain64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
