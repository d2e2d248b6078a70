"""Ledger policies and cosignatures (C2SP tlog-policy, tlog-cosignature with Ed25519): spec/witness.md §2, §3."""

from dataclasses import dataclass

from .hashing import ed25519_valid
from .note import COSIGNER, Note, TreeHead, VerifierKey, decimal
from .refusal import Refusal

WHERE = "policy"
BYTE_LIMIT = 262_144
LOG_LIMIT, WITNESS_LIMIT, GROUP_LIMIT = 64, 48, 64
TIME_LIMIT = (1 << 63) - 1


@dataclass(frozen=True)
class Policy:
    """Whom to believe about a log. `witnesses` and `groups` are in the order of the file."""

    logs: list[VerifierKey]
    witnesses: dict[bytes, VerifierKey]
    groups: dict[bytes, tuple[int, list[bytes]]]
    quorum: bytes | None

    @classmethod
    def parse(cls, data: bytes) -> "Policy":
        if len(data) > BYTE_LIMIT:
            raise Refusal("limit", WHERE, f"{len(data)} bytes")
        if any((each < 0x20 and each not in b"\t\n") or each == 0x7F for each in data):
            raise Refusal("malformed", WHERE, "a control character")
        if data and not data.endswith(b"\n"):
            raise Refusal("malformed", WHERE, "the last line has no newline")
        policy, quorums, members = cls([], {}, {}, None), [], set()
        for number, line in enumerate(data.split(b"\n"), 1):
            items = [item for item in line.replace(b"\t", b" ").split(b" ") if item]
            if items and not items[0].startswith(b"#"):
                policy._read(items, f"{WHERE} line {number}", quorums, members)
        if len(quorums) != 1:
            raise Refusal("malformed", WHERE, f"{len(quorums)} quorum lines")
        return cls(policy.logs, policy.witnesses, policy.groups, None if quorums[0] == b"none" else quorums[0])

    def _read(self, items: list[bytes], where: str, quorums: list[bytes], members: set[bytes]) -> None:
        keyword, count = items[0], len(items)
        if keyword == b"log" and count in (2, 3):
            self.logs.append(self._key(items[1], where))
        elif keyword == b"witness" and count in (3, 4):
            key = self._key(items[2], where, COSIGNER)
            self._define(items[1], where)
            self.witnesses[items[1]] = key
        elif keyword == b"group" and count >= 4:
            names = items[3:]
            for name in names:
                if name not in self.witnesses and name not in self.groups:
                    raise Refusal("malformed", where, "a member that is not defined above")
                if name in members:
                    raise Refusal("malformed", where, "a member for the second time")
                members.add(name)
            word = items[2].decode("latin-1")
            least = {"all": len(names), "any": 1}.get(word)
            least = decimal(word, where) if least is None else least
            if not 1 <= least <= len(names):
                raise Refusal("malformed", where, "a threshold that no members can reach, or 0")
            self._define(items[1], where)
            self.groups[items[1]] = (least, names)
        elif keyword == b"quorum" and count == 2:
            if items[1] != b"none" and items[1] not in self.witnesses and items[1] not in self.groups:
                raise Refusal("malformed", where, "a quorum that is not defined above")
            quorums.append(items[1])
        else:
            raise Refusal("malformed", where, "not a log, witness, group or quorum")
        if len(self.logs) > LOG_LIMIT or len(self.witnesses) > WITNESS_LIMIT or len(self.groups) > GROUP_LIMIT:
            raise Refusal("limit", where, "too many of a kind")

    def _key(self, text: bytes, where: str, kind: int | None = None) -> VerifierKey:
        try:
            whole = text.decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal("malformed", where, "a key that is not UTF-8") from None
        key = VerifierKey.parse(whole) if kind is None else VerifierKey.parse(whole, kind)
        if any(key.key == other.key for other in [*self.logs, *self.witnesses.values()]):
            raise Refusal("malformed", where, "a public key for the second time")
        return key

    def _define(self, name: bytes, where: str) -> None:
        if name == b"none" or name in self.witnesses or name in self.groups:
            raise Refusal("malformed", where, "a name that is taken")

    def holds(self, signed: set[bytes]) -> bool:
        """Whether the quorum holds when these witnesses have cosigned."""
        found = set(signed)
        for name, (least, members) in self.groups.items():
            if sum(member in found for member in members) >= least:
                found.add(name)
        return self.quorum is None or self.quorum in found

    def times(self, note: Note, where: str = "note") -> dict[bytes, int]:
        """Each witness that cosigned, and the earliest time that it states. One bad line of theirs is a refusal."""
        found: dict[bytes, int] = {}
        for name, key in self.witnesses.items():
            for other, key_id, value in note.signatures:
                if (other, key_id) != (key.name, key.key_id):
                    continue
                time = cosigned_at(key, value, note.text, where)
                found[name] = min(time, found.get(name, time))
        return found

    def judge(self, data: bytes, key: VerifierKey, where: str = "tree head") -> tuple[TreeHead, dict[bytes, int]]:
        """A tree head by this log's key, cosigned as the policy asks; and when it was, by the witnesses' clocks."""
        if self.logs and key not in self.logs:
            raise Refusal("missing", where, "the policy does not list this log's key")
        note = Note.parse(data, where)
        note.verify(key, where)
        times = self.times(note, where)
        if not self.holds(set(times)):
            raise Refusal("missing", where, f"the quorum does not hold: {len(times)} witnesses cosigned")
        return TreeHead.verified(data, key, where), times


def cosigned_at(key: VerifierKey, value: bytes, text: str, where: str) -> int:
    """The seconds that a cosignature states, once it was checked."""
    time = int.from_bytes(value[:8], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    if len(value) != 72 or not 0 < time <= TIME_LIMIT or not ed25519_valid(key.key, value[8:], message):
        raise Refusal("damaged", where, f"the cosignature of {key.name} does not hold")
    return time
