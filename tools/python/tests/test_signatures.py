"""Ed25519 at its edges (spec/glossary.md): the published vectors, and what is taken of them."""

import json
from typing import Any

from pol_reader.hashing import ed25519_key_taken, ed25519_valid

from .vectors import ROOT


def cases(name: str) -> list[dict[str, Any]]:
    return json.loads((ROOT / "testvectors" / "ed25519" / f"{name}.json").read_text())


def accepted(case: dict[str, Any]) -> bool:
    return ed25519_valid(*(bytes.fromhex(case[name]) for name in ("key", "signature", "message")))


def test_points_of_low_order_and_second_encodings() -> None:
    vectors = cases("cctv")
    for case in vectors:
        flags = set(case["flags"])
        refused_key = bool(flags & {"low_order_A", "non_canonical_A"})
        assert ed25519_key_taken(bytes.fromhex(case["key"])) != refused_key, case["id"]
        assert accepted(case) != (refused_key or bool(flags & {"non_canonical_R", "low_order_residue"})), case["id"]
    assert any(accepted(case) for case in vectors)


def test_malleable_and_malformed_signatures() -> None:
    for case in cases("wycheproof"):
        assert accepted(case) == case["valid"], case["id"]


def test_cofactor_reduction_and_bounds() -> None:
    assert [case["id"] for case in cases("speccheck") if accepted(case)] == ["2", "3"]
