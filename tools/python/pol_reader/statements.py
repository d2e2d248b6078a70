"""Statements of known kinds (spec/statements.md §2 to §10): exact members, limits, and what has to agree."""

import base64
from dataclasses import dataclass
from typing import Any

from .hashing import ed25519_valid, sha256
from .note import VerifierKey, decode64
from .refusal import Refusal

WHERE = "entry"
TYPE_PREFIX, TYPE_SUFFIX = "https://pol.dev/", "/v1"
TEXT_LIMIT = 2048
SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")


def _refused(what: str) -> Refusal:
    return Refusal("malformed", WHERE, what)


def _digest(value: Any, what: str) -> None:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise _refused(f"{what} is not 64 lower-case hex digits")


def _text(value: Any, what: str, limit: int = TEXT_LIMIT) -> None:
    if not isinstance(value, str) or len(value.encode()) > limit or any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise _refused(f"{what} is not text of at most {limit} bytes without control characters")


def _count(value: Any, what: str) -> None:
    if type(value) is not int or value < 0:
        raise _refused(f"{what} is not a count")


def _members(value: Any, names: set[str], what: str, optional: frozenset[str] = frozenset()) -> None:
    if not isinstance(value, dict) or value.keys() - optional != names:
        raise _refused(f"the members of {what} are not exactly {sorted(names)}")


@dataclass(frozen=True)
class Digests:
    """A list of digests; `order` is rising, distinct or free."""

    most: int
    order: str = "free"
    least: int = 0

    def check(self, value: Any, what: str) -> None:
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            raise _refused(f"{what} is not a list of {self.least} to {self.most} digests")
        for each in value:
            _digest(each, what)
        if self.order == "rising" and any(a >= b for a, b in zip(value, value[1:])):
            raise _refused(f"{what} is not in rising order")
        if self.order == "distinct" and len(set(value)) != len(value):
            raise _refused(f"{what} holds a digest twice")


@dataclass(frozen=True)
class Words:
    """One of a few words."""

    choices: tuple[str, ...]

    def check(self, value: Any, what: str) -> None:
        if not isinstance(value, str) or value not in self.choices:
            raise _refused(f"{what} is not one of {', '.join(self.choices)}")


@dataclass(frozen=True)
class Kind:
    subject: str
    # The predicate's member that the subject's digest has to equal; None when it stands nowhere else.
    same: str | None
    members: dict[str, Any]
    may_open: bool = False


COMMON = {"logOrigin": "text", "proverKey": "digest"}
KINDS = {
    "commitment": Kind("run", "runSecretDigest", {
        "datasetRoot": "digest", "policyDigest": "digest", "runSecretDigest": "digest", "settingsDigest": "digest"}),
    "hidden": Kind("hidden", "hidingDigest", {"hidingDigest": "digest"}),
    "anchor": Kind("chain", "chainHead", {
        "archiveID": "digest", "chainHead": "digest", "commitment": "digest", "recordCount": "count",
        "step": "count"}),
    "proof": Kind("model", None, {
        "archiveID": "digest", "archiveRoot": "digest", "commitment": "digest", "checkpointWeights": Digests(64),
        "datasetRoot": "digest", "heldOut": "heldOut", "location": "text", "parents": Digests(64, "distinct"),
        "policyDigest": "digest", "sealDigest": "digest", "settingsDigest": "digest",
        "sketch": Digests(64, "rising"), "steps": "count", "tensors": Digests(256, "distinct")}, may_open=True),
    "proof-part": Kind("proof", "proof", {"proof": "digest", "tensors": Digests(512, "rising", 1)}, may_open=True),
    "challenge": Kind("proof", "proof", {"nonceDigest": "digest", "proof": "digest"}),
    "verdict": Kind("proof", "proof", {
        "answer": Words(("refuted", "undecided", "verified")), "challenge": "digest", "executedCount": "count",
        "nonce": "digest", "policyDigest": "digest", "proof": "digest", "reason": "reason", "reportDigest": "digest",
        "segmentCount": "count"}),
    "index-root": Kind("map", "mapRoot", {"mapRoot": "digest", "mapVersion": "one", "treeSize": "count"}),
    "withdrawal": Kind("key", "keyID", {"keyID": "digest", "reason": Words(("compromised", "retired"))}),
    "log-end": Kind("tree", "treeRoot", {"successor": "text", "treeRoot": "digest", "treeSize": "count"}),
    "log-begin": Kind("tree", "predecessorRoot", {
        "predecessor": "text", "predecessorRoot": "digest", "predecessorSignature": "text", "predecessorSize": "count"}),
}


def _other_log(predicate: dict[str, Any], member: str) -> VerifierKey:
    key = VerifierKey.parse(predicate[member])
    if key.name == predicate["logOrigin"] or key.key.hex() == predicate["proverKey"]:
        raise _refused(f"{member} has the origin or the key of the log itself")
    return key


def _check_final_head(predicate: dict[str, Any]) -> None:
    """The other log's signature over its last head, as a line of history has it."""
    key = _other_log(predicate, "predecessor")
    blob = decode64(predicate["predecessorSignature"], WHERE)
    root = base64.b64encode(bytes.fromhex(predicate["predecessorRoot"])).decode()
    text = f"{key.name}\n{predicate['predecessorSize']}\n{root}\n".encode()
    if len(blob) != 68 or blob[:4] != key.key_id or not ed25519_valid(key.key, blob[4:], text):
        raise _refused("predecessorSignature is not over that head, by that key")


def _check_member(rule: Any, value: Any, what: str) -> None:
    if rule == "digest":
        _digest(value, what)
    elif rule == "text":
        _text(value, what)
    elif rule == "reason":
        _text(value, what, 64)
    elif rule == "count":
        _count(value, what)
    elif rule == "one":
        if value is True or value != 1:
            raise _refused(f"{what} is not 1")
    elif rule == "heldOut":
        _members(value, {"correct", "count"}, what)
        for name in ("correct", "count"):
            _count(value[name], f"{what}.{name}")
        if value["correct"] > value["count"]:
            raise _refused(f"{what}.correct is above {what}.count")
    else:
        rule.check(value, what)


def kind_of(statement: dict[str, Any]) -> str | None:
    """The kind's word, or None for one that is not known here."""
    text = statement["predicateType"]
    if not text.startswith(TYPE_PREFIX) or not text.endswith(TYPE_SUFFIX):
        return None
    word = text[len(TYPE_PREFIX):-len(TYPE_SUFFIX)]
    return word if word in KINDS else None


def check_statement(statement: dict[str, Any]) -> str | None:
    """Refuses a statement of a known kind that is not as specified; returns the kind.

    The caller has checked the statement's own members and its prover key.
    """
    word = kind_of(statement)
    if word is None:
        return None
    kind, predicate = KINDS[word], statement["predicate"]
    optional = frozenset({"opening"} if kind.may_open else ())
    _members(predicate, set(kind.members) | set(COMMON), "predicate", optional)
    for name, rule in (kind.members | COMMON).items():
        _check_member(rule, predicate[name], name)
    if "opening" in predicate:
        _members(predicate["opening"], {"hidden", "salt"}, "opening")
        for name in ("hidden", "salt"):
            _digest(predicate["opening"][name], name)
    subject = statement["subject"]
    if len(subject) != 1:
        raise _refused("not exactly one subject")
    _members(subject[0], {"digest", "name"}, "subject")
    _members(subject[0]["digest"], {"sha256"}, "subject.digest")
    _digest(subject[0]["digest"]["sha256"], "subject.digest.sha256")
    if subject[0]["name"] != kind.subject:
        raise _refused("a subject of another name")
    if kind.same is not None and subject[0]["digest"]["sha256"] != predicate[kind.same]:
        raise _refused(f"the subject's digest is not {kind.same}")
    if word == "anchor" and predicate["recordCount"] == 0:
        raise _refused("recordCount is 0")
    if word == "verdict":
        if predicate["executedCount"] > predicate["segmentCount"]:
            raise _refused("executedCount is above segmentCount")
        if (predicate["reason"] == "") != (predicate["answer"] == "verified"):
            raise _refused("reason is not empty exactly where answer is verified")
    if word == "withdrawal":
        if predicate["keyID"] != sha256(SPKI_PREFIX, bytes.fromhex(predicate["proverKey"])).hex():
            raise _refused("keyID is not that of proverKey")
    if word == "log-end" and predicate["successor"]:
        _other_log(predicate, "successor")
    if word == "log-begin":
        _check_final_head(predicate)
    return word


def unopened_digest(statement: dict[str, Any], encode: Any) -> bytes:
    """What a hidden entry fixes of a statement; `encode` gives canonical JSON."""
    predicate = {name: each for name, each in statement["predicate"].items() if name != "opening"}
    return sha256(b"pol/v1/statement\n", encode(statement | {"predicate": predicate}))


def opens(statement: dict[str, Any], hidden: dict[str, Any], encode: Any) -> bool:
    """Whether a statement's opening shows that it is what the hidden statement fixed, for that log and key."""
    opening = statement["predicate"].get("opening")
    if opening is None or kind_of(hidden) != "hidden":
        return False
    mine, fixed = statement["predicate"], hidden["predicate"]
    return mine["proverKey"] == fixed["proverKey"] and fixed["hidingDigest"] == sha256(
        b"pol/v1/hiding\n", bytes.fromhex(mine["proverKey"]), fixed["logOrigin"].encode(),
        statement["predicateType"].encode(), bytes.fromhex(opening["salt"]), unopened_digest(statement, encode)).hex()
