"""Evidence files: the vectors of testvectors/evidence, and the command line."""

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from pol_reader.evidence import Finding, check_evidence, main
from pol_reader.note import VerifierKey
from pol_reader.evidence_policy import Policy
from pol_reader.refusal import Refusal

from .vectors import ROOT

# This reader tells fewer of a ledger's errors apart than its specification.
CODES = {"badKey": {"malformed", "unsupported"}, "badProof": {"malformed", "unsupported"}, "badNote": {"malformed"},
         "unsigned": {"missing"}, "badSignature": {"damaged"}, "wrongOrigin": {"malformed"}, "proofMismatch": {"damaged"}}


def shown(found: Finding) -> dict[str, Any]:
    times = [" ".join(filter(None, (*map(str, each.over), each.worth, each.why,
                                    "renewed" if each.renewed is not None else ""))) for each in found.times]
    return {"committedAt": found.committed_at, "runCommittedAt": found.run_committed_at, "times": times,
            "seen": [f"{name} {time}" for name, time in sorted(found.entries[0].seen.items())]}


class EvidenceTests(unittest.TestCase):
    file: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.file = json.loads((ROOT / "testvectors/evidence/evidence.json").read_text())

    def check(self, case: dict[str, Any]) -> Finding:
        roots = [bytes.fromhex(self.file[case["roots"]])] if case["roots"] else None
        return check_evidence(
            case["file"].encode(), VerifierKey.parse(self.file["logKey"]) if case["key"] else None,
            Policy.parse(case["policy"].encode()) if case["policy"] else None, roots)

    def test_vectors(self) -> None:
        for case in self.file["cases"]:
            with self.subTest(case["id"]):
                if case["expect"] in ("valid", "stated"):
                    found = self.check(case)
                    self.assertEqual(shown(found), case["finding"])
                    self.assertEqual(found.key_given, case["expect"] == "valid")
                    continue
                with self.assertRaises(Refusal) as caught:
                    self.check(case)
                self.assertIn(caught.exception.code, CODES.get(case["expect"], {case["expect"]}), caught.exception)

    def test_policies(self) -> None:
        policies = json.loads((ROOT / "testvectors/ledger/policy.json").read_text())["cases"]
        for case in policies:
            if not case["bytes"]:
                continue
            with self.subTest(case["id"]):
                if case["expect"] == "badPolicy":
                    with self.assertRaises(Refusal) as caught:
                        Policy.parse(bytes.fromhex(case["bytes"]))
                    self.assertEqual(caught.exception.code, "badPolicy")
                else:
                    Policy.parse(bytes.fromhex(case["bytes"]))

    def test_command_line(self) -> None:
        by_id = {case["id"]: case for case in self.file["cases"]}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "a.evidence"
            file.write_text(by_id["a-proof-with-its-own"]["file"])
            self.assertEqual(main([str(file), "--ledger-key", self.file["logKey"]]), 0)
            self.assertEqual(main([str(file)]), 2)
            self.assertEqual(main([str(file), "--ledger-key", self.file["logKey"], "--json"]), 0)
            file.write_text(by_id["an-entry-altered"]["file"])
            self.assertEqual(main([str(file)]), 1)
            self.assertEqual(main([str(Path(folder) / "none")]), 1)


if __name__ == "__main__":
    unittest.main()
