"""Notes, entries and receipts (C2SP signed-note, tlog-checkpoint, tlog-proof; DSSE)."""

import base64
import json
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pol_reader.entry import PAYLOAD_TYPE, canonical_json, key_id, pae, parse_entry
from pol_reader.hashing import leaf_hash, node_hash, sha256
from pol_reader.ledger import verify_receipt
from pol_reader.note import Note, TreeHead, VerifierKey
from pol_reader.receipt import main
from pol_reader.refusal import Refusal

LOG = Ed25519PrivateKey.from_private_bytes(sha256(b"log"))
PROVER = Ed25519PrivateKey.from_private_bytes(sha256(b"prover"))
NAME = "log.example/one"
# The example of C2SP signed-note.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = ("This is an example message.\n\n\N{EM DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlT"
           "gK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n").encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def dump(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def vkey() -> str:
    material = b"\x01" + LOG.public_key().public_bytes_raw()
    return "+".join((NAME, sha256(NAME.encode() + b"\n" + material)[:4].hex(), b64(material)))


def note(text: str) -> bytes:
    key = VerifierKey.parse(vkey())
    return f"{text}\n\N{EM DASH} {NAME} {b64(key.key_id + LOG.sign(text.encode()))}\n".encode()


def statement(**more: object) -> dict[str, object]:
    return {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://example.org/commitment",
            "predicate": {"proverKey": PROVER.public_key().public_bytes_raw().hex(), **more}, "subject": []}


def entry(payload: bytes | None = None, **members: object) -> bytes:
    payload = dump(statement()) if payload is None else payload
    signature = PROVER.sign(pae(PAYLOAD_TYPE, payload))
    return dump({"payload": b64(payload), "payloadType": PAYLOAD_TYPE,
                 "signatures": [{"keyid": key_id(PROVER.public_key().public_bytes_raw()), "sig": b64(signature)}],
                 **members})


def receipt(data: bytes, index: int = 2) -> bytes:
    """The entry is leaf 2 of 3: its path is the root over leaves 0 and 1."""
    left = node_hash(leaf_hash(b"0"), leaf_hash(b"1"))
    head = note(f"{NAME}\n3\n{b64(node_hash(left, leaf_hash(data)))}\n")
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{b64(left)}\n\n".encode() + head


class LedgerTests(unittest.TestCase):
    def refused(self, code: str, work: Callable[[], object], name: str = "") -> None:
        with self.subTest(name), self.assertRaises(Refusal) as caught:
            work()
        self.assertEqual(caught.exception.code, code, name)

    def test_example_note(self) -> None:
        key = VerifierKey.parse(EXAMPLE_KEY)
        Note.parse(EXAMPLE).verify(key)
        self.refused("damaged", lambda: Note.parse(EXAMPLE.replace(b"an ex", b"no ex")).verify(key))
        self.refused("missing", lambda: Note.parse(EXAMPLE).verify(VerifierKey.parse(vkey())))
        for name, data in {
            "no newline": EXAMPLE[:-1], "control": EXAMPLE.replace(b"an ", b"an\t"), "utf-8": b"\xff" + EXAMPLE,
            "no signature": EXAMPLE.partition(b"\n\n")[0] + b"\n\n", "no blank": EXAMPLE.replace(b"\n\n", b"\n"),
            "hyphen": EXAMPLE.replace("\N{EM DASH}".encode(), b"-"), "two spaces": EXAMPLE.replace(b"foo ", b"foo  "),
        }.items():
            self.refused("malformed", lambda data=data: Note.parse(data), name)

    def test_verifier_keys(self) -> None:
        for name, text, code in (("id", EXAMPLE_KEY.replace("530d", "530e"), "malformed"), ("empty", "", "malformed"),
                                 ("name", EXAMPLE_KEY.replace("foo", "fo o"), "malformed"),
                                 ("upper", EXAMPLE_KEY.replace("530d903a", "530D903A"), "malformed"),
                                 ("type", EXAMPLE_KEY.replace("+Aeky", "+BOky"), "unsupported")):
            self.refused(code, lambda text=text: VerifierKey.parse(text), name)

    def test_tree_heads(self) -> None:
        key, root = VerifierKey.parse(vkey()), b64(bytes(32))
        self.assertEqual(TreeHead.verified(note(f"{NAME}\n0\n{root}\nmore\n"), key).size, 0)
        for name, text in {
            "zero": f"{NAME}\n01\n{root}\n", "sign": f"{NAME}\n+1\n{root}\n", "digits": f"{NAME}\n\u0661\n{root}\n",
            "root": f"{NAME}\n1\n{b64(bytes(31))}\n", "lines": f"{NAME}\n1\n", "origin": f"other\n1\n{root}\n",
            "large": f"{NAME}\n{10**19}\n{root}\n", "base64": f"{NAME}\n1\n{root[:-2]}B=\n",
        }.items():
            self.refused("malformed", lambda text=text: TreeHead.verified(note(text), key), name)

    def test_key_id_is_of_the_whole_public_key_info(self) -> None:
        der = PROVER.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(key_id(PROVER.public_key().public_bytes_raw()), sha256(der).hex())

    def test_entries(self) -> None:
        self.assertEqual(parse_entry(entry()).leaf_hash, leaf_hash(entry()))
        good = dump(statement())
        envelope = json.loads(entry())
        signature = envelope["signatures"][0]
        for name, data, code in (
            ("space", entry() + b" ", "malformed"),
            ("newline", entry() + b"\n", "malformed"),
            ("order", json.dumps(dict(reversed(envelope.items())), separators=(",", ":")).encode(), "malformed"),
            ("escape", entry().replace(b"keyid", b"\\u006beyid"), "malformed"),
            ("member", entry(more="x"), "malformed"),
            ("two signatures", entry(signatures=[signature, signature]), "malformed"),
            ("no signature", entry(signatures=[]), "malformed"),
            ("signature member", entry(signatures=[signature | {"cert": ""}]), "malformed"),
            ("key id", entry(signatures=[signature | {"keyid": "00"}]), "malformed"),
            ("signature", entry(signatures=[signature | {"sig": b64(bytes(64))}]), "damaged"),
            ("signature short", entry(signatures=[signature | {"sig": b64(bytes(63))}]), "damaged"),
            ("base64 url", entry(signatures=[signature | {"sig": "_" * 88}]), "malformed"),
            ("payload type", entry(payloadType="text/plain"), "unsupported"),
            ("payload space", entry(good + b" "), "malformed"),
            ("payload twice", entry(good.replace(b'"subject":[]', b'"subject":[],"subject":[]')), "malformed"),
            ("float", entry(dump(statement(a=1.5))), "malformed"),
            ("null", entry(dump(statement(a=None))), "malformed"),
            ("large", entry(dump(statement(a=2**53))), "malformed"),
            ("nan", entry(good.replace(b"[]", b"NaN")), "malformed"),
            ("minus zero", entry(good.replace(b"[]", b"[-0]")), "malformed"),
            ("name", entry(dump(statement(**{"\u00e4": 1}))), "malformed"),
            ("surrogate", entry(good.replace(b"[]", b'["\\ud800"]')), "malformed"),
            ("statement type", entry(good.replace(b"Statement/v1", b"Statement/v2")), "unsupported"),
            ("prover key", entry(dump(statement(proverKey="00"))), "malformed"),
            ("prover key upper", entry(dump(statement(proverKey="AB" * 32))), "malformed"),
            ("other key", entry(dump(statement(proverKey="ab" * 32))), "malformed"),
            ("deep", entry(dump(statement(a=json.loads("[" * 40 + "]" * 40)))), "limit"),
            ("very deep", b"[" * 60000, "malformed"),
            ("long", entry() + b" " * 65535, "limit"),
            ("empty", b"", "malformed"),
        ):
            self.refused(code, lambda data=data: parse_entry(data), name)
        self.assertEqual(canonical_json(dump({"a": [True, "\u00e4\n", 2**53 - 1]}))["a"][1], "\u00e4\n")

    def test_receipts(self) -> None:
        data, key = entry(), VerifierKey.parse(vkey())
        good = receipt(data)
        self.assertEqual(verify_receipt(data, good, key).index, 2)
        extra = good.replace(b"index", b"extra YQ==\nindex")
        self.assertEqual(verify_receipt(data, extra, key).index, 2)
        path = good.split(b"\n")[2]
        for name, altered, code in (
            ("index", receipt(data, 1), "damaged"), ("index beyond", receipt(data, 3), "damaged"),
            ("leading zero", good.replace(b"index 2", b"index 02"), "malformed"),
            ("first line", good.replace(b"@v1", b"@v2"), "unsupported"),
            ("no index", good.replace(b"index 2\n", b""), "malformed"),
            ("no path", good.replace(path + b"\n", b""), "damaged"),
            ("path twice", good.replace(path, path + b"\n" + path), "damaged"),
            ("short hash", good.replace(path, b64(bytes(31)).encode()), "malformed"),
            ("long path", good.replace(path, b"\n".join([path] * 64)), "limit"),
            ("size", good.replace(b"\n3\n", b"\n4\n"), "damaged"), ("empty", b"", "malformed"),
            ("other entry", receipt(data + b" "), "damaged"),
            ("carriage return", good.replace(b"\n", b"\r\n"), "malformed"),
        ):
            self.refused(code, lambda altered=altered: verify_receipt(data, altered, key), name)

    def test_command_line(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / "entry", Path(folder) / "receipt"]
            files[0].write_bytes(entry())
            files[1].write_bytes(receipt(entry()))
            self.assertEqual(main([*map(str, files), vkey()]), 0)
            self.assertEqual(main([*map(str, files), EXAMPLE_KEY]), 1)


if __name__ == "__main__":
    unittest.main()
