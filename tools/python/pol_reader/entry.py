"""Ledger entries: DSSE envelopes around in-toto statements, in one canonical form."""

import json
from dataclasses import dataclass
from typing import Any

from .hashing import ed25519_valid, sha256
from .note import decode64
from .refusal import Refusal
from .statements import SPKI_PREFIX, check_statement

WHERE = "entry"
ENTRY_LIMIT = 65535
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
INTEGER_LIMIT = 2**53 - 1
DEPTH_LIMIT = 32  # deeper than any statement; keeps recursion bounded


def key_id(key: bytes) -> str:
    """Hex SHA-256 of an Ed25519 key's SubjectPublicKeyInfo in DER."""
    return sha256(SPKI_PREFIX, key).hex()


def _refused(what: str) -> Refusal:
    return Refusal("malformed", WHERE, what)


def _no_number(text: str) -> Any:
    raise _refused(f"the number {text[:40]}")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _refused("a member stands twice")
    return dict(pairs)


def _check_value(value: Any, depth: int = 0) -> None:
    if depth > DEPTH_LIMIT:
        raise Refusal("limit", WHERE, "nested too deep")
    if isinstance(value, dict):
        for name, each in value.items():
            if not name.isascii():
                raise _refused("a name beyond ASCII")
            _check_value(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check_value(each, depth + 1)
    elif isinstance(value, int):
        if abs(value) > INTEGER_LIMIT:
            raise _refused("an integer beyond 2^53 - 1")
    elif not isinstance(value, str):
        raise _refused("neither string, boolean, integer, list nor object")


def canonical_json(data: bytes) -> Any:
    """The value of canonical JSON: no space, names sorted, UTF-8 unescaped; every other form is refused."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_float=_no_number,
                           parse_constant=_no_number)
        _check_value(value)
        again = encode(value)
    except Refusal:
        raise
    except (ValueError, RecursionError):
        raise _refused("not JSON") from None
    if again != data:
        raise _refused("not in canonical form")
    return value


def encode(value: Any) -> bytes:
    """Canonical JSON of a value that was read as such, or changed by leaving members out."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding; lengths are of bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True)
class Entry:
    """A verified entry."""

    prover_key: bytes
    statement: dict[str, Any]
    leaf_hash: bytes
    # None for a kind that is not known here.
    kind: str | None


def _strings(value: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _refused(f"not exactly the members {sorted(names)}")
    return value


def parse_entry(data: bytes) -> Entry:
    """Form of envelope and statement, then the key's name, then the signature."""
    if len(data) > ENTRY_LIMIT:
        raise Refusal("limit", WHERE, f"{len(data)} bytes, at most {ENTRY_LIMIT}")
    envelope = _strings(canonical_json(data), {"payload", "payloadType", "signatures"})
    if not isinstance(envelope["payload"], str) or not isinstance(envelope["signatures"], list):
        raise _refused("payload or signatures of another type")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise Refusal("unsupported", WHERE, "another payload type")
    if len(envelope["signatures"]) != 1:
        raise _refused(f"{len(envelope['signatures'])} signatures")
    signature = _strings(envelope["signatures"][0], {"keyid", "sig"})
    if not isinstance(signature["keyid"], str) or not isinstance(signature["sig"], str):
        raise _refused("a signature's member is not a string")
    payload = decode64(envelope["payload"], WHERE)
    statement = _strings(canonical_json(payload), {"_type", "predicate", "predicateType", "subject"})
    if statement["_type"] != STATEMENT_TYPE:
        raise Refusal("unsupported", WHERE, "another statement type")
    if not isinstance(statement["predicateType"], str) or not isinstance(statement["subject"], list):
        raise _refused("predicate type or subject of another type")
    predicate = statement["predicate"]
    text = predicate.get("proverKey") if isinstance(predicate, dict) else None
    if not isinstance(text, str) or len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise _refused("no prover key of 64 lower-case hex digits in the predicate")
    key = bytes.fromhex(text)
    kind = check_statement(statement)
    if signature["keyid"] != key_id(key):
        raise _refused("keyid is not that of the prover key")
    if not ed25519_valid(key, decode64(signature["sig"], WHERE), pae(PAYLOAD_TYPE, payload)):
        raise Refusal("damaged", WHERE, "the signature does not hold")
    return Entry(key, statement, sha256(b"\x00", data), kind)
