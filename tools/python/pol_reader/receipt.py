"""`python3 -m pol_reader.receipt ENTRY RECEIPT VKEY`: checks that a log holds an entry; VKEY is a key or a file.

With `--ledger-policy FILE` its tree head must be cosigned as that C2SP tlog-policy asks."""

import argparse
import sys
from pathlib import Path

from .entry import key_id
from .ledger import verify_receipt
from .note import NOTE_LIMIT, VerifierKey
from .policy import Policy
from .refusal import Refusal


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(NOTE_LIMIT + 1)
    except OSError as error:
        raise Refusal("io", path, error.strerror or "cannot be read") from error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pol_reader.receipt", description=__doc__)
    for name in ("entry", "receipt", "vkey"):
        parser.add_argument(name)
    parser.add_argument("--ledger-policy")
    options = parser.parse_args(arguments)
    try:
        text = options.vkey
        if "+" not in text:
            text = _read(text).decode("utf-8", "replace").removesuffix("\n")
        policy = Policy.parse(_read(options.ledger_policy)) if options.ledger_policy else None
        found = verify_receipt(_read(options.entry), _read(options.receipt), VerifierKey.parse(text), policy)
    except Refusal as refusal:
        print(f"damaged at {refusal.where}: {refusal.code}: {refusal.message}")
        return 1
    print(f"log:           {found.head.origin}\nindex:         {found.index} of {found.head.size}\n"
          f"prover key id: {key_id(found.entry.prover_key)}\nleaf hash:     {found.entry.leaf_hash.hex()}")
    for name, time in found.times.items():
        print(f"cosigned by:   {name.decode('utf-8', 'backslashreplace')}, {time} s after 1970")
    return 0


if __name__ == "__main__":
    sys.exit(main())
