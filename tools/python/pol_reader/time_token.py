"""Time-stamp tokens (RFC 3161; spec/time.md): what one is over is read here, the rest is left to `openssl ts`."""

import calendar
import hashlib
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .refusal import Refusal

TOKEN_LIMIT = 65_535
TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
SHA256 = bytes.fromhex("300d06096086480165030402010500")
SEQUENCE, OCTETS, TIME = 0x30, 0x04, 0x18


class Der:
    """Values of DER, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, tag: int) -> bytes:
        """The contents of the next value, which must have this tag."""
        data = self.data
        if len(data) < 2 or data[0] != tag:
            raise Refusal("badToken", "token", f"no value with tag {tag:#x}")
        length, start = data[1], 2
        if length >= 128:
            count = length & 127
            if not 1 <= count <= 3 or len(data) < 2 + count:
                raise Refusal("badToken", "token", "a length that is none")
            length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
        if len(data) < start + length:
            raise Refusal("badToken", "token", "it is cut off")
        self.data = data[start + length :]
        return data[start : start + length]


@dataclass(frozen=True)
class Token:
    data: bytes
    imprint: bytes
    time: int

    @classmethod
    def read(cls, path: str | Path) -> "Token":
        return cls.parse(Path(path).read_bytes())

    @classmethod
    def parse(cls, data: bytes) -> "Token":
        if len(data) > TOKEN_LIMIT:
            raise Refusal("badToken", "token", f"{len(data)} bytes")
        whole = Der(data)
        content = Der(whole.take(SEQUENCE))
        if whole.data:
            raise Refusal("badToken", "token", "bytes follow it")
        content.take(0x06)
        signed = Der(Der(content.take(0xA0)).take(SEQUENCE))
        signed.take(0x02)
        signed.take(0x31)
        encapsulated = Der(signed.take(SEQUENCE))
        if not encapsulated.data.startswith(TST_INFO):
            raise Refusal("badToken", "token", "what is signed is no time-stamp")
        encapsulated.take(0x06)
        info = Der(Der(Der(encapsulated.take(0xA0)).take(OCTETS)).take(SEQUENCE))
        if info.take(0x02) != b"\x01":
            raise Refusal("badToken", "token", "another version")
        info.take(0x06)
        imprint = Der(info.take(SEQUENCE))
        if not imprint.data.startswith(SHA256):
            raise Refusal("badToken", "token", "over another hash than SHA-256")
        imprint.take(SEQUENCE)
        digest = imprint.take(OCTETS)
        if len(digest) != 32 or imprint.data:
            raise Refusal("badToken", "token", "no digest of 32 bytes")
        info.take(0x02)
        moment = info.take(TIME).decode("ascii", "replace")
        if not re.fullmatch(r"[0-9]{14}(\.[0-9]*[1-9])?Z", moment, re.ASCII):
            raise Refusal("badToken", "token", "its time is none")
        try:
            seconds = calendar.timegm(time.strptime(moment[:14], "%Y%m%d%H%M%S"))
        except ValueError:
            raise Refusal("badToken", "token", "its time is none") from None
        return cls(data, digest, seconds)

    def verify(self, roots: str | Path, certificates: tuple[bytes, ...] = ()) -> None:
        """Has `openssl ts` check signature, key usage and chain at the token's own time.

        `roots` is a PEM file of those whom the reader believes; `certificates` are DER, and no roots.
        """
        with tempfile.TemporaryDirectory() as folder:
            token, between = Path(folder, "token"), Path(folder, "between.pem")
            token.write_bytes(self.data)
            command = ["openssl", "ts", "-verify", "-token_in", "-in", token, "-digest", self.imprint.hex(), "-CAfile",
                       roots, "-attime", str(self.time)]
            for der in certificates:
                pem = subprocess.run(["openssl", "x509", "-inform", "DER"], input=der, capture_output=True)
                with between.open("ab") as out:
                    out.write(pem.stdout)
            if certificates:
                command += ["-untrusted", between]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            raise Refusal("untrustedTime", "token", done.stderr.decode(errors="replace").strip()[-200:])

    def must_be_over(self, digest: bytes) -> None:
        if self.imprint != digest:
            raise Refusal("otherImprint", "token", f"it is over {self.imprint.hex()}, not over {digest.hex()}")

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.data).digest()
