"""Bounded reading of little-endian fields (spec/archive.md §2)."""

from .refusal import Refusal


class Cursor:
    """Takes fields from bytes; never reads past the end, never allocates by a length that it did not compare.

    `short` is the error for bytes that end too soon: `malformed` where the bytes matched what names them.
    """

    def __init__(self, data: bytes, where: str, short: str = "malformed") -> None:
        self.data = data
        self.where = where
        self.short = short
        self.offset = 0

    @property
    def remaining(self) -> int:
        return len(self.data) - self.offset

    def fail(self, code: str, message: str) -> Refusal:
        return Refusal(code, self.where, f"{message} (byte {self.offset})")

    def take(self, count: int) -> bytes:
        if count > self.remaining:
            raise self.fail(self.short, f"{count} bytes wanted, {self.remaining} are left")
        start = self.offset
        self.offset += count
        return self.data[start:self.offset]

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def u8(self) -> int:
        return self.uint(1)

    def u16(self) -> int:
        return self.uint(2)

    def u32(self) -> int:
        return self.uint(4)

    def u64(self) -> int:
        return self.uint(8)

    def digest(self) -> bytes:
        return self.take(32)

    def string(self, minimum: int, maximum: int) -> bytes:
        """A u16 byte count and UTF-8 without control characters; returned as bytes, whose order is what counts."""
        count = self.u16()
        if count > maximum:
            raise self.fail("limit", f"a string of {count} bytes, at most {maximum}")
        if count < minimum:
            raise self.fail("malformed", f"a string of {count} bytes, at least {minimum}")
        raw = self.take(count)
        if any(byte < 0x20 or byte == 0x7F for byte in raw):
            raise self.fail("malformed", "a control character in a string")
        try:
            raw.decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise self.fail("malformed", "a string is not UTF-8") from None
        return raw

    def finish(self) -> None:
        if self.remaining:
            raise self.fail("malformed", f"{self.remaining} bytes after the end")
