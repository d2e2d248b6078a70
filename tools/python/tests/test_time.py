"""Tokens that an authority made once (testvectors/time), and what is none."""

import hashlib
import subprocess
import tempfile
import unittest
from pathlib import Path

from pol_reader.refusal import Refusal
from pol_reader.time_token import Token

KEPT = Path(__file__).resolve().parents[3] / "testvectors/time"
EMPTY = hashlib.sha256(b"").digest()


def code(body) -> str:
    try:
        body()
    except Refusal as refusal:
        return refusal.code
    return "taken"


class Tokens(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def root(self, name: str) -> Path:
        path = Path(self.folder.name, f"{name}.pem")
        pem = subprocess.run(["openssl", "x509", "-inform", "DER", "-in", KEPT / f"{name}.cer"], capture_output=True)
        path.write_bytes(pem.stdout)
        return path

    def test_good(self) -> None:
        for name in ("token", "unsorted"):
            token = Token.read(KEPT / f"{name}.tst")
            token.must_be_over(EMPTY)
            token.verify(self.root("root"))
        self.assertEqual(Token.read(KEPT / "token.tst").time, 1612325106)

    def test_renewal(self) -> None:
        renewal = Token.read(KEPT / "renewal.tst")
        renewal.must_be_over(Token.read(KEPT / "token.tst").digest)
        renewal.verify(self.root("root"), ((KEPT / "between.cer").read_bytes(),))

    def test_refused(self) -> None:
        token = Token.read(KEPT / "token.tst")
        self.assertEqual(code(lambda: token.must_be_over(bytes(32))), "otherImprint")
        self.assertEqual(code(lambda: token.verify(self.root("stranger"))), "untrustedTime")
        self.assertEqual(code(lambda: Token.read(KEPT / "many.tst").verify(self.root("root"))), "untrustedTime")

    def test_cut(self) -> None:
        whole = (KEPT / "token.tst").read_bytes()
        for count in range(len(whole)):
            self.assertEqual(code(lambda: Token.parse(whole[:count])), "badToken", count)
        self.assertEqual(code(lambda: Token.parse(whole + b"\0")), "badToken")
        self.assertEqual(code(lambda: Token.parse(bytes(70_000))), "badToken")


if __name__ == "__main__":
    unittest.main()
