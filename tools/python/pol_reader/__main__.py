"""`python3 -m pol_reader ARCHIVE [--json]`: checks a whole archive and says what it holds.

Of a folder with some of its segments (spec/store.md §5.1) what is there is checked; the exit status is then 1.

An encrypted one takes `--content-key FILE`, or `--grant FILE --identity FILE` (spec/encryption.md).
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from .age import NoMatch, identities
from .archive import Archive, Summary
from .encryption import parse_content_key
from .entry import key_id
from .grant import Grant, GrantRefusal, open_grant
from .partial import PartialArchive, PartialSummary
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


def partial_text(summary: PartialSummary) -> str:
    numbers = ", ".join(map(str, summary.segments)) or "none"
    lines = [("archive", f"partial: segments {numbers} of {summary.of_segments}, which are right"),
             ("records", str(summary.records)), ("chunks", str(summary.chunks)), ("data points", str(summary.points)),
             ("prover key id", key_id(bytes.fromhex(summary.prover_key))), ("archive root", summary.archive_root),
             ("seal digest", summary.seal_digest)]
    return "\n".join(f"{name + ':':15}{value}" for name, value in lines)


def keys_of(options: argparse.Namespace) -> Grant | bytes | None:
    if options.content_key:
        return parse_content_key(Path(options.content_key).read_bytes())
    if options.grant:
        return open_grant(Path(options.grant).read_bytes(), identities(Path(options.identity).read_text()))
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pol_reader", description=__doc__)
    parser.add_argument("archive")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--content-key", metavar="FILE", help="the file with the archive's epoch key")
    keys.add_argument("--grant", metavar="FILE", help="a grant; with --identity")
    parser.add_argument("--identity", metavar="FILE", help="the age identity that opens the grant")
    options = parser.parse_args(arguments)
    if bool(options.grant) != bool(options.identity):
        parser.error("--grant and --identity go together")
    try:
        if PartialArchive.stands_in(options.archive):
            part = PartialArchive(options.archive, keys_of(options)).check_segments()
            print(json.dumps({"partial": dataclasses.asdict(part)}) if options.json else partial_text(part))
            return 1
        summary = Archive(options.archive, keys_of(options)).check()
    except (GrantRefusal, NoMatch) as refusal:
        code = refusal.code if isinstance(refusal, GrantRefusal) else "wrongKey"
        print(json.dumps({"error": code, "message": str(refusal)}) if options.json else f"not opened: {refusal}")
        return 1
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
