"""Encrypted objects, files and data points (spec/encryption.md §4, §5)."""

import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .cursor import Cursor
from .hashing import hkdf, sha256
from .refusal import Refusal

CHUNK, RECORD, SETTINGS, POLICY, CLAIMS, RECORD_INDEX, NORMS, DATA_POINT = range(1, 9)
FILE_KINDS = (SETTINGS, POLICY, CLAIMS, RECORD_INDEX, NORMS)
TAG = 16
OBJECT_LIMIT = 1 << 30


@dataclass(frozen=True)
class Shape:
    """What an object's key is bound to besides its bytes."""

    kind: int
    raw_length: int
    codec: int = 0
    parameter: int = 0


@dataclass(frozen=True)
class ContentKey:
    """An epoch key in one archive and key epoch."""

    secret: bytes
    epoch: int
    archive_id: bytes

    def commitment(self) -> bytes:
        return hkdf(self.secret, b"pol/v1/key-commitment\n", self.archive_id + self.epoch.to_bytes(4, "little"))

    def object_id(self, encoded: bytes, shape: Shape) -> bytes:
        start = b""
        if shape.kind == CHUNK:
            start = bytes([shape.codec, shape.parameter]) + shape.raw_length.to_bytes(4, "little")
        info = self.archive_id + bytes([shape.kind]) + sha256(start, encoded)
        return hkdf(self.secret, b"pol/v1/object-id\n", info)

    def object_key(self, identity: bytes, kind: int) -> bytes:
        return hkdf(self.secret, b"pol/v1/object-key\n", self.archive_id + bytes([kind]) + identity)


def parse_content_key(data: bytes) -> bytes:
    """The epoch key of a content key file (§7)."""
    match = re.fullmatch(rb"pol-content-key-1 ([0-9a-f]{64})\n", data)
    if match is None:
        raise Refusal("malformed", "content key file", "not `pol-content-key-1`, 64 hexadecimal digits and a newline")
    return bytes.fromhex(match[1].decode())


def open_object(sealed: bytes, identity: bytes, shape: Shape, key: bytes, archive_id: bytes, epoch: int,
                where: str) -> bytes:
    """The bytes before encryption; what they must be is for their digest to say."""
    length = len(sealed) - TAG
    if length < 0:
        raise Refusal("damaged", where, f"an encrypted object of {len(sealed)} bytes")
    if length > OBJECT_LIMIT:
        raise Refusal("limit", where, f"an object of {length} bytes")
    data = (b"pol/v1/object-data\n" + archive_id + epoch.to_bytes(4, "little")
            + bytes([shape.kind, shape.codec, shape.parameter]) + shape.raw_length.to_bytes(4, "little")
            + length.to_bytes(4, "little"))
    try:
        return AESGCM(key).decrypt(identity[:12], sealed, data)
    except InvalidTag:
        raise Refusal("damaged", where, "the object does not open with its key") from None


def parse_file(data: bytes, kind: int, where: str) -> tuple[bytes, bytes]:
    """Object id, and ciphertext with tag, of an encrypted file."""
    cursor = Cursor(data, where)
    if cursor.take(8) != b"polencf1":
        raise cursor.fail("malformed", "another magic")
    if cursor.u8() != kind or cursor.take(3) != bytes(3):
        raise cursor.fail("malformed", "another object kind, or reserved bytes")
    length = cursor.u32()
    if length > OBJECT_LIMIT:
        raise cursor.fail("limit", f"an object of {length} bytes")
    identity, sealed = cursor.digest(), cursor.take(length + TAG)
    cursor.finish()
    return identity, sealed


def parse_point(data: bytes, where: str) -> tuple[bytes, bytes]:
    """Object id, and ciphertext with tag, of an encrypted data point."""
    cursor = Cursor(data, where)
    identity = cursor.digest()
    if cursor.remaining < TAG:
        raise cursor.fail("malformed", "shorter than its tag")
    return identity, cursor.take(cursor.remaining)


def open_plain(sealed: bytes, identity: bytes, kind: int, key: bytes, archive_id: bytes, epoch: int,
               where: str) -> bytes:
    """Opens what is no chunk and no record: its raw length is the encoded one."""
    shape = Shape(kind, max(0, len(sealed) - TAG))
    return open_object(sealed, identity, shape, key, archive_id, epoch, where)
