"""Grants (spec/encryption.md §6)."""

from dataclasses import dataclass, field

from .age import decrypt
from .cursor import Cursor
from .encryption import (CLAIMS, DATA_POINT, NORMS, POLICY, RECORD, RECORD_INDEX, SETTINGS, ContentKey)
from .refusal import Refusal

SEGMENT_LIMIT = KEY_LIMIT = 1 << 20
ROW = 41


class GrantRefusal(Exception):
    """A grant that is whole and cannot serve: `code` is an error of encryption.md §9."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Grant:
    epoch: int
    archive_id: bytes
    seal_digest: bytes
    epoch_key: bytes | None = None
    segments: tuple[int, ...] = ()
    keys: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def check(self, archive_id: bytes, epoch: int, seal_digest: bytes, commitment: bytes) -> None:
        """Refuses a grant that is not for this seal."""
        if self.archive_id != archive_id:
            raise GrantRefusal("otherArchive", self.archive_id.hex())
        if self.epoch != epoch:
            raise GrantRefusal("otherEpoch", str(self.epoch))
        if self.seal_digest != seal_digest:
            raise GrantRefusal("otherSeal", self.seal_digest.hex())
        if self.epoch_key is not None and ContentKey(self.epoch_key, epoch, archive_id).commitment() != commitment:
            raise GrantRefusal("wrongKey", "the seal commits to another epoch key")

    def key(self, kind: int, number: int, identity: bytes) -> bytes:
        if self.epoch_key is not None:
            return ContentKey(self.epoch_key, self.epoch, self.archive_id).object_key(identity, kind)
        if (kind, number) not in self.keys:
            raise GrantRefusal("outsideGrant", f"object {number} of kind {kind}")
        return self.keys[kind, number]


def open_grant(file: bytes, identities: list[bytes]) -> Grant:
    return parse_grant(decrypt(file, identities))


def parse_grant(data: bytes) -> Grant:
    cursor = Cursor(data, "grant")
    if cursor.take(8) != b"polgrnt1":
        raise cursor.fail("malformed", "another magic")
    if (cursor.u16(), cursor.u16()) != (1, 1):
        raise cursor.fail("unsupported", "version or cipher suite")
    epoch, archive_id, seal_digest = cursor.u32(), cursor.digest(), cursor.digest()
    if epoch == 0:
        raise cursor.fail("malformed", "key epoch 0")
    scope = cursor.u8()
    if scope > 1:
        raise cursor.fail("unsupported", f"scope {scope}")
    if cursor.take(3) != bytes(3):
        raise cursor.fail("malformed", "reserved bytes")
    if scope == 0:
        epoch_key = cursor.digest()
        cursor.finish()
        return Grant(epoch, archive_id, seal_digest, epoch_key)
    segments = tuple(cursor.u32() for _ in range(counted(cursor, 4, SEGMENT_LIMIT)))
    if any(a >= b for a, b in zip(segments, segments[1:])):
        raise cursor.fail("malformed", "segments do not ascend")
    keys = parse_keys(cursor)
    cursor.finish()
    check_scope(set(segments), set(keys))
    return Grant(epoch, archive_id, seal_digest, None, segments, keys)


def counted(cursor: Cursor, size: int, limit: int) -> int:
    """A u32 count, compared with what is left before anything is read."""
    count = cursor.u32()
    if count > limit:
        raise cursor.fail("limit", f"{count} items, at most {limit}")
    if count * size > cursor.remaining:
        raise cursor.fail("malformed", f"{count} items in {cursor.remaining} bytes")
    return count


def parse_keys(cursor: Cursor) -> dict[tuple[int, int], bytes]:
    keys: dict[tuple[int, int], bytes] = {}
    last = (0, -1)
    for _ in range(counted(cursor, ROW, KEY_LIMIT)):
        name, key = (cursor.u8(), cursor.u64()), cursor.digest()
        if not 1 <= name[0] <= DATA_POINT:
            raise cursor.fail("unsupported", f"object kind {name[0]}")
        if name <= last:
            raise cursor.fail("malformed", "keys do not ascend")
        keys[name] = key
        last = name
    return keys


def check_scope(segments: set[int], names: set[tuple[int, int]]) -> None:
    """All keys that the segments need, and none besides but those of data points."""
    needed = {(RECORD, 0)} | {(RECORD, s + n) for s in segments for n in (1, 2)}
    needed |= {(kind, 0) for kind in (SETTINGS, POLICY, RECORD_INDEX, NORMS)}
    rest = {name for name in names if name[0] != DATA_POINT}
    if not needed <= rest or not rest <= needed | {(CLAIMS, 0)}:
        raise Refusal("malformed", "grant", "keys are missing, or stand there that no segment needs")
