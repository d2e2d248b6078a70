"""DER (X.690), as far as time stamps need it: definite lengths in their shortest form, low tag numbers."""

from dataclasses import dataclass

from .refusal import Refusal

INTEGER, OCTETS, NULL, OID, SEQUENCE, SET, TIME = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31, 0x18
WHERE = "token"


def bad(what: str) -> Refusal:
    return Refusal("badToken", WHERE, what)


@dataclass(frozen=True)
class Element:
    tag: int
    body: bytes
    # With tag and length, as it came.
    whole: bytes

    def items(self) -> list["Element"]:
        return list(_elements(self.body))

    def as_(self, tag: int) -> "Element":
        if self.tag != tag:
            raise bad(f"tag {self.tag:#x} where {tag:#x} belongs")
        return self

    def number(self) -> int:
        body = self.as_(INTEGER).body
        if not body or len(body) > 1 and (body[0] == 0 and body[1] < 128 or body[0] == 255 and body[1] > 127):
            raise bad("an integer that is not in its shortest form")
        return int.from_bytes(body, "big", signed=True)

    def oid(self) -> str:
        body = self.as_(OID).body
        if not body or body[-1] & 128:
            raise bad("an object identifier that is cut short")
        numbers, value = [], 0
        for byte in body:
            value = value << 7 | byte & 127
            if not byte & 128:
                numbers.append(value)
                value = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _elements(data: bytes):
    at = 0
    while at < len(data):
        element = _one(data, at)
        at += len(element.whole)
        yield element


def _one(data: bytes, at: int) -> Element:
    if len(data) - at < 2 or data[at] & 31 == 31:
        raise bad("an element that is cut short")
    length, start = data[at + 1], at + 2
    if length > 127:
        count = length & 127
        length = int.from_bytes(data[start:start + count], "big")
        if not 1 <= count <= 4 or len(data) - start < count or length < 128 or length < 1 << 8 * (count - 1):
            raise bad("a length that is not in its shortest form")
        start += count
    if len(data) - start < length:
        raise bad("an element that is cut short")
    return Element(data[at], data[start:start + length], data[at:start + length])


def parse(data: bytes) -> Element:
    """One element and nothing after it."""
    element = _one(data, 0)
    if element.whole != data:
        raise bad("bytes stand after it")
    return element
