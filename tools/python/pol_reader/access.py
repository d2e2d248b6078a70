"""Opens the objects of an archive: as they are under suite 0, with keys under suite 1 (spec/encryption.md)."""

import dataclasses
from dataclasses import dataclass

from .encryption import (CHUNK, DATA_POINT, RECORD, TAG, ContentKey, Shape, open_object, open_plain, parse_file,
                         parse_point)
from .grant import Grant, GrantRefusal
from .packs import Frame
from .refusal import Refusal


@dataclass(frozen=True)
class Access:
    """One archive's suite and epoch, and the grant or the epoch key at hand."""

    suite: int
    epoch: int
    archive_id: bytes
    keys: Grant | bytes | None = None

    @property
    def overhead(self) -> int:
        """Bytes that a stored payload has more than the encoded one."""
        return TAG if self.suite else 0

    def check(self, seal_digest: bytes, commitment: bytes) -> None:
        """The keys against the seal (§6), before any of them is used."""
        if self.suite and isinstance(self.keys, Grant):
            self.keys.check(self.archive_id, self.epoch, seal_digest, commitment)
        elif self.suite and isinstance(self.keys, bytes):
            if ContentKey(self.keys, self.epoch, self.archive_id).commitment() != commitment:
                raise GrantRefusal("wrongKey", "the seal commits to another epoch key")

    @property
    def _part(self) -> Grant | None:
        """The grant, where it is one of segments."""
        return self.keys if self.suite and isinstance(self.keys, Grant) and self.keys.epoch_key is None else None

    def covers(self, kind: int, number: int) -> bool:
        """False where a grant of segments leaves this object out."""
        return self._part is None or (kind, number) in self._part.keys

    def grants_segment(self, number: int) -> bool:
        return self._part is None or number in self._part.segments

    def require_points(self, indices: list[int]) -> None:
        """A granted segment's steps cannot be done again without the data points that they use."""
        for index in indices:
            if not self.covers(DATA_POINT, index):
                raise GrantRefusal("outsideGrant", f"data point {index} of a granted segment")

    def _key(self, kind: int, number: int, identity: bytes) -> bytes:
        if isinstance(self.keys, bytes):
            return ContentKey(self.keys, self.epoch, self.archive_id).object_key(identity, kind)
        if self.keys is None:
            raise GrantRefusal("outsideGrant", "the archive is encrypted, and there is no key")
        return self.keys.key(kind, number, identity)

    def _bound(self, plain: bytes, identity: bytes, shape: Shape, where: str) -> bytes:
        """With the epoch key at hand, an object's id must be the one that its content gives (§4.1)."""
        secret = self.keys.epoch_key if isinstance(self.keys, Grant) else self.keys
        if secret and ContentKey(secret, self.epoch, self.archive_id).object_id(plain, shape) != identity:
            raise Refusal("malformed", where, f"object id {identity.hex()} is not that of the content")
        return plain

    def _plain(self, kind: int, number: int, identity: bytes, sealed: bytes, where: str) -> bytes:
        key = self._key(kind, number, identity)
        plain = open_plain(sealed, identity, kind, key, self.archive_id, self.epoch, where)
        return self._bound(plain, identity, Shape(kind, len(plain)), where)

    def file(self, kind: int, data: bytes, where: str) -> bytes:
        if not self.suite:
            return data
        identity, sealed = parse_file(data, kind, where)
        return self._plain(kind, 0, identity, sealed, where)

    def point(self, index: int, data: bytes, where: str) -> bytes:
        if not self.suite:
            return data
        identity, sealed = parse_point(data, where)
        return self._plain(DATA_POINT, index, identity, sealed, where)

    def record(self, number: int, payload: bytes, identity: bytes, raw_length: int, where: str) -> bytes:
        if not self.suite:
            return payload
        shape, key = Shape(RECORD, raw_length), self._key(RECORD, number, identity)
        plain = open_object(payload, identity, shape, key, self.archive_id, self.epoch, where)
        return self._bound(plain, identity, shape, where)

    def chunk(self, frame: Frame, identity: bytes | None, key: bytes | None, where: str, index: str) -> Frame:
        """The frame with its encoded payload; the key is the envelope's, the id stands in the pack's index."""
        if not self.suite:
            return frame
        if identity is None or key is None:
            raise Refusal("missing", index, "only the index of its pack gives a frame its object id")
        shape = Shape(CHUNK, frame.raw_length, frame.codec, frame.parameter)
        plain = open_object(frame.payload, identity, shape, key, self.archive_id, self.epoch, where)
        return dataclasses.replace(frame, payload=self._bound(plain, identity, shape, index))
