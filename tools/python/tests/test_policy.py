"""Policies and cosignatures (spec/witness.md §2, §3), by the shared vectors."""

import json
import unittest
from pathlib import Path

from pol_reader.note import VerifierKey
from pol_reader.policy import Policy
from pol_reader.refusal import Refusal

VECTORS = Path(__file__).resolve().parents[3] / "testvectors/ledger"


def load(name: str) -> dict:
    return json.loads((VECTORS / f"{name}.json").read_text())


def judged(policy: bytes, note: bytes, key: VerifierKey) -> dict[bytes, int] | Refusal:
    try:
        return Policy.parse(policy).judge(note, key)[1]
    except Refusal as refusal:
        return refusal


class PolicyTests(unittest.TestCase):
    def test_cosignatures(self):
        file = load("cosignature")
        key = VerifierKey.parse(file["logKey"])
        policy = f"log {file['logKey']}\nwitness w {file['vkey']}\nquorum w\n".encode()
        for case in file["cases"]:
            with self.subTest(case["id"]):
                found = judged(policy, bytes.fromhex(case["bytes"]), key)
                self.assertEqual(isinstance(found, Refusal), case["expect"] != "valid", found)
                if case["expect"] == "valid":
                    self.assertEqual([str(time) for time in found.values()], case["times"])

    def test_policies(self):
        file = load("policy")
        key = VerifierKey.parse(file["logKey"])
        for case in file["cases"]:
            with self.subTest(case["id"]):
                data = bytes.fromhex(case["bytes"])
                if "repeat" in case:
                    data = (bytes.fromhex(case.get("prefix", "")) + b"x" * int(case["repeat"])
                            + bytes.fromhex(case.get("suffix", "")))
                found = judged(data, bytes.fromhex(case["note"]), key)
                self.assertEqual(isinstance(found, Refusal), case["expect"] != "valid", found)
                if case["expect"] == "badPolicy":
                    self.assertTrue(found.where.startswith(("policy", "vkey")), found)



if __name__ == "__main__":
    unittest.main()
