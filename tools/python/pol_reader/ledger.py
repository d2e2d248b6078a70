"""Receipts: offline evidence that a log holds an entry (C2SP tlog-proof)."""

from dataclasses import dataclass

from .entry import Entry, parse_entry
from .hashing import root_from_inclusion
from .note import NOTE_LIMIT, TreeHead, VerifierKey, decimal, decode64
from .policy import Policy
from .refusal import Refusal

WHERE = "receipt"
PATH_LIMIT = 63  # sizes are below 2^63


@dataclass(frozen=True)
class Receipt:
    index: int
    path: list[bytes]
    head: bytes
    extra: bytes | None

    @classmethod
    def parse(cls, data: bytes) -> "Receipt":
        if len(data) > NOTE_LIMIT:
            raise Refusal("limit", WHERE, f"{len(data)} bytes")
        front, blank, head = data.partition(b"\n\n")
        if not blank or not front.isascii():
            raise Refusal("malformed", WHERE, "no empty line before the tree head, or not ASCII")
        lines = front.decode("ascii").split("\n")
        if lines.pop(0) != "c2sp.org/tlog-proof@v1":
            raise Refusal("unsupported", WHERE, "another first line")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode64(lines.pop(0)[6:], WHERE)
        if not lines or not lines[0].startswith("index "):
            raise Refusal("malformed", WHERE, "no index")
        index = decimal(lines.pop(0)[6:], WHERE)
        if len(lines) > PATH_LIMIT:
            raise Refusal("limit", WHERE, f"a path of {len(lines)} hashes")
        path = [decode64(line, WHERE) for line in lines]
        if any(len(each) != 32 for each in path):
            raise Refusal("malformed", WHERE, "a hash that has not 32 bytes")
        return cls(index, path, head, extra)


@dataclass(frozen=True)
class Verified:
    entry: Entry
    index: int
    head: TreeHead
    times: dict[bytes, int]  # when each witness of the policy cosigned, by its own clock


def verify_receipt(entry: bytes, receipt: bytes, key: VerifierKey, policy: Policy | None = None) -> Verified:
    """The entry's own signature, the log's over the tree head, the witnesses' where a policy asks, and the path."""
    parsed = parse_entry(entry)
    proof = Receipt.parse(receipt)
    head, times = TreeHead.verified(proof.head, key, WHERE), {}
    if policy is not None:
        head, times = policy.judge(proof.head, key, WHERE)
    if root_from_inclusion(parsed.leaf_hash, proof.index, head.size, proof.path) != head.root:
        raise Refusal("damaged", WHERE, "the path does not lead from this entry to the tree head")
    return Verified(parsed, proof.index, head, times)
