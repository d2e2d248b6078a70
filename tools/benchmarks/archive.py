"""The archive against its peers: size, speed, what is read for a part."""
import json

from . import bounds
from .cached_runs import SETS, cached_runs
from .common import ROOT, row, run
from .ours import our_rows
from .peers import all_peers, peer_rows

MODELS = {
    "lz4": "LZ4 of the bytes as they are",
    "intra": "bit planes and LZ4, no delta",
    "delta": "the same, or a delta against the file before",
    "star4": "a key file and three deltas against it",
}


def estimated_rows(runs):
    """A second opinion on the ratios, by numpy, from the middle file of each run."""
    print("bench: estimates", flush=True)
    estimates = json.loads(run(ROOT / ".build/venv/bin/python", ROOT / "tools/benchmarks/estimate.py",
                               *runs.values()))
    return [row(f"archive.estimate.{model}.{name}", estimates[name][model], "raw bytes over coded",
                MODELS[model]) for model in MODELS for name in runs]


def rows(scratch, part):
    runs = cached_runs()
    found = []
    if part in ("ours", "all"):
        found += our_rows(runs, scratch)
    if part in ("peers", "all"):
        found += peer_rows(runs, scratch)
    found += estimated_rows(runs)
    return [bounds.with_bounds(one) for one in found]


def print_bounds(ours):
    """A table of rows with their bounds."""
    if ours:
        print(f"\n{'row':<32}{'measured':>12}{'good':>12}{'excellent':>12}")
    for one in ours:
        sign = {"more": ">=", "less": "<="}.get(one.get("better"), "")
        limits = [f"{sign} {figure(one[name])}" if sign else "-" for name in ("good", "excellent")]
        print(f"{one['id']:<32}{figure(one['ratio']):>12}{limits[0]:>12}{limits[1]:>12}"
              f"  {one.get('verdict', '')}".rstrip())
    missed = [one["id"] for one in ours if one.get("verdict") == "MISSED"]
    if missed:
        print(f"missed: {len(missed)} of {len(ours)}")


def print_table(found):
    """Two tables of at most 80 columns: ours with their bounds, and all stores side by side."""
    ratios = {one["id"]: one["ratio"] for one in found}
    print_bounds([one for one in found if one["id"].split(".")[1] not in ("peer", "estimate")])
    short = ["adam", "bf16", "conv", "pure", "tune"]
    print(f"\n{'raw bytes over stored':<17}" .ljust(32) + f"{'':26}{'speed':>6}{'file':>8}{'1 MiB':>8}")
    print(f"{'store':<17}" + "".join(f"{name:>8}" for name in short)
          + f"{'/sha':>7}{'/cp':>8}{'/cp':>8}")
    for title, names in side_by_side():
        cells = [ratios.get(name) for name in names]
        if any(cell is not None for cell in cells):
            print(f"{title:<17}" + "".join(f"{compact(cell):>8}" for cell in cells[:5])
                  + f"{compact(cells[5]):>7}{compact(cells[6]):>8}{compact(cells[7]):>8}")
    print("\nspeed: ingest of adam by processor time, over SHA-256 on one core; file, 1 MiB: wall\n"
          "time of getting them back, over cp of the raw file. Numpy rows are estimates.")


def side_by_side():
    """Title of each line of the second table, and the rows that its cells come from."""
    def cells(ratio, others):
        return [f"{ratio}.{name}" for name in SETS] + others
    yield "pol", cells("archive.ratio", [
        "archive.import.speed", "archive.restore_over_cp", "archive.slice_over_cp"])
    for peer in all_peers():
        base = f"archive.peer.{peer.name}"
        yield peer.title, cells(f"{base}.ratio", [
            f"{base}.speed", f"{base}.restore_over_cp", f"{base}.slice_over_cp"])
    for model in MODELS:
        yield f"numpy, {model}", cells(f"archive.estimate.{model}", ["", "", ""])


def figure(value):
    if value != 0 and abs(value) < 0.01:
        return f"{value:.5f}"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def compact(value):
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
