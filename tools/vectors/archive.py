#!/usr/bin/env python3
"""Writes testvectors/archive, and the worked bytes of spec/archive.md §12.

`archive.py` rewrites the files; `archive.py --check` builds everything in memory and compares it with what is
committed, byte for byte.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import archive_cases  # noqa: E402
import archive_grants  # noqa: E402
import dataset_cases  # noqa: E402
import worked_bytes  # noqa: E402
from archive_plans import PLANS  # noqa: E402
from archive_writer import Writer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "testvectors" / "archive"


def text(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode()


def edits(base: dict[str, bytes], other: dict[str, bytes]) -> list[dict[str, object]]:
    """Turns `base` into `other`: equal-length runs as `replace`, everything else as `splice` or `write`."""
    result: list[dict[str, object]] = []
    for name in sorted(base.keys() | other.keys()):
        old, new = base.get(name), other.get(name)
        if old == new:
            continue
        if new is None:
            result.append({"file": name, "op": "delete"})
        elif old is None:
            result.append({"file": name, "op": "write", "hex": new.hex()})
        elif len(old) == len(new):
            result += [{"file": name, "op": "replace", "offset": a, "hex": new[a:b].hex()} for a, b in runs(old, new)]
        else:
            head = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
            tail, most = 0, min(len(old), len(new)) - head
            while tail < most and old[-1 - tail] == new[-1 - tail]:
                tail += 1
            result.append({"file": name, "op": "splice", "offset": head, "remove": len(old) - tail - head,
                           "hex": new[head:len(new) - tail].hex()})
    return result


def runs(old: bytes, new: bytes) -> list[tuple[int, int]]:
    """Places that differ; runs with fewer than eight equal bytes between them are one."""
    found: list[tuple[int, int]] = []
    for i, (a, b) in enumerate(zip(old, new)):
        if a != b:
            if found and i - found[-1][1] < 8:
                found[-1] = (found[-1][0], i + 1)
            else:
                found.append((i, i + 1))
    return found


def refusals(cases: list[archive_cases.Case], valid: dict[str, Writer]) -> bytes:
    rows: list[dict[str, object]] = []
    for case in cases:
        base = valid[case.base].files
        if case.ops is None:
            built = Writer(case.plan or PLANS[case.base](), case.faults).files
            # Files with names that no archive may hold are rows of `objects` only: nobody shall create them.
            extra = {path[6:] for path in case.faults or {} if path.startswith("extra.")
                     and not path.startswith(("extra.packs/", "extra.dataset/"))}
            ops = edits(base, {name: data for name, data in built.items() if name not in extra})
        else:
            ops = case.ops
        rows.append({"id": case.id, "comment": case.comment, "base": case.base, "edits": ops, "expect": case.expect,
                     "where": case.where})
    names = [each.id for each in cases]
    assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)
    return lines(rows)


def lines(rows: list[dict[str, object]]) -> bytes:
    text = ",\n".join(json.dumps(each) for each in rows)
    return f"[\n{text}\n]\n".encode()


def build() -> dict[Path, bytes]:
    valid = {name: Writer(plan()) for name, plan in PLANS.items()}
    files: dict[Path, bytes] = {}
    for name, writer in valid.items():
        for file, data in writer.files.items():
            files[VECTORS / "valid" / f"{name}.pol" / file] = data
        files[VECTORS / "valid" / f"{name}.expect.json"] = text(writer.expect())
    files[VECTORS / "refusals.json"] = refusals(archive_cases.cases(), valid)
    files[VECTORS / "encrypted-refusals.json"] = refusals(archive_grants.cases(), valid)
    files[VECTORS / "grants.json"] = lines(archive_grants.grants())
    files[VECTORS / "dataset.json"] = text(dataset_cases.dataset())
    files[VECTORS / "models.json"] = text(dataset_cases.models())
    spec = ROOT / "spec" / "archive.md"
    files[spec] = worked_bytes.replaced(spec.read_text(), valid["minimal"]).encode()
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    files = build()
    there = {path for path in VECTORS.rglob("*") if path.is_file() and path.name != "README.md"}
    wrong = sorted(there - files.keys())
    for path, data in files.items():
        if check:
            if not path.is_file() or path.read_bytes() != data:
                wrong.append(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for path in wrong:
        print(f"not what tools/vectors/archive.py builds: {path.relative_to(ROOT)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
