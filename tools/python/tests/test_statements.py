"""Statements: the vectors of spec/statements.md, and its JSON Schemas beside this reader's tables."""

import json
import unittest
from pathlib import Path
from typing import Any

from pol_reader.entry import canonical_json, encode, parse_entry
from pol_reader.refusal import Refusal
from pol_reader.statements import COMMON, KINDS, TEXT_LIMIT, Digests, Words, check_statement, kind_of, opens

ROOT = Path(__file__).resolve().parents[3]


def vectors(name: str) -> Any:
    return json.loads((ROOT / "testvectors" / "ledger" / name).read_text())


def check_payload(data: bytes) -> str | None:
    """A statement as an envelope's payload is read."""
    statement = canonical_json(data)
    if not isinstance(statement, dict) or statement.keys() != {"_type", "predicate", "predicateType", "subject"}:
        raise Refusal("malformed", "statement", "members")
    if statement["_type"] != "https://in-toto.io/Statement/v1" or not isinstance(statement["subject"], list):
        raise Refusal("malformed", "statement", "type or subject")
    key = statement["predicate"].get("proverKey")
    if not isinstance(key, str) or len(key) != 64:
        raise Refusal("malformed", "statement", "prover key")
    return check_statement(statement)


class StatementTests(unittest.TestCase):
    def test_vectors(self) -> None:
        for name in ("statements.json", "kinds.json"):
            for case in vectors(name)["cases"]:
                with self.subTest(case["id"]):
                    try:
                        found = check_payload(bytes.fromhex(case["bytes"])) or "other"
                    except Refusal:
                        found = None
                    self.assertEqual(found, case.get("kind"))

    def test_openings_of_the_admission_vectors(self) -> None:
        file = vectors("admission.json")
        log = {}
        for data in map(bytes.fromhex, file["log"]):
            try:
                entry = parse_entry(data)
            except Refusal:
                continue
            log[entry.leaf_hash.hex()] = entry.statement
        seen = 0
        for case in file["cases"]:
            if case["expect"] not in ("valid", "openingMismatch", "otherKey"):
                continue
            statement = parse_entry(bytes.fromhex(case["bytes"])).statement
            if "opening" not in statement["predicate"]:
                continue
            seen += 1
            hidden = log[statement["predicate"]["opening"]["hidden"]]
            self.assertEqual(opens(statement, hidden, encode), case["expect"] == "valid", case["id"])
        self.assertGreater(seen, 6)

    def test_schemas_say_what_this_reader_checks(self) -> None:
        folder = ROOT / "spec" / "schemas"
        self.assertEqual({path.stem for path in folder.glob("*.json")}, set(KINDS))
        for word, kind in KINDS.items():
            with self.subTest(word):
                schema = json.loads((folder / f"{word}.json").read_text())
                self.assertEqual(schema["properties"]["predicateType"]["const"], f"https://pol.dev/{word}/v1")
                self.assertIs(schema["additionalProperties"], False)
                predicate = schema["properties"]["predicate"]
                self.assertIs(predicate["additionalProperties"], False)
                members = kind.members | COMMON
                self.assertEqual(set(predicate["required"]), set(members))
                self.assertEqual(set(predicate["properties"]), set(members) | ({"opening"} if kind.may_open else set()))
                subject = schema["properties"]["subject"]["items"]["properties"]
                self.assertEqual(subject["name"]["const"], kind.subject)
                for name, rule in members.items():
                    self.check_rule(rule, predicate["properties"][name])

    def check_rule(self, rule: Any, found: dict[str, Any]) -> None:
        if isinstance(rule, Digests):
            self.assertEqual(found["maxItems"], rule.most)
            self.assertEqual(found.get("minItems", 0), rule.least)
            self.assertEqual(found.get("uniqueItems", False), rule.order != "free")
        elif isinstance(rule, Words):
            self.assertEqual(set(found["enum"]), set(rule.choices))
        elif rule == "digest":
            self.assertEqual(found, {"$ref": "#/$defs/digest"})
        elif rule in ("text", "reason"):
            self.assertEqual(found["maxLength"], 64 if rule == "reason" else TEXT_LIMIT)
        elif rule == "count":
            self.assertEqual((found["type"], found["maximum"]), ("integer", 2**53 - 1))


if __name__ == "__main__":
    unittest.main()
