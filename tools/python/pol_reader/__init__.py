"""A second reader of pol archives, written from spec/archive.md and spec/dataset.md alone.

It exists to keep the specification honest: it shares no code with the Swift implementation, and prefers short,
plain code to fast code. `Archive(path).check()` checks a whole archive, `PartialArchive(path).check_segments()` a
folder of some segments (spec/store.md §5.1); `Refusal` says what is wrong and where.
"""

from .archive import Archive, Summary
from .partial import PartialArchive, PartialSummary
from .refusal import Refusal

__all__ = ["Archive", "PartialArchive", "PartialSummary", "Refusal", "Summary"]
