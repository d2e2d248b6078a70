"""Test vectors, loaded and edited; used by the tests only."""

import json
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "testvectors" / "archive"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def files_of(name: str) -> dict[str, bytes]:
    base = VECTORS / "valid" / f"{name}.pol"
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def lay_out(files: dict[str, bytes], target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    for name, data in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def edited(data: bytes, edit: dict[str, Any]) -> bytes:
    """One edit of one file; the operations are those of testvectors/archive/README.md."""
    match edit["op"]:
        case "replace":
            new = bytes.fromhex(edit["hex"])
            start = edit["offset"]
            assert start + len(new) <= len(data)
            return data[:start] + new + data[start + len(new):]
        case "splice":
            start = edit["offset"]
            return data[:start] + bytes.fromhex(edit["hex"]) + data[start + edit["remove"]:]
        case "truncate":
            assert edit["length"] < len(data)
            return data[:edit["length"]]
        case "append":
            return data + bytes.fromhex(edit["hex"])
        case "swap":
            (a, m), (b, n) = edit["a"], edit["b"]
            assert a + m <= b and b + n <= len(data)
            return data[:a] + data[b:b + n] + data[a + m:b] + data[a:a + m] + data[b + n:]
    raise ValueError(edit["op"])


def apply(edits: list[dict[str, Any]], files: dict[str, bytes], target: Path) -> None:
    """Lays out `files` with the edits made."""
    files, folders = dict(files), []
    for edit in edits:
        name = edit["file"]
        if edit["op"] == "delete":
            del files[name]
        elif edit["op"] == "write":
            files[name] = bytes.fromhex(edit["hex"])
        elif edit["op"] == "folder":
            folders.append(name)
        else:
            before = files[name]
            files[name] = edited(before, edit)
            assert files[name] != before, edit
    lay_out(files, target)
    for name in folders:
        (target / name).mkdir()
