"""The reader against testvectors/encryption, testvectors/age and, where it is installed, Debian's age."""

import hashlib
import json
import shutil
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path
from typing import Any

from pol_reader import Refusal
from pol_reader.age import AgeRefusal, NoMatch, decrypt, identities, identity
from pol_reader.encryption import (DATA_POINT, ContentKey, Shape, open_object, open_plain, parse_file, parse_point)
from pol_reader.grant import GrantRefusal, open_grant, parse_grant

from tests.vectors import ROOT


def cases(name: str) -> list[dict[str, Any]]:
    return json.loads((ROOT / "testvectors" / "encryption" / f"{name}.json").read_text())


def raw(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name])


class Objects(unittest.TestCase):
    def test_objects(self) -> None:
        for case in cases("objects"):
            with self.subTest(case["id"]):
                shape = Shape(case["kind"], case["rawLength"], case["codec"], case["parameter"])
                try:
                    opened = open_object(raw(case, "sealed"), raw(case, "objectId"), shape, raw(case, "objectKey"),
                                         raw(case, "archiveId"), case["epoch"], "object")
                except Refusal as refusal:
                    self.assertEqual(refusal.code, case["expect"])
                    continue
                self.assertEqual(("opened", raw(case, "encoded")), (case["expect"], opened))
                key = ContentKey(raw(case, "epochKey"), case["epoch"], raw(case, "archiveId"))
                self.assertEqual(key.object_id(opened, shape), raw(case, "objectId"))
                self.assertEqual(key.object_key(raw(case, "objectId"), shape.kind), raw(case, "objectKey"))
                self.assertEqual(key.commitment(), raw(case, "commitment"))

    def test_files_and_points(self) -> None:
        for case in cases("files"):
            with self.subTest(case["id"]):
                key = ContentKey(raw(case, "epochKey"), case["epoch"], raw(case, "archiveId"))
                kind, data = case["kind"], raw(case, "bytes")
                try:
                    name, sealed = (parse_point(data, "point") if kind == DATA_POINT
                                    else parse_file(data, kind, "file"))
                    opened = open_plain(sealed, name, kind, key.object_key(name, kind), key.archive_id, key.epoch,
                                        "file")
                except Refusal as refusal:
                    self.assertEqual(refusal.code, case["expect"])
                    continue
                self.assertEqual(("opened", raw(case, "plaintext")), (case["expect"], opened))

    def test_one_ciphertext_under_two_keys(self) -> None:
        first, second = cases("double-opening")
        self.assertEqual(first["sealed"], second["sealed"])
        self.assertNotEqual(first["commitment"], second["commitment"])
        self.assertNotEqual(first["rawDigest"], second["rawDigest"])
        for case in (first, second):
            key = ContentKey(raw(case, "epochKey"), case["epoch"], raw(case, "archiveId"))
            opened = open_object(raw(case, "sealed"), raw(case, "objectId"), Shape(case["kind"], case["rawLength"]),
                                 key.object_key(raw(case, "objectId"), case["kind"]), key.archive_id, key.epoch, "x")
            self.assertEqual(opened, raw(case, "plaintext"))
            self.assertEqual(hashlib.sha256(opened).hexdigest(), case["rawDigest"])
            self.assertEqual(key.commitment(), raw(case, "commitment"))


class Grants(unittest.TestCase):
    def test_grants(self) -> None:
        for case in cases("grants"):
            with self.subTest(case["id"]):
                try:
                    grant = parse_grant(raw(case, "bytes"))
                    grant.check(raw(case, "archiveId"), case["epoch"], raw(case, "sealDigest"),
                                raw(case, "keyCommitment"))
                except (Refusal, GrantRefusal) as refusal:
                    self.assertEqual(refusal.code, case["expect"])
                    continue
                self.assertEqual(case["expect"], "accepted")
                for ask in case.get("asks", []):
                    try:
                        found: str = grant.key(ask["kind"], int(ask["number"]), bytes(32)).hex()
                    except GrantRefusal as refusal:
                        self.assertEqual(refusal.code, ask["expect"])
                        continue
                    self.assertEqual(("key", ask["key"]), (ask["expect"], found))

    def test_grant_files(self) -> None:
        for case in cases("grant-files"):
            with self.subTest(case["id"]):
                try:
                    open_grant(raw(case, "bytes"), [identity(case["identity"])])
                except Refusal as refusal:
                    self.assertEqual(refusal.code, case["expect"])
                except NoMatch:
                    self.assertEqual(case["expect"], "wrongKey")
                else:
                    self.assertEqual(case["expect"], "opened")


class Age(unittest.TestCase):
    def test_published_files(self) -> None:
        for path in sorted((ROOT / "testvectors" / "age").iterdir()):
            if path.name == "README.md":
                continue
            with self.subTest(path.name):
                head, _, file = path.read_bytes().partition(b"\n\n")
                fields = [line.split(": ", 1) for line in head.decode().split("\n")]
                values = dict(fields)
                file = zlib.decompress(file) if "compressed" in values else file
                keys = [identity(value) for name, value in fields if name == "identity"]
                try:
                    plaintext = decrypt(file, keys)
                except AgeRefusal as refusal:
                    self.assertEqual(refusal.stage, values["expect"])
                except NoMatch:
                    self.assertEqual("no match", values["expect"])
                else:
                    self.assertEqual("success", values["expect"])
                    self.assertEqual(hashlib.sha256(plaintext).hexdigest(), values["payload"])

    @unittest.skipUnless(shutil.which("age"), "age is not installed")
    def test_files_of_debians_age(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            keys = Path(folder) / "keys"
            subprocess.run(["age-keygen", "-o", keys], check=True, capture_output=True)
            recipient = subprocess.run(["age-keygen", "-y", keys], check=True, capture_output=True).stdout.strip()
            for plaintext in (b"", b"a grant", bytes(65_536), bytes(200_000)):
                made = subprocess.run(["age", "-r", recipient], input=plaintext, check=True, capture_output=True)
                self.assertEqual(decrypt(made.stdout, identities(keys.read_text())), plaintext)
