"""Chunk payloads (spec/filters.md) against testvectors/filters."""

import json
import unittest
from typing import Any

from pol_reader.filters import decode
from pol_reader.refusal import Refusal

from tests.vectors import ROOT


def cases(name: str) -> Any:
    return json.loads((ROOT / "testvectors" / "filters" / name).read_text())


def optional(digits: str | None) -> bytes | None:
    return None if digits is None else bytes.fromhex(digits)


class Payloads(unittest.TestCase):
    def test_decode_to_the_raw_bytes(self) -> None:
        for case in cases("payloads.json"):
            with self.subTest(case["id"]):
                raw = bytes.fromhex(case["raw"])
                found = decode(case["codec"], case["parameter"], bytes.fromhex(case["payload"]), len(raw),
                               optional(case["parent"]), 1 << 20, case["id"])
                self.assertEqual(found, raw)

    def test_refused_as_stated(self) -> None:
        for case in cases("refusals.json"):
            with self.subTest(case["id"]):
                with self.assertRaises(Refusal) as caught:
                    decode(case["codec"], case["parameter"], bytes.fromhex(case["payload"]), case["rawLength"],
                           optional(case["parent"]), case["chunkSize"], case["id"])
                self.assertEqual(caught.exception.code, case["expect"])

    def test_unknown_codecs(self) -> None:
        for codec in (4, 15, 18, 31, 255):
            with self.assertRaises(Refusal) as caught:
                decode(codec, 0, b"\0", 2, None, 1 << 20, "codec")
            self.assertEqual(caught.exception.code, "unsupported")

    def test_worked_bytes_stand_in_the_specification(self) -> None:
        text = "".join((ROOT / "spec" / "filters.md").read_text().split())
        for case in cases("payloads.json"):
            if case["id"].startswith("worked-"):
                self.assertIn(case["payload"], text, case["id"])
        for case in cases("frames.json"):
            if case["expect"] is None:
                self.assertIn(case["frame"][:32], text, case["id"])


if __name__ == "__main__":
    unittest.main()
