"""Ledger policies and witnesses' cosignatures (spec/witness.md §2, §3; C2SP tlog-policy, tlog-cosignature)."""

import re
from dataclasses import dataclass, field

from .hashing import ed25519_valid, sha256
from .note import Note, VerifierKey, decode64, is_key_name
from .refusal import Refusal

COSIGNER = 4
POLICY_LIMIT = 262_144
LIMITS = {"log": 64, "witness": 48, "group": 64}


def _bad(number: int, what: str) -> Refusal:
    return Refusal("badPolicy", f"policy line {number}", what)


@dataclass(frozen=True)
class Cosigner:
    """A witness's key; `name` is what stands in its lines."""

    name: str
    key_id: bytes
    key: bytes

    @classmethod
    def parse(cls, text: str) -> "Cosigner":
        parts = text.split("+", 2)
        if len(parts) != 3 or not is_key_name(parts[0]) or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
            raise Refusal("malformed", "vkey", "not a name, a key id and a key")
        material = decode64(parts[2], "vkey")
        if len(material) != 33 or material[0] != COSIGNER:
            raise Refusal("unsupported", "vkey", "not a witness's Ed25519 key")
        key_id = sha256(parts[0].encode(), b"\n", material)[:4]
        if key_id.hex() != parts[1]:
            raise Refusal("malformed", "vkey", "another key id")
        return cls(parts[0], key_id, material[1:])

    def time_on(self, note: Note) -> int | None:
        """The earliest time of its lines, all of which must hold; None where it has none."""
        times = []
        for name, key_id, value in note.signatures:
            if (name, key_id) != (self.name, self.key_id):
                continue
            time = int.from_bytes(value[:8], "big")
            message = b"cosignature/v1\ntime %d\n" % time + note.text.encode()
            if len(value) != 72 or not 0 < time < 2**63 or not ed25519_valid(self.key, value[8:], message):
                raise Refusal("damaged", "witness", f"the line of {self.name} does not hold")
            times.append(time)
        return min(times, default=None)


@dataclass
class Policy:
    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: dict[bytes, Cosigner] = field(default_factory=dict)
    groups: dict[bytes, tuple[int, list[bytes]]] = field(default_factory=dict)
    quorum: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> "Policy":
        if len(data) > POLICY_LIMIT:
            raise _bad(0, f"{len(data)} bytes")
        if any(each < 32 and each not in b"\t\n" or each == 127 for each in data):
            raise _bad(0, "a control character")
        lines = data.split(b"\n")
        if lines.pop():
            raise _bad(len(lines) + 1, "no newline at the end")
        policy, members, quorums = cls(), set(), 0
        for number, line in enumerate(lines, 1):
            items = re.findall(rb"[^ \t]+", line)
            if not items or items[0].startswith(b"#"):
                continue
            match items[0], len(items):
                case b"log", 2 | 3:
                    policy._new_key(number, policy.logs, VerifierKey, items[1], policy.logs.append)
                case b"witness", 3 | 4:
                    policy._define(number, items[1])
                    policy._new_key(number, policy.witnesses, Cosigner, items[2],
                                    lambda key, name=items[1]: policy.witnesses.__setitem__(name, key))
                case b"group", count if count >= 4:
                    policy._group(number, items, members)
                case b"quorum", 2:
                    quorums += 1
                    if quorums > 1 or items[1] != b"none" and not policy._knows(items[1]):
                        raise _bad(number, "a second quorum, or of nobody defined above")
                    policy.quorum = None if items[1] == b"none" else items[1]
                case _:
                    raise _bad(number, "not a line of a policy")
        if not quorums:
            raise _bad(0, "no quorum")
        return policy

    def _knows(self, name: bytes) -> bool:
        return name in self.witnesses or name in self.groups

    def _define(self, number: int, name: bytes) -> None:
        if name == b"none" or self._knows(name):
            raise _bad(number, "a name that is taken")

    def _new_key(self, number: int, kind: object, parser: type, text: bytes, add: object) -> None:
        limit = LIMITS["log" if kind is self.logs else "witness"]
        try:
            key = parser.parse(text.decode("utf-8"))
        except (UnicodeDecodeError, Refusal):
            raise _bad(number, "not a verifier key of this role") from None
        if key.key in [each.key for each in (*self.logs, *self.witnesses.values())] or len(kind) >= limit:
            raise _bad(number, "a key that stands above, or too many")
        add(key)

    def _group(self, number: int, items: list[bytes], members: set[bytes]) -> None:
        names = items[3:]
        for name in names:
            if not self._knows(name) or name in members:
                raise _bad(number, "a member that is not defined above, or is one already")
            members.add(name)
        match items[2]:
            case b"all":
                threshold = len(names)
            case b"any":
                threshold = 1
            case word:
                if not re.fullmatch(rb"[1-9][0-9]{0,3}", word) or int(word) > len(names):
                    raise _bad(number, "a threshold that its members cannot meet")
                threshold = int(word)
        self._define(number, items[1])
        if len(self.groups) >= LIMITS["group"]:
            raise _bad(number, "too many groups")
        self.groups[items[1]] = (threshold, names)

    def check_lists(self, key: VerifierKey) -> None:
        if self.logs and key not in self.logs:
            raise Refusal("notInPolicy", "policy", "the log's key is not listed")

    def seen(self, note: Note) -> dict[str, int]:
        """Who cosigned a note, and when by his own clock."""
        times = {name: key.time_on(note) for name, key in self.witnesses.items()}
        return {name.decode("utf-8", "replace"): time for name, time in times.items() if time is not None}

    def check_quorum(self, note: Note) -> None:
        holding = {name for name, key in self.witnesses.items() if key.time_on(note) is not None}
        for name, (threshold, names) in self.groups.items():
            if len(holding.intersection(names)) >= threshold:
                holding.add(name)
        if self.quorum is not None and self.quorum not in holding:
            raise Refusal("quorumMissing", "policy", "the quorum does not hold")
