"""Why bytes were refused (spec/archive.md §8; `notHeld` spec/store.md §5.1; of time-stamps spec/time.md §9)."""

CODES = ("missing", "damaged", "malformed", "unsupported", "limit", "io", "notHeld",
         # Of time stamps, evidence files and policies (spec/time.md §9, spec/evidence.md §6, spec/witness.md §9).
         "badToken", "otherImprint", "untrustedTime", "revokedTime", "badTimeIndex", "beyondHead", "badEvidence", "otherHead",
         "otherIndex", "unrelatedEntry", "unrelatedTime", "badPolicy", "notInPolicy", "quorumMissing")


class Refusal(Exception):
    """One of the spec's errors, with the place: `code` is what a program matches on, never the text."""

    def __init__(self, code: str, where: str, message: str) -> None:
        if code not in CODES:
            raise ValueError(f"not an error of the specs: {code}")
        super().__init__(f"{code} at {where}: {message}")
        self.code = code
        self.where = where
        self.message = message
