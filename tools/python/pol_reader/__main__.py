"""`python3 -m pol_reader ARCHIVE [--json]`: checks a whole archive and says what it holds."""

import argparse
import dataclasses
import json
import sys

from .archive import Archive, Summary
from .entry import key_id
from .refusal import Refusal

def text(summary: Summary) -> str:
    lines = [("archive", "sealed" if summary.sealed else f"unfinished, {summary.torn_bytes} torn bytes"),
             ("steps", str(summary.steps)),
             ("records", f"{summary.records} ({summary.segments} segments)"),
             ("chunks", str(summary.chunks)),
             ("data points", str(summary.dataset_count)),
             ("model digest", summary.model_digest),
             ("prover key id", key_id(bytes.fromhex(summary.prover_key))),
             ("archive root", summary.archive_root)]
    if summary.seal_digest:
        lines.append(("seal digest", summary.seal_digest))
    return "\n".join(f"{name + ':':15}{value}" for name, value in lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pol_reader", description=__doc__)
    parser.add_argument("archive")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        summary = Archive(options.archive).check()
    except Refusal as refusal:
        if options.json:
            print(json.dumps({"error": refusal.code, "where": refusal.where, "message": refusal.message}))
        else:
            print(f"damaged at {refusal.where}: {refusal.code}: {refusal.message}")
        return 1
    if options.json:
        print(json.dumps(dataclasses.asdict(summary) | {"prover_key_id": key_id(bytes.fromhex(summary.prover_key))}))
    else:
        print(text(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
