"""An archive's files, opened without following anything (spec/archive.md §1, §8)."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator

from .refusal import Refusal

# Every name that an archive may hold. Paths are built from these and from numbers, never from bytes of an archive.
NAMES = re.compile(
    r"settings\.json|policy\.json|records|records\.index|norms|objects|seal|journal|claims\.json"
    r"|dataset/(points|offsets|tree\.[0-3])|packs/[0-9]{8}\.(pack|index)"
)
FOLDERS = ("dataset", "packs")
_BLOCK = 1 << 20


def _refusal(error: OSError, name: str) -> Refusal:
    if error.errno in (errno.ENOENT,):
        return Refusal("missing", name, "there is no such file")
    if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EISDIR):
        return Refusal("malformed", name, "not a plain file")
    return Refusal("io", name, error.strerror or "the operating system failed")


class PlainFile:
    """A regular file of known length."""

    def __init__(self, descriptor: int, name: str, length: int) -> None:
        self.descriptor = descriptor
        self.name = name
        self.length = length

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes; a file shorter than that is damaged, nothing is allocated for it."""
        if offset + count > self.length:
            raise Refusal("damaged", self.name, f"bytes {offset} to {offset + count} pass the end at {self.length}")
        parts = []
        try:
            while count:
                part = os.pread(self.descriptor, min(count, _BLOCK), offset)
                if not part:
                    raise Refusal("io", self.name, "the file became shorter while it was read")
                parts.append(part)
                offset += len(part)
                count -= len(part)
        except OSError as error:
            raise _refusal(error, self.name) from error
        return b"".join(parts)

    def whole(self, limit: int) -> bytes:
        if self.length > limit:
            raise Refusal("limit", self.name, f"{self.length} bytes, at most {limit}")
        return self.read(0, self.length)

    def sha256(self, prefix: bytes = b"") -> bytes:
        state = hashlib.sha256(prefix)
        for offset in range(0, self.length, _BLOCK):
            state.update(self.read(offset, min(_BLOCK, self.length - offset)))
        return state.digest()

    def close(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> "PlainFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Folder:
    """The directory of an archive; only regular files with names of §1 are opened."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)

    def _enter(self, base: int | None, part: str, name: str) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if base is None else os.O_NOFOLLOW)
        try:
            return os.open(part, flags, dir_fd=base)
        except OSError as error:
            raise _refusal(error, name) from error

    def open(self, name: str) -> PlainFile:
        if not NAMES.fullmatch(name):
            raise Refusal("malformed", name, "not a name of archive.md §1")
        return self.open_plain(name)

    def open_plain(self, name: str) -> PlainFile:
        """A regular file by a name that this program made."""
        base = self._enter(None, self._path, name)
        try:
            folder, _, last = name.rpartition("/")
            if folder:
                inner = self._enter(base, folder, name)
                os.close(base)
                base = inner
            try:
                descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=base)
            except OSError as error:
                raise _refusal(error, name) from error
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                os.close(descriptor)
                raise Refusal("malformed", name, "not a plain file")
            return PlainFile(descriptor, name, status.st_size)
        finally:
            os.close(base)

    def read(self, name: str, limit: int) -> bytes:
        with self.open(name) as file:
            return file.whole(limit)

    def has(self, name: str) -> bool:
        return bool(NAMES.fullmatch(name)) and self.has_plain(name)

    def has_plain(self, name: str) -> bool:
        try:
            self.open_plain(name).close()
        except Refusal as refusal:
            if refusal.code == "missing":
                return False
            raise
        return True

    def is_name(self, name: str) -> bool:
        """Whether a file of this name may stand in the folder."""
        return bool(NAMES.fullmatch(name))

    def names(self) -> Iterator[str]:
        """Names of all files, as found; whatever is not a name of §1 is refused."""
        for part in ("", *FOLDERS):
            base = self._enter(None, self._path, part or ".")
            try:
                inner = self._enter(base, part, part) if part else os.dup(base)
                with os.scandir(inner) as entries:
                    found = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in entries)
                os.close(inner)
            except Refusal as refusal:
                if refusal.code == "missing":
                    continue
                raise
            finally:
                os.close(base)
            for last, is_folder in found:
                name = f"{part}/{last}" if part else last
                if not part and is_folder and last in FOLDERS:
                    continue
                if is_folder or not self.is_name(name):
                    raise Refusal("malformed", ascii(name)[1:-1], "not a file of archive.md §1")
                yield name
