#!/usr/bin/env python3
"""Writes testvectors/digits/{train,test}.csv from a scikit-learn wheel.

    pip download --no-deps scikit-learn
    tools/vectors/digits.py scikit_learn-*.whl [FOLDER]

Row i of the original (from 0) goes to test.csv when i % 5 == 4, else to train.csv. The data are
refused unless the written files have the digests below, so any wheel gives these bytes or none.
"""

import gzip
import hashlib
import pathlib
import sys
import zipfile

MEMBER = "sklearn/datasets/data/digits.csv.gz"
EXPECTED = {
    "train.csv": "3683f0facb6355e5f4440ea893bb7cb87bf2e85aaab220b894f553ac6690a7b5",
    "test.csv": "43b5ab962ff1df1b7d597eada4e9d51c33c9d7daf74ed9d34263b97160af5281",
}


def rows(wheel):
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read(MEMBER)).decode("ascii")
    for number, line in enumerate(text.splitlines()):
        values = [float(field) for field in line.split(",")]
        whole = [int(value) for value in values]
        if whole != values or len(whole) != 65:
            sys.exit(f"digits.py: error: row {number} is not 65 whole numbers")
        if not all(0 <= pixel <= 16 for pixel in whole[:64]) or not 0 <= whole[64] <= 9:
            sys.exit(f"digits.py: error: row {number} has a pixel or a label out of range")
        yield number, ",".join(map(str, whole)) + "\n"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = pathlib.Path(__file__).resolve().parents[2] / "testvectors" / "digits"
    if len(sys.argv) == 3:
        folder = pathlib.Path(sys.argv[2])
    files = {"train.csv": [], "test.csv": []}
    for number, row in rows(sys.argv[1]):
        files["test.csv" if number % 5 == 4 else "train.csv"].append(row)
    contents = {name: "".join(lines).encode() for name, lines in files.items()}
    for name, content in contents.items():
        digest = hashlib.sha256(content).hexdigest()
        if digest != EXPECTED[name]:
            sys.exit(f"digits.py: error: {name} would have SHA-256 {digest}, not {EXPECTED[name]};"
                     " this wheel ships other data")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        print(f"{folder / name}: {len(files[name])} rows")


if __name__ == "__main__":
    main()
