"""Cipher suite 1 and grants for the archives of the vectors, by the functions of encryption.py."""

from dataclasses import dataclass

from archive_bytes import fixed, le, sha
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from encryption import age, associated, bech32, commitment, object_id, object_key

CHUNK, RECORD, SETTINGS, POLICY, CLAIMS, RECORD_INDEX, NORMS, POINT = range(1, 9)


@dataclass(frozen=True)
class Cipher:
    """What an epoch key makes of an archive's objects."""

    archive_id: bytes
    epoch: int
    epoch_key: bytes

    def object_id(self, kind: int, content: bytes) -> bytes:
        return object_id(self.epoch_key, self.archive_id, kind, content)

    def object_key(self, kind: int, identity: bytes) -> bytes:
        return object_key(self.epoch_key, self.archive_id, kind, identity)

    @property
    def commitment(self) -> bytes:
        return commitment(self.epoch_key, self.archive_id, self.epoch)

    def seal(self, kind: int, identity: bytes, encoded: bytes, codec: int, parameter: int, raw_length: int) -> bytes:
        data = associated(self.archive_id, self.epoch, kind, codec, parameter, raw_length, len(encoded))
        return AESGCM(self.object_key(kind, identity)).encrypt(identity[:12], encoded, data)


def grant(cipher: Cipher, seal_digest: bytes, scope: bytes, kind: int) -> bytes:
    """What is inside of a grant's age file."""
    return (b"polgrnt1" + le(1, 2) + le(1, 2) + le(cipher.epoch, 4) + cipher.archive_id + seal_digest
            + bytes([kind, 0, 0, 0]) + scope)


def segment_scope(segments: list[int], keys: dict[tuple[int, int], bytes]) -> bytes:
    rows = [bytes([kind]) + le(number, 8) + key for (kind, number), key in sorted(keys.items())]
    return (le(len(segments), 4) + b"".join(le(each, 4) for each in segments) + le(len(rows), 4) + b"".join(rows))


def identity_text(secret: bytes) -> str:
    return bech32("age-secret-key-", secret).upper()


def age_file(plain: bytes, secret: bytes, label: str) -> bytes:
    """All that is random in an age file is taken from its label."""
    return age(plain, secret, sha(b"file key", label.encode())[:16], fixed(label + " ephemeral"),
               fixed(label + " nonce")[:16])
