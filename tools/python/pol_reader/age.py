"""age v1 files to X25519 recipients, read whole (C2SP age.md)."""

import base64
import binascii
import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .hashing import hkdf
from .refusal import Refusal

HEADER_LIMIT = 65_536
FILE_LIMIT = 65 << 20
ARMORED_LIMIT = 89 << 20
ARMOR_START, ARMOR_END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
CHUNK = 65_536
ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


class AgeRefusal(Refusal):
    """`stage` says what failed in the words of C2SP/CCTV: header failure, no match, HMAC failure,
    payload failure, armor failure."""

    def __init__(self, code: str, stage: str, message: str) -> None:
        super().__init__(code, "age file", message)
        self.stage = stage


class NoMatch(Exception):
    """No identity opens the file."""


def header_failure(message: str, code: str = "malformed") -> AgeRefusal:
    return AgeRefusal(code, "header failure", message)


def identity(text: str) -> bytes:
    """The private key of an `AGE-SECRET-KEY-1...` line."""
    prefix = "age-secret-key-"
    if text != text.upper() or not text.lower().startswith(prefix + "1"):
        raise ValueError("not an age X25519 identity")
    values = [ALPHABET.index(letter) for letter in text.lower()[len(prefix) + 1:]]
    total = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            total ^= generator if top >> bit & 1 else 0
    number = int("".join(f"{value:05b}" for value in values[:-6]) or "0", 2)
    if total != 1 or len(values) != 58 or number & 15:
        raise ValueError("not an age X25519 identity")
    return (number >> 4).to_bytes(32, "big")


def identities(text: str) -> list[bytes]:
    """The keys of an identity file."""
    return [identity(line) for line in text.split("\n") if line and not line.startswith("#")]


def unpadded(text: bytes) -> bytes:
    """Base64 without padding; only the one encoding of its bytes is accepted."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise header_failure("not base64") from None
    if base64.b64encode(data).rstrip(b"=") != text:
        raise header_failure("base64 in another than the canonical form")
    return data


def parse_header(file: bytes) -> tuple[list[tuple[list[bytes], bytes]], bytes, bytes, bytes]:
    """Stanzas (arguments and body), the bytes that the MAC covers, the MAC, and the payload."""
    if not file.startswith(b"age-encryption.org/v1\n"):
        known = file.startswith(b"age-encryption.org/")
        raise header_failure("not an age v1 file", "unsupported" if known else "malformed")
    offset, stanzas = 22, []

    def line() -> bytes:
        nonlocal offset
        end = file.find(b"\n", offset, HEADER_LIMIT)
        if end < 0:
            raise header_failure("cut short or too long", "limit" if len(file) > HEADER_LIMIT else "malformed")
        start, offset = offset, end + 1
        return file[start:end]

    while True:
        start, text = offset, line()
        if text.startswith(b"---"):
            mac = unpadded(text[4:])
            if not stanzas or not text.startswith(b"--- ") or len(mac) != 32:
                raise header_failure("the last line of the header")
            return stanzas, file[:start + 3], mac, file[offset:]
        arguments = text[3:].split(b" ")
        if not text.startswith(b"-> ") or not all(
                each and all(0x21 <= byte <= 0x7E for byte in each) for each in arguments):
            raise header_failure("a stanza's first line")
        body = b""
        while True:
            text = line()
            if len(text) > 64:
                raise header_failure("a line of more than 64 characters")
            body += unpadded(text)
            if len(text) < 64:
                break
        stanzas.append((arguments, body))


def unwrap(stanzas: list[tuple[list[bytes], bytes]], keys: list[bytes]) -> bytes:
    if len(stanzas) > 1 and any(arguments[0] == b"scrypt" for arguments, _ in stanzas):
        raise header_failure("a passphrase beside other recipients")
    wrapped = []
    for arguments, body in stanzas:
        if arguments[0] != b"X25519":
            continue
        if len(arguments) != 2 or len(body) != 32 or len(share := unpadded(arguments[1])) != 32:
            raise header_failure("an X25519 stanza of another form")
        wrapped.append((share, body))
    for share, body in wrapped:
        for key in keys:
            private = X25519PrivateKey.from_private_bytes(key)
            try:
                shared = private.exchange(X25519PublicKey.from_public_bytes(share))
            except ValueError:
                raise header_failure("a share of low order") from None
            salt = share + private.public_key().public_bytes_raw()
            try:
                return ChaCha20Poly1305(hkdf(shared, salt, b"age-encryption.org/v1/X25519")).decrypt(
                    bytes(12), body, None)
            except InvalidTag:
                continue
    raise NoMatch("the file is encrypted to none of the identities")


def armor_failure(message: str, code: str = "malformed") -> AgeRefusal:
    return AgeRefusal(code, "armor failure", message)


def unarmored(text: bytes) -> bytes:
    """The file in strict PEM (RFC 7468 §3, Figure 3), lines ended by LF or CRLF, white space around it."""
    if len(text) > ARMORED_LIMIT:
        raise armor_failure(f"a file of {len(text)} bytes", "limit")
    lines = [line.removesuffix(b"\r") for line in text.strip(b" \t\r\n").split(b"\n")]
    if lines[0] != ARMOR_START or lines[-1] != ARMOR_END or len(lines) < 2:
        raise armor_failure("the first or the last line")
    body = lines[1:-1]
    # Of full lines there may be any number, and none is empty.
    if any(len(line) != 64 for line in body[:-1]) or body and not 0 < len(body[-1]) <= 64:
        raise armor_failure("a line that is not 64 characters long")
    joined = b"".join(body)
    try:
        data = base64.b64decode(joined, validate=True)
    except binascii.Error:
        raise armor_failure("not base64") from None
    if base64.b64encode(data) != joined:
        raise armor_failure("base64 in another than the canonical form")
    return data


def decrypt(file: bytes, keys: list[bytes]) -> bytes:
    if file[:1024].lstrip(b" \t\r\n").startswith(b"-----"):
        file = unarmored(file)
    if len(file) > FILE_LIMIT:
        raise header_failure(f"a file of {len(file)} bytes", "limit")
    stanzas, covered, mac, payload = parse_header(file)
    file_key = unwrap(stanzas, keys)
    expected = hmac.new(hkdf(file_key, bytes(32), b"header"), covered, hashlib.sha256).digest()
    if not hmac.compare_digest(mac, expected):
        raise AgeRefusal("damaged", "HMAC failure", "the header was altered")
    if len(payload) < 16:
        raise header_failure("the nonce is cut short")
    cipher = ChaCha20Poly1305(hkdf(file_key, payload[:16], b"payload"))
    sealed, chunks, index = payload[16:], [], 0
    while True:
        part, sealed = sealed[:CHUNK + 16], sealed[CHUNK + 16:]
        try:
            chunk = cipher.decrypt(index.to_bytes(11, "big") + bytes([not sealed]), part, None)
        except (InvalidTag, ValueError):
            raise AgeRefusal("damaged", "payload failure", f"chunk {index} does not open") from None
        if not chunk and index:
            raise AgeRefusal("damaged", "payload failure", "an empty chunk after others")
        chunks.append(chunk)
        if not sealed:
            return b"".join(chunks)
        index += 1
