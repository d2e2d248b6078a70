"""Integers, hashes and LZ4 blocks of the vectors: no library's version shows in the bytes."""

import hashlib
import hmac

def le(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def tag(name: str, *parts: bytes) -> bytes:
    return sha(f"pol/v1/{name}\n".encode(), *parts)


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, as it is written there."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return sha(b"\x00", leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha(b"\x01", root(leaves[:split]), root(leaves[split:]))


def hash_root(hashes: list[bytes]) -> bytes:
    """The same over leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha(b"\x01", hash_root(hashes[:split]), hash_root(hashes[split:]))


def inclusion(hashes: list[bytes], index: int) -> list[bytes]:
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return inclusion(hashes[:split], index) + [hash_root(hashes[split:])]
    return inclusion(hashes[split:], index - split) + [hash_root(hashes[:split])]


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC = [_crc_of(byte) for byte in range(256)]


def crc(data: bytes) -> bytes:
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC[(value ^ byte) & 255] ^ value >> 8
    return le(value ^ 0xFFFFFFFF, 4)


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return hmac.digest(hmac.digest(salt, secret, "sha256"), info + b"\x01", "sha256")


def fixed(label: str) -> bytes:
    """32 bytes that stand for random ones."""
    return sha(b"pol test vectors: " + label.encode())


def string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return le(len(raw), 2) + raw


def lz4_run(raw: bytes, period: int) -> bytes:
    """An LZ4 block for bytes that repeat after `period`: literals, one overlapping match, five last literals."""
    length = len(raw) - period - 5 - 4

    def more(value: int) -> bytes:
        return bytes([255] * (value // 255) + [value % 255]) if value >= 0 else b""

    token = min(period, 15) << 4 | min(length, 15)
    return (bytes([token]) + more(period - 15) + raw[:period] + le(period, 2) + more(length - 15)
            + b"\x50" + raw[-5:])


def lz4_literals(raw: bytes) -> bytes:
    """The LZ4 block that compresses nothing."""
    extra = len(raw) - 15
    return b"\xf0" + bytes([255] * (extra // 255) + [extra % 255]) + raw


def period_of(raw: bytes) -> int | None:
    if len(raw) < 64:
        return None
    for period in (1, 2, 4, 8):
        if raw[period:] == raw[:-period]:
            return period
    return None
