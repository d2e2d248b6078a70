"""Why bytes were refused (spec/archive.md §8; `notHeld` spec/store.md §5.1)."""

CODES = ("missing", "damaged", "malformed", "unsupported", "limit", "io", "notHeld")


class Refusal(Exception):
    """One of the spec's errors, with the place: `code` is what a program matches on, never the text."""

    def __init__(self, code: str, where: str, message: str) -> None:
        if code not in CODES:
            raise ValueError(f"not an error of archive.md §8: {code}")
        super().__init__(f"{code} at {where}: {message}")
        self.code = code
        self.where = where
        self.message = message
