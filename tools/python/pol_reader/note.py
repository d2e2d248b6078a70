"""Signed notes, verifier keys and tree heads (C2SP signed-note, tlog-checkpoint)."""

import base64
import binascii
import re
from dataclasses import dataclass

from .hashing import ed25519_valid, sha256
from .refusal import Refusal

# Signature types: what a log signs with, and a witness.
ED25519 = 1
COSIGNER = 4
NOTE_LIMIT = 1 << 20
SIGNATURE_LIMIT = 64  # a log and its witnesses; C2SP asks for at least 16


def decode64(text: str, where: str) -> bytes:
    """Standard, padded base64, in its one canonical form."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("malformed", where, "not standard base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Refusal("malformed", where, "not canonical base64")
    return raw


def decimal(text: str, where: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text, re.ASCII):
        raise Refusal("malformed", where, "not a decimal number without leading zeroes, below 10^19")
    return int(text)


def is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


@dataclass(frozen=True)
class VerifierKey:
    name: str
    key_id: bytes
    key: bytes

    @classmethod
    def parse(cls, text: str, kind: int = ED25519) -> "VerifierKey":
        parts = text.split("+", 2)
        if len(parts) != 3 or not is_key_name(parts[0]) or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
            raise Refusal("malformed", "vkey", "not a name, a key id and a key")
        material = decode64(parts[2], "vkey")
        if not material or material[0] != kind:
            raise Refusal("unsupported", "vkey", f"not an Ed25519 key of type {kind}")
        if len(material) != 33:
            raise Refusal("malformed", "vkey", f"a key of {len(material) - 1} bytes")
        key_id = sha256(parts[0].encode(), b"\n", material)[:4]
        if key_id.hex() != parts[1]:
            raise Refusal("malformed", "vkey", f"key id {parts[1]}, name and key give {key_id.hex()}")
        return cls(parts[0], key_id, material[1:])


@dataclass(frozen=True)
class Note:
    """`text` with its final newline; nothing of it may be believed before `verify`."""

    text: str
    signatures: list[tuple[str, bytes, bytes]]

    @classmethod
    def parse(cls, data: bytes, where: str = "note") -> "Note":
        if len(data) > NOTE_LIMIT:
            raise Refusal("limit", where, f"a note of {len(data)} bytes")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal("malformed", where, "not UTF-8") from None
        if any(each < " " and each != "\n" for each in whole):
            raise Refusal("malformed", where, "a control character")
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise Refusal("malformed", where, "no text, empty line and signatures")
        rows = lines[:-1].split("\n")
        if len(rows) > SIGNATURE_LIMIT:
            raise Refusal("limit", where, f"{len(rows)} signatures")
        return cls(text + "\n", [cls._signature(row, where) for row in rows])

    @staticmethod
    def _signature(row: str, where: str) -> tuple[str, bytes, bytes]:
        parts = row.split(" ")
        if len(parts) != 3 or parts[0] != "\N{EM DASH}" or not is_key_name(parts[1]):
            raise Refusal("malformed", where, "not a signature line")
        raw = decode64(parts[2], where)
        if len(raw) < 5:
            raise Refusal("malformed", where, "a signature without bytes")
        return parts[1], raw[:4], raw[4:]

    def verify(self, key: VerifierKey, where: str = "note") -> None:
        """Every signature by this key must hold, and there must be one; those of unknown keys are ignored."""
        mine = [value for name, key_id, value in self.signatures if (name, key_id) == (key.name, key.key_id)]
        if not mine:
            raise Refusal("missing", where, f"no signature by {key.name}")
        if not all(ed25519_valid(key.key, value, self.text.encode()) for value in mine):
            raise Refusal("damaged", where, f"the signature by {key.name} does not hold")


@dataclass(frozen=True)
class TreeHead:
    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str, where: str = "tree head") -> "TreeHead":
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise Refusal("malformed", where, "not three or more non-empty lines")
        root = decode64(lines[2], where)
        if len(root) != 32:
            raise Refusal("malformed", where, f"a root of {len(root)} bytes")
        return cls(lines[0], decimal(lines[1], where), root)

    @classmethod
    def verified(cls, data: bytes, key: VerifierKey, where: str = "tree head") -> "TreeHead":
        """Signature first, then the text; a log's origin is the name of its key."""
        note = Note.parse(data, where)
        note.verify(key, where)
        head = cls.parse(note.text, where)
        if head.origin != key.name:
            raise Refusal("malformed", where, "the origin is not the name of the log's key")
        return head
