"""What the archive's figures should be: a bound that is good, and one that is excellent.

The limits behind them: SHA-256 of every byte, LZ4 and one filter pass for the speeds; the order-0
entropy of exponents and of differences for the ratios of size.
"""
import dataclasses


@dataclasses.dataclass
class Bound:
    good: float
    excellent: float
    more_is_better: bool = True

    def verdict(self, value):
        def reaches(bound):
            return value >= bound if self.more_is_better else value <= bound
        if reaches(self.excellent):
            return "excellent"
        return "good" if reaches(self.good) else "MISSED"


def at_most(good, excellent):
    return Bound(good, excellent, more_is_better=False)


BOUNDS = {
    "archive.ratio.adam_f32": Bound(1.25, 1.34),
    "archive.ratio.adam_bf16": Bound(1.32, 1.59),
    "archive.ratio.conv_sgd": Bound(1.13, 1.16),
    "archive.ratio.pure_bf16": Bound(1.33, 1.9),
    "archive.ratio.tune": Bound(1.9, 2.2),
    "archive.record.filters": Bound(0.35, 0.45),
    "archive.record.delta": Bound(0.30, 0.38),
    "archive.record.two_cores": Bound(1.7, 1.9),
    "archive.record.encrypted": Bound(0.30, 0.39),
    "archive.restore": Bound(0.5, 0.62),
    "archive.index_share": at_most(0.0005, 0.0002),
    "archive.memory_mib": at_most(64, 18),
    "archive.open_memory_mib": at_most(16, 8),
    "archive.restore_one_over_cp": at_most(3, 2),
    "archive.slice_ranges": at_most(4, 3),
    "archive.slice_bytes": at_most(4 * 2**20, 2 * 2**20),
}


def with_bounds(row):
    """The row, and its bounds and verdict where it has some."""
    bound = BOUNDS.get(row["id"])
    if bound is None:
        return row
    return row | {"better": "more" if bound.more_is_better else "less", "good": bound.good,
                  "excellent": bound.excellent, "verdict": bound.verdict(row["ratio"])}
