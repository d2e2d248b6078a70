"""Digests, trees, checksums and signatures (spec/archive.md §2)."""

import hashlib
import hmac
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ZERO = bytes(32)
EMPTY_ROOT = hashlib.sha256(b"").digest()


def sha256(*parts: bytes) -> bytes:
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.digest()


def tagged(tag: str, *parts: bytes) -> bytes:
    """SHA-256 over a domain tag, its newline, and the parts."""
    return sha256(b"pol/v1/" + tag.encode("ascii") + b"\n", *parts)


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00", data)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01", left, right)


class TreeBuilder:
    """RFC 6962 root over hashes of leaves, or of whole subtrees, that come one by one; holds one per level."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, node: bytes, height: int = 0) -> None:
        while self._peaks and self._peaks[-1][0] == height:
            node = node_hash(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            node = node_hash(left, node)
        return node


def root_of_leaf_hashes(hashes: Iterable[bytes]) -> bytes:
    tree = TreeBuilder()
    for each in hashes:
        tree.add(each)
    return tree.root()


def tree_root(leaves: Iterable[bytes]) -> bytes:
    return root_of_leaf_hashes(leaf_hash(each) for each in leaves)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that an inclusion path leads to (RFC 9162 §2.1.3.2), or None where its length does not fit."""
    if not 0 <= index < size:
        return None
    position, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        position >>= 1
        last >>= 1
    return node if last == 0 else None


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 if value & 1 else value >> 1
        table.append(value)
    return table


_CRC_TABLE = _crc_table()


def crc32c(*parts: bytes) -> int:
    """Castagnoli CRC, reflected, as in RFC 3720 §B.4."""
    table, crc = _CRC_TABLE, 0xFFFFFFFF
    for part in parts:
        for byte in part:
            crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 with 32 bytes of output (RFC 5869): one block of the expansion."""
    key = hmac.new(salt, secret, hashlib.sha256).digest()
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()


_P = 2**255 - 19
# The y of the eight points of low order; two of them stand for two points each.
_ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
_LOW_ORDER = {0, 1, _P - 1, int.from_bytes(bytes.fromhex(_ORDER_8), "little")}
_LOW_ORDER |= {_P - y for y in _LOW_ORDER if y > 1}


def ed25519_key_taken(key: bytes) -> bool:
    """Whether it is the one encoding of a point that is not of low order (spec/glossary.md, Ed25519)."""
    y = int.from_bytes(key, "little") & (2**255 - 1)
    return len(key) == 32 and y < _P and y not in _LOW_ORDER


def ed25519_valid(key: bytes, signature: bytes, message: bytes) -> bool:
    if not ed25519_key_taken(key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
