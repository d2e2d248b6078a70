"""`python3 -m pol_reader.evidence FILE [--ledger-key K] [--ledger-policy P] [--tsa-ca PEM]`: checks an evidence file.

Offline, from spec/evidence.md alone. K is a verifier key or a file with one. The exit status is 0 when the file is proved by a
key that was given, 1 when it is refused, 2 when it only agrees with itself.
"""

import argparse
import datetime
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .entry import Entry, canonical_json, encode, key_id, parse_entry
from .hashing import leaf_hash, root_from_inclusion, sha256
from .ledger import Receipt
from .note import Note, TreeHead, VerifierKey, decode64
from .evidence_policy import POLICY_LIMIT, Policy
from .refusal import Refusal
from .statements import opens
from .timestamp import TOKEN_LIMIT, Standing, Token

WHERE = "evidence"
SCHEMA = "pol-evidence/1"
FILE_LIMIT, ENTRY_LIMIT, RECEIPT_LIMIT, LIST_LIMIT = 32 << 20, 65_535, 360_448, 16 << 20
ENTRIES, RECEIPTS, TIMES, ATTACHMENTS = (1, 16), (1, 8), (0, 16), (0, 16)
NAMING = ("commitment", "proof", "challenge")


def _bad(what: str) -> Refusal:
    return Refusal("badEvidence", WHERE, what)


def _members(value: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _bad(f"not exactly the members {sorted(names)}")
    return value


def _list(value: Any, counts: tuple[int, int]) -> list[Any]:
    if not isinstance(value, list) or not counts[0] <= len(value) <= counts[1]:
        raise _bad(f"not a list of {counts[0]} to {counts[1]}")
    return value


def _bytes(value: Any, limit: int) -> bytes:
    if not isinstance(value, str) or len(value) > (limit + 2) // 3 * 4:
        raise _bad(f"not base64 of at most {limit} bytes")
    try:
        data = decode64(value, WHERE)
    except Refusal:
        raise _bad("not base64") from None
    if len(data) > limit:
        raise _bad(f"more than {limit} bytes")
    return data


@dataclass
class Exhibit:
    """One entry of the file, checked. `entry` is None where its bytes are no valid statement."""

    index: int
    leaf: bytes
    entry: Entry | None
    seen: dict[str, int]

    def named(self) -> set[str]:
        if self.entry is None or self.entry.kind is None:
            return set()
        predicate = self.entry.statement["predicate"]
        names = {predicate[each] for each in NAMING if each in predicate and self.entry.kind != "commitment"}
        names.update(predicate.get("parents", []))
        if "opening" in predicate:
            names.add(predicate["opening"]["hidden"])
        return names - {"0" * 64}


@dataclass
class Time:
    token: Token
    # What it is over: ("entry" | "head" | "token", position).
    over: tuple[str, int]
    worth: str = "stated"
    standing: Standing | None = None
    why: str = ""
    renewed: int | None = None


@dataclass
class Finding:
    key_given: bool
    head: TreeHead
    entries: list[Exhibit]
    committed_at: int
    run_committed_at: int
    times: list[Time] = field(default_factory=list)


def check_evidence(data: bytes, key: VerifierKey | None = None, policy: Policy | None = None,
                   roots: list[bytes] | None = None) -> Finding:
    """Key, policy and roots are the reader's own; without a key the file's own is used, and the finding says so."""
    if len(data) > FILE_LIMIT:
        raise _bad(f"{len(data)} bytes")
    try:
        value = canonical_json(data)
    except Refusal as refusal:
        raise _bad(refusal.message) from None
    value = _members(value, {"entries", "logKey", "policy", "schema", "times"})
    if value["schema"] != SCHEMA or not isinstance(value["logKey"], str):
        raise _bad("another schema, or no key")
    items = [_item(each) for each in _list(value["entries"], ENTRIES)]
    stated = VerifierKey.parse(value["logKey"])
    own_policy = _bytes(value["policy"], POLICY_LIMIT)
    if own_policy:
        Policy.parse(own_policy)
    stamps = [_stamp(each) for each in _list(value["times"], TIMES)]

    shared = items[0][1][0].head
    if key is None and policy is not None and policy.logs:
        key = _listed(policy, shared)
    used = key or stated
    note = Note.parse(shared)
    if policy is not None:
        policy.check_lists(used)
    head = TreeHead.verified(shared, used)
    if policy is not None:
        policy.check_quorum(note)
    entries = [_entry(*each, shared, used, policy) for each in items]
    _check_relations(entries)
    committed, run = _standing(entries, head.origin)
    return Finding(key is not None, head, entries, committed, run, _times(stamps, items, entries, roots))


def _item(value: Any) -> tuple[bytes, list[Receipt]]:
    value = _members(value, {"bytes", "receipts"})
    receipts = [Receipt.parse(_bytes(each, RECEIPT_LIMIT)) for each in _list(value["receipts"], RECEIPTS)]
    for each in receipts:
        Note.parse(each.head)
    return _bytes(value["bytes"], ENTRY_LIMIT), receipts


def _stamp(value: Any) -> tuple[bytes, list[bytes], list[bytes]]:
    value = _members(value, {"certificates", "revocationLists", "token"})
    return (_bytes(value["token"], TOKEN_LIMIT),
            [_bytes(each, TOKEN_LIMIT) for each in _list(value["certificates"], ATTACHMENTS)],
            [_bytes(each, LIST_LIMIT) for each in _list(value["revocationLists"], ATTACHMENTS)])


def _listed(policy: Policy, head: bytes) -> VerifierKey:
    note = Note.parse(head)
    for key in policy.logs:
        if any((name, one) == (key.name, key.key_id) for name, one, _ in note.signatures):
            return key
    listed = note.text.split("\n")[0] in [key.name for key in policy.logs]
    raise Refusal("missing" if listed else "notInPolicy", WHERE, "signed by no log of the policy")


def _entry(data: bytes, receipts: list[Receipt], shared: bytes, key: VerifierKey, policy: Policy | None) -> Exhibit:
    if receipts[0].head != shared:
        raise Refusal("otherHead", WHERE, "an entry under another head than the first one")
    leaf, index, seen = leaf_hash(data), receipts[0].index, {}
    for each in receipts:
        if each.index != index:
            raise Refusal("otherIndex", WHERE, "two receipts of an entry name two places")
        head = TreeHead.verified(each.head, key)
        if root_from_inclusion(leaf, index, head.size, each.path) != head.root:
            raise Refusal("damaged", WHERE, f"the bytes are not entry {index} of the signed tree")
        for name, time in policy.seen(Note.parse(each.head)).items() if policy else ():
            seen[name] = min(time, seen.get(name, time))
    try:
        return Exhibit(index, leaf, parse_entry(data), seen)
    except Refusal:
        return Exhibit(index, leaf, None, seen)


def _check_relations(entries: list[Exhibit]) -> None:
    first, last = entries[0], -1
    for each in entries[1:]:
        if each.leaf.hex() not in first.named() and first.leaf.hex() not in each.named():
            raise Refusal("unrelatedEntry", WHERE, f"entry {each.index} has nothing to do with entry {first.index}")
        if each.index == first.index or each.index <= last:
            raise _bad("the other entries are not in rising order, each once")
        last = each.index


def _standing(entries: list[Exhibit], origin: str) -> tuple[int, int]:
    """Committed at, and the run commitment's place; -1 stands for none."""
    first = entries[0]
    if first.entry is None or first.entry.kind not in ("proof", "proof-part"):
        return -1, -1
    committed, run = first.index, -1
    predicate = first.entry.statement["predicate"]
    for each in entries[1:]:
        if each.entry is None or each.entry.prover_key != first.entry.prover_key or each.index >= first.index:
            continue
        if predicate.get("opening", {}).get("hidden") == each.leaf.hex() and each.entry.statement["predicate"][
                "logOrigin"] == origin and opens(first.entry.statement, each.entry.statement, encode):
            committed = each.index
        if each.entry.kind == "commitment" and predicate.get("commitment") == each.leaf.hex():
            run = each.index
    return committed, run


def _times(stamps: list[tuple[bytes, list[bytes], list[bytes]]], items: list[tuple[bytes, list[Receipt]]],
           entries: list[Exhibit], roots: list[bytes] | None) -> list[Time]:
    over: dict[bytes, tuple[str, int]] = {}
    for position, (_, receipts) in enumerate(items):
        for each in receipts:
            over.setdefault(sha256(Note.parse(each.head).text.encode()), ("head", position))
    over.update({each.leaf: ("entry", position) for position, each in enumerate(entries)})
    found: list[Time] = []
    for position, (data, certificates, lists) in enumerate(stamps):
        token = Token.parse(data)
        if token.imprint not in over:
            raise Refusal("unrelatedTime", WHERE, f"token {position} is over nothing that is in the file")
        one = Time(token, over[token.imprint])
        over[sha256(data)] = ("token", position)
        if roots is not None:
            try:
                one.standing, one.worth = token.check(roots, certificates, lists), "holds"
            except Refusal as refusal:
                one.worth, one.why = "nothing", refusal.code
            older = found[one.over[1]] if one.over[0] == "token" else None
            if one.standing and older and older.standing and token.time < older.standing.valid_until:
                older.renewed = token.time
        found.append(one)
    return found


def _clock(seconds: int) -> str:
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s after 1970"


def _kind(entry: Exhibit) -> str:
    if entry.entry is None:
        return "no valid statement"
    return entry.entry.kind or "a statement of another kind"


def words(found: Finding) -> list[str]:
    first = found.entries[0]
    lines = ["proved, by the key that you gave" if found.key_given
             else "undecided: the file agrees with itself, by the key that it states itself",
             f"  log      {found.head.origin!a}"[:200],
             f"  entry    {first.index} of {found.head.size}, {_kind(first)}", f"  leaf     {first.leaf.hex()}"]
    if first.entry:
        lines.append(f"  by key   {key_id(first.entry.prover_key)}")
    lines += [f"  with     entry {each.index}, {_kind(each)}" for each in found.entries[1:]]
    lines += ["order (the tree):", f"  these bytes stood in the log before every entry after {first.index}"]
    if found.committed_at >= 0:
        lines.append(f"  fixed at entry {found.committed_at}, opened at {first.index}"
                     if found.committed_at < first.index else "  no valid hidden commitment came before it")
        lines.append(f"  the run was committed to at entry {found.run_committed_at}, by the same key"
                     if found.run_committed_at >= 0 else "  no commitment before the training is in this file")
    lines.append("witnesses:")
    lines += [f"  {name!a} had seen entry {each.index} by {_clock(time)}"
              for each in found.entries for name, time in sorted(each.seen.items())] or ["  none that you named"]
    lines.append("time stamps:")
    for each in found.times:
        what = f"{each.over[0]} {each.over[1]}: {_clock(each.token.time)}"
        if each.standing:
            until = each.standing.not_revoked_until
            what += (f", says {each.standing.authority!a}; "
                     + ("whether it was revoked is not known" if until is None else f"not revoked until {_clock(until)}")
                     + (f"; its chain ends {_clock(each.standing.valid_until)}" if each.renewed is None
                        else f"; renewed {_clock(each.renewed)}"))
        else:
            what += " is stated, not judged" if each.worth == "stated" else f" counts for nothing ({each.why})"
        lines.append("  " + what)
    if not found.times:
        lines.append("  none")
    return lines + ["not proved:", "  that the statement is true, or who trained the model",
                    "  that nobody claimed it earlier, here or elsewhere",
                    "  that the key was not withdrawn later, or that it did not exist long before"]


def document(found: Finding) -> dict[str, Any]:
    first = found.entries[0]
    return {"answer": "proved" if found.key_given else "undecided", "origin": found.head.origin, "index": first.index,
            "treeSize": found.head.size, "leafHash": first.leaf.hex(), "kind": _kind(first),
            "committedAt": found.committed_at, "runCommittedAt": found.run_committed_at,
            "entries": [{"index": each.index, "kind": _kind(each), "seen": each.seen} for each in found.entries],
            "times": [{"of": each.over[0], "position": each.over[1], "time": each.token.time, "worth": each.worth,
                       "why": each.why, "renewedAt": each.renewed} for each in found.times]}


def _certificates(path: str) -> list[bytes]:
    data = Path(path).read_bytes()
    found = x509.load_pem_x509_certificates(data) if b"-----BEGIN" in data else [x509.load_der_x509_certificate(data)]
    return [each.public_bytes(Encoding.DER) for each in found]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pol_reader.evidence", description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--ledger-key", metavar="VKEY")
    parser.add_argument("--ledger-policy", metavar="FILE")
    parser.add_argument("--tsa-ca", metavar="FILE", action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        key = options.ledger_key
        if key and Path(key).is_file():
            key = Path(key).read_text().removesuffix("\n")
        roots = [each for path in options.tsa_ca for each in _certificates(path)] if options.tsa_ca else None
        with Path(options.file).open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
        policy = Policy.parse(Path(options.ledger_policy).read_bytes()) if options.ledger_policy else None
        found = check_evidence(data, VerifierKey.parse(key) if key else None, policy, roots)
    except Refusal as refusal:
        print(json.dumps({"error": refusal.code, "where": refusal.where, "message": refusal.message}) if options.json
              else f"refused: {refusal.code}: {refusal.message}")
        return 1
    except (OSError, ValueError) as error:
        print(f"refused: {error}")
        return 1
    print(json.dumps(document(found)) if options.json else "\n".join(words(found)))
    return 0 if found.key_given else 2


if __name__ == "__main__":
    sys.exit(main())
