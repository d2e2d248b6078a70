"""The reader against testvectors/archive and against altered bytes (archive.md, dataset.md)."""

import os
import re
import struct
import tempfile
import unittest
from pathlib import Path

from pol_reader import Archive, Refusal
from pol_reader.__main__ import main
from pol_reader.age import NoMatch, identity
from pol_reader.dataset import parse_point, salt, signature, tree_levels
from pol_reader.grant import Grant, GrantRefusal, open_grant
from pol_reader.hashing import crc32c, leaf_hash, root_from_inclusion, root_of_leaf_hashes, sha256
from pol_reader.model import model_digest, tensor_digest

from tests.vectors import ROOT, apply, files_of, lay_out, load

NAMES = ("minimal", "rich", "ledger", "gaps", "imported", "delta", "encrypted", "twice")


def epoch_key(name: str) -> bytes | None:
    key = load(f"valid/{name}.expect.json").get("epochKey")
    return bytes.fromhex(key) if key else None


class Scratch(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.path = Path(holder.name) / "a.pol"

    def refusal(self, keys: Grant | bytes | None = None) -> Refusal | None:
        try:
            Archive(self.path, keys).check()
        except Refusal as refusal:
            return refusal
        return None

    def outcome(self, keys: Grant | bytes | None) -> tuple[str, str]:
        """Error and place; `grant` for what the keys themselves are refused for."""
        try:
            refusal = self.refusal(keys)
        except GrantRefusal as other:
            return other.code, "grant"
        return (refusal.code, refusal.where) if refusal else ("accepted", "grant")


class ValidArchives(Scratch):
    def test_accepted_with_the_expected_values(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                expect = load(f"valid/{name}.expect.json")
                lay_out(files_of(name), self.path)
                archive = Archive(self.path, epoch_key(name))
                found = archive.check()
                self.assertEqual(found.archive_root, expect["archiveRoot"])
                self.assertEqual(found.seal_digest, expect["sealDigest"])
                self.assertEqual(found.model_digest, expect["modelDigest"])
                self.assertEqual(found.run_seed, expect["runSeed"])
                self.assertEqual(found.dataset_root, expect["datasetRoot"])
                self.assertEqual(str(found.dataset_count), expect["datasetCount"])
                self.assertEqual(found.prover_key, expect["proverKey"])
                self.assertEqual(str(found.steps), expect["steps"])
                self.assertEqual(found.chunks, expect["distinctChunks"])
                self.assertEqual([each.hex() for each in archive.record_hashes], expect["recordHashes"])
                self.assertEqual([[each.hex() for each in c.chunks[:8]] for c in archive.checkpoints],
                                 expect["chunks"][1:])
                self.assertEqual([len(c.chunks) for c in archive.checkpoints], expect["chunkCounts"][1:])
                self.assertEqual([[f"{bits:016x}" for bits in c.norms] for c in archive.checkpoints[1:]],
                                 expect["norms"])

    def test_read_without_its_seal(self) -> None:
        for name in NAMES:
            files = files_of(name)
            for last in ("seal", "objects", "norms", "records.index"):
                del files[last]
                lay_out(files, self.path)
                self.assertFalse(Archive(self.path, epoch_key(name)).check().sealed)

    def test_a_torn_tail_is_left_out_of_an_unfinished_archive(self) -> None:
        files = {name: data for name, data in files_of("ledger").items()
                 if name not in ("seal", "objects", "norms", "records.index")}
        files["records"] = files["records"][:-1]
        lay_out(files, self.path)
        found = Archive(self.path).check()
        self.assertEqual((found.records, found.steps), (3, 2))
        self.assertGreater(found.torn_bytes, 0)

    def test_an_unfinished_archive_is_refused_where_it_cannot_go_on(self) -> None:
        tables = ("seal", "objects", "norms", "records.index", "packs/00000000.index")
        files = {name: data for name, data in files_of("minimal").items() if name not in tables}
        pack = "packs/00000000.pack"
        for name, altered, code in (
            ("records", files["records"][:47], "damaged"),
            ("records", files["records"][:12] + b"\1" + files["records"][13:], "malformed"),  # key epoch
            ("records", files["records"][:16] + b"\0" + files["records"][17:], "malformed"),  # archive id
            (pack, files[pack][:-1], "damaged"),
            (pack, files[pack][:20] + b"\xff\xff\xff\x7f" + files[pack][24:], "limit"),  # a payload's length
        ):
            lay_out(files | {name: altered}, self.path)
            found = self.refusal()
            assert found is not None
            self.assertEqual((found.code, found.where), (code, name), found.message)

    def test_a_pack_has_a_largest_size(self) -> None:
        lay_out(files_of("minimal"), self.path)
        os.truncate(self.path / "packs/00000000.pack", (1 << 30) + 1)
        found = self.refusal()
        assert found is not None
        self.assertEqual((found.code, found.where), ("limit", "packs/00000000.pack"))

    def test_command_line(self) -> None:
        lay_out(files_of("minimal"), self.path)
        self.assertEqual(main([str(self.path), "--json"]), 0)
        (self.path / "seal").write_bytes(b"")
        self.assertEqual(main([str(self.path)]), 1)


class Refusals(Scratch):
    def test_each_with_its_error_and_place(self) -> None:
        bases = {name: files_of(name) for name in NAMES}
        for file in ("refusals.json", "encrypted-refusals.json"):
            cases = load(file)
            self.assertGreaterEqual(len(cases), 80)
            for case in cases:
                with self.subTest(case["id"]):
                    apply(case["edits"], bases[case["base"]], self.path)
                    self.assertEqual(self.outcome(epoch_key(case["base"])), (case["expect"], case["where"]))

    def test_every_flipped_bit_is_noticed(self) -> None:
        files = files_of("minimal")
        lay_out(files, self.path)
        unnoticed = []
        for name, data in files.items():
            for position in range(len(data)):
                altered = bytearray(data)
                altered[position] ^= 1 << position % 8
                (self.path / name).write_bytes(altered)
                if self.refusal() is None:
                    unnoticed.append((name, position))
            (self.path / name).write_bytes(data)
        self.assertEqual(unnoticed, [])

    def test_every_cut_is_noticed(self) -> None:
        files = files_of("minimal")
        lay_out(files, self.path)
        for name, data in files.items():
            for length in range(len(data)):
                (self.path / name).write_bytes(data[:length])
                self.assertIsNotNone(self.refusal(), (name, length))
            (self.path / name).write_bytes(data)

    def test_links_and_pipes_are_not_followed(self) -> None:
        for name in files_of("minimal"):
            lay_out(files_of("minimal"), self.path)
            os.rename(self.path / name, self.path.parent / "target")
            os.symlink(self.path.parent / "target", self.path / name)
            found = self.refusal()
            assert found is not None
            self.assertEqual((found.code, found.where), ("malformed", name))
        for folder in ("packs", "dataset"):
            lay_out(files_of("minimal"), self.path)
            os.rename(self.path / folder, self.path.parent / folder)
            os.symlink(self.path.parent / folder, self.path / folder)
            self.assertIsNotNone(self.refusal())
        lay_out(files_of("minimal"), self.path)
        (self.path / "norms").unlink()
        os.mkfifo(self.path / "norms")
        found = self.refusal()
        assert found is not None
        self.assertEqual(found.code, "malformed")


class Encrypted(Scratch):
    def test_grants(self) -> None:
        lay_out(files_of("encrypted"), self.path)
        for case in load("grants.json"):
            with self.subTest(case["id"]):
                try:
                    grant = open_grant(bytes.fromhex(case["grant"]), [identity(case["identity"])])
                except NoMatch:
                    found = ("wrongKey", "grant")
                except Refusal as refusal:
                    found = (refusal.code, "grant")
                else:
                    if case["expect"] == "accepted":
                        self.assertEqual(grant.segments, tuple(case["segments"] or ()))
                    found = self.outcome(grant)
                self.assertEqual(found, (case["expect"], case["where"]))

    def test_a_grant_of_a_segment_reads_no_more(self) -> None:
        lay_out(files_of("encrypted"), self.path)
        case = next(each for each in load("grants.json") if each["id"] == "segment-0")
        archive = Archive(self.path, open_grant(bytes.fromhex(case["grant"]), [identity(case["identity"])]))
        self.assertEqual((archive.check().records, [each.sequence for each in archive.checkpoints]), (4, [1, 2]))

    def test_without_a_key_nothing_is_read(self) -> None:
        lay_out(files_of("encrypted"), self.path)
        self.assertEqual(self.outcome(None), ("outsideGrant", "grant"))
        self.assertEqual(self.outcome(bytes(32)), ("wrongKey", "grant"))

    def test_an_open_pack_cannot_be_read(self) -> None:
        tables = ("seal", "objects", "norms", "records.index")
        lay_out({name: data for name, data in files_of("encrypted").items() if name not in tables}, self.path)
        self.assertEqual(self.outcome(epoch_key("encrypted")), ("accepted", "grant"))
        (self.path / "packs/00000000.index").unlink()
        self.assertEqual(self.outcome(epoch_key("encrypted")), ("missing", "packs/00000000.index"))

    def test_every_flipped_byte_is_noticed(self) -> None:
        files, key = files_of("encrypted"), epoch_key("encrypted")
        lay_out(files, self.path)
        unnoticed = []
        for name, data in files.items():
            for position in range(0, len(data), 3):
                altered = bytearray(data)
                altered[position] ^= 1 << position % 8
                (self.path / name).write_bytes(altered)
                if self.outcome(key)[0] == "accepted":
                    unnoticed.append((name, position))
            (self.path / name).write_bytes(data)
        self.assertEqual(unnoticed, [])

    def test_command_line(self) -> None:
        lay_out(files_of("encrypted"), self.path)
        case = next(each for each in load("grants.json") if each["id"] == "segment-1")
        key, grant, names = (self.path.parent / each for each in ("key", "grant", "identity"))
        key.write_text(f"pol-content-key-1 {load('valid/encrypted.expect.json')['epochKey']}\n")
        grant.write_bytes(bytes.fromhex(case["grant"]))
        names.write_text(f"# for the tests\n{case['identity']}\n")
        path = str(self.path)
        self.assertEqual(main([path, "--content-key", str(key)]), 0)
        self.assertEqual(main([path, "--grant", str(grant), "--identity", str(names)]), 0)
        self.assertEqual(main([path]), 1)
        names.write_text(key.read_text().upper().replace("POL-CONTENT-KEY-1 ", "# "))
        self.assertEqual(main([path, "--grant", str(grant), "--identity", str(names)]), 1)
        key.write_text("pol-content-key-1 00\n")
        self.assertEqual(main([path, "--content-key", str(key)]), 1)


class Primitives(unittest.TestCase):
    def test_crc32c(self) -> None:
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)  # RFC 3720 §B.4
        self.assertEqual(crc32c(b"\xff" * 32), 0x62A8AB43)


class DatasetVectors(unittest.TestCase):
    def test_points(self) -> None:
        for case in load("dataset.json")["points"]:
            canonical = bytes.fromhex(case["canonical"])
            point = parse_point(canonical)
            shape = [str(d) for d in point.shape]
            self.assertEqual((point.element_type, shape, point.elements.hex(), str(point.label)),
                             (case["elementType"], case["shape"], case["elements"], case["label"]), case["id"])
            for row in case["signatures"]:
                made = salt(bytes.fromhex(row["secret"]), int(row["index"]))
                self.assertEqual(made.hex(), row["salt"])
                self.assertEqual(signature(made, canonical).hex(), row["signature"])

    def test_refused_points(self) -> None:
        for case in load("dataset.json")["refusedPoints"]:
            with self.subTest(case["id"]), self.assertRaises(Refusal) as caught:
                parse_point(bytes.fromhex(case["bytes"]))
            self.assertEqual(caught.exception.code, case["expect"], case["id"])

    def test_roots_and_levels(self) -> None:
        for case in load("dataset.json")["roots"]:
            count = int(case["count"])
            hashes = [leaf_hash(signature(salt(bytes(32), i), bytes([2, 1, 2, 0, 0, 0]) + struct.pack("<Hq", i, i)))
                      for i in range(count)]
            self.assertEqual(root_of_leaf_hashes(hashes).hex(), case["root"])
            self.assertEqual(leaf_hash(bytes.fromhex(case["last"])), hashes[-1])
            levels = []
            for level, length in enumerate(tree_levels(count)):
                group = 256**level
                levels.append(sha256(*(root_of_leaf_hashes(hashes[i * group:(i + 1) * group]) for i in range(length))))
            self.assertEqual([each.hex() for each in levels], case["levels"])

    def test_inclusion(self) -> None:
        for case in load("dataset.json")["inclusion"]:
            found = root_from_inclusion(leaf_hash(bytes.fromhex(case["signature"])), int(case["index"]),
                                        int(case["count"]), [bytes.fromhex(each) for each in case["path"]])
            self.assertEqual(found == bytes.fromhex(case["root"]), case["valid"], case["id"])


class ModelVectors(unittest.TestCase):
    def test_digests(self) -> None:
        for case in load("models.json"):
            rows = []
            for each in case["tensors"]:
                digest = tensor_digest(each["elementType"], tuple(int(d) for d in each["shape"]),
                                       [bytes.fromhex(each["bytes"])])
                self.assertEqual(digest.hex(), each["digest"])
                if each["role"] < 2:
                    rows.append((each["name"].encode(), digest))
            self.assertEqual(model_digest(rows).hex(), case["modelDigest"], case["id"])


class WorkedBytes(unittest.TestCase):
    """The hex in archive.md §12 is the minimal archive's."""

    def test_blocks(self) -> None:
        text = (ROOT / "spec" / "archive.md").read_text().partition("## 12. Worked bytes")[2].partition("## Changes")[0]
        blocks = []
        for block in re.findall(r"```text\n(.*?)```", text, re.S):
            data = b""
            for line in block.splitlines():
                match = re.match(r" *(\d*)  ([0-9a-f]+)(?:  .*)?$", line)
                assert match is not None, line
                if match[1]:
                    self.assertEqual(int(match[1]), len(data), line)
                data += bytes.fromhex(match[2])
            blocks.append(data)
        files, expect = files_of("minimal"), load("valid/minimal.expect.json")
        self.assertEqual(len(blocks), 8)
        opening, record, records, frame, envelope, pack, index, seal = blocks
        self.assertTrue(files["records"].startswith(records))
        self.assertTrue(files["records"].endswith(frame + record + envelope))
        self.assertTrue(files["packs/00000000.pack"].startswith(pack))
        self.assertEqual(files["packs/00000000.index"], index)
        self.assertEqual(files["seal"], seal)
        for number, block in ((0, opening), (2, record)):
            self.assertIn(block, files["records"])
            self.assertEqual(sha256(b"pol/v1/record\n", block).hex(), expect["recordHashes"][number])
        for digest in (*expect["recordHashes"], expect["sealDigest"], expect["archiveRoot"], expect["runSeed"]):
            self.assertIn(digest, text)


if __name__ == "__main__":
    unittest.main()
