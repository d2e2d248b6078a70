"""What the figures of the archive and of the ledger should be: a bound that is good, and one that is excellent.

The limits behind the archive's: SHA-256 of every byte, LZ4 and one filter pass for the speeds; the order-0
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
    "archive.ratio.adam_f32": Bound(1.32, 1.34),
    "archive.ratio.adam_bf16": Bound(1.56, 1.59),
    "archive.ratio.conv_sgd": Bound(1.15, 1.16),
    "archive.ratio.pure_bf16": Bound(1.85, 1.9),
    "archive.ratio.tune": Bound(2.15, 2.2),
    "archive.record.filters": Bound(0.40, 0.45),
    "archive.record.delta": Bound(0.33, 0.38),
    "archive.record.two_cores": Bound(1.8, 1.9),
    "archive.record.encrypted": Bound(0.30, 0.35),
    "archive.seal": Bound(0.8, 0.9),
    "archive.restore": Bound(0.60, 0.62),
    "archive.index_share": at_most(0.0005, 0.0002),
    "archive.memory_mib": at_most(64, 32),
    "archive.open_memory_mib": at_most(64, 32),
    "archive.inspect_memory_mib": at_most(64, 32),
    "archive.restore_one_over_cp": at_most(2, 1),
    "archive.slice_ranges": at_most(3, 2),
    "archive.slice_bytes": at_most(2 * 2**20, 1.5 * 2**20),
    "ledger.add_per_verify_rate": Bound(0.35, 0.45),
    "ledger.opaque_per_verify_rate": Bound(0.6, 0.8),
    "ledger.add_per_fdatasync": Bound(0.17, 0.25),
    "ledger.add_p50_s": at_most(0.6, 0.1),
    "ledger.add_p99_s": at_most(1.2, 0.3),
    "ledger.lookup_p99_ms": at_most(5, 3),
    "ledger.start_s": at_most(2, 0.5),
    "ledger.memory_mib": at_most(300, 200),
    "ledger.growth": at_most(1.2, 1.1),
}


def with_bounds(row):
    """The row, and its bounds and verdict where it has some."""
    bound = BOUNDS.get(row["id"])
    if bound is None:
        return row
    return row | {"better": "more" if bound.more_is_better else "less", "good": bound.good,
                  "excellent": bound.excellent, "verdict": bound.verdict(row["ratio"])}
