"""What a ledger's folder keeps about time (spec/time.md §6): each token is held against its entry, head or token."""

import base64
import hashlib
import re
from pathlib import Path

from .hashing import leaf_hash, root_of_leaf_hashes
from .note import NOTE_LIMIT, TreeHead, VerifierKey
from .refusal import Refusal
from .time_token import Token

INDEX_LIMIT = 1 << 25
FULL = 256
LINE = re.compile(r"(head|entry) (0|[1-9][0-9]{0,18}) ([0-9a-f]{64})|(token|certificate|crl) ([0-9a-f]{64}) ([0-9a-f]{64})",
                  re.ASCII)


class TimeFolder:
    def __init__(self, folder: str | Path, key: VerifierKey) -> None:
        self.folder = Path(folder)
        self.head = TreeHead.verified(self._read("checkpoint", NOTE_LIMIT), key)
        self.leaves = [leaf_hash(entry) for entry in self._entries()]
        if root_of_leaf_hashes(self.leaves) != self.head.root:
            raise Refusal("damaged", "tile/entries", "the entries do not add up to the signed head")
        text = self._read("time/index", INDEX_LIMIT)
        self.lines: list[tuple[str, str, str]] = []
        for number, line in enumerate(text.decode("ascii", "replace").split("\n")[:-1], 1):
            match = LINE.fullmatch(line)
            if not match:
                raise Refusal("badTimeIndex", "time/index", f"line {number}")
            kind, subject, digest = (each for each in match.groups() if each is not None)
            self.lines.append((kind, subject, digest))

    def verify(self, roots: str | Path) -> list[tuple[str, str, int]]:
        """Kind, subject and time of every token; one that does not hold is an error."""
        found = []
        for kind, subject, digest in self.lines:
            if kind in ("certificate", "crl"):
                continue
            token = Token.parse(self._named("token", digest, "tst"))
            token.must_be_over(self._imprint(kind, subject))
            kept = [name for each, of, name in self.lines if each == "certificate" and of == digest]
            token.verify(roots, tuple(self._named("certificate", name, "cer") for name in kept))
            found.append((kind, subject, token.time))
        return found

    def _imprint(self, kind: str, subject: str) -> bytes:
        if kind == "token":
            return bytes.fromhex(subject)
        number = int(subject)
        if number > self.head.size or (kind == "entry" and number == self.head.size):
            raise Refusal("beyondHead", "time/index", f"{kind} {number}")
        if kind == "entry":
            return self.leaves[number]
        root = base64.b64encode(root_of_leaf_hashes(self.leaves[:number])).decode()
        return hashlib.sha256(f"{self.head.origin}\n{number}\n{root}\n".encode()).digest()

    def _named(self, folder: str, digest: str, ending: str) -> bytes:
        data = self._read(f"time/{folder}/{digest}.{ending}", 1 << 24)
        if hashlib.sha256(data).hexdigest() != digest:
            raise Refusal("damaged", f"time/{folder}/{digest}", "its bytes are not those of its name")
        return data

    def _entries(self) -> list[bytes]:
        entries: list[bytes] = []
        while len(entries) < self.head.size:
            number, width = divmod(len(entries), FULL)[0], min(FULL, self.head.size - len(entries))
            groups = [f"{number % 1000:03}"]
            while number := number // 1000:
                groups.insert(0, f"x{number % 1000:03}")
            name = "tile/entries/" + "/".join(groups) + (f".p/{width}" if width < FULL else "")
            bundle = self._read(name, FULL * 65_537)
            for _ in range(width):
                count = int.from_bytes(bundle[:2], "big")
                if len(bundle) < 2 + count:
                    raise Refusal("damaged", name, "it is cut off")
                entries.append(bundle[2 : 2 + count])
                bundle = bundle[2 + count :]
        return entries

    def _read(self, name: str, limit: int) -> bytes:
        path = self.folder / name
        try:
            if path.stat().st_size > limit:
                raise Refusal("limit", name, f"over {limit} bytes")
            return path.read_bytes()
        except OSError as error:
            raise Refusal("missing", name, str(error)) from None
