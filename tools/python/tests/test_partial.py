"""Folders of some segments (store.md §5.1), made here out of whole archives, and altered."""

import contextlib
import io
import struct
import tempfile
import unittest
from pathlib import Path

from pol_reader import Refusal
from pol_reader.__main__ import main
from pol_reader.hashing import crc32c
from pol_reader.partial import PartialArchive, parse_manifest

from tests.vectors import files_of, lay_out
from tests.test_vectors import epoch_key

SPARSE = ("records", "dataset/points", "dataset/offsets", "dataset/tree.0")


def listed(seal: bytes, segments: list[tuple[int, int]], ranges: dict[str, list[tuple[int, int]]]) -> bytes:
    data = b"polpart1" + seal + struct.pack("<I", len(segments))
    data += b"".join(struct.pack("<II", *run) for run in segments) + struct.pack("<I", len(ranges))
    for name, held in sorted(ranges.items()):
        raw = name.encode()
        data += struct.pack("<H", len(raw)) + raw + struct.pack("<I", len(held))
        data += b"".join(struct.pack("<QQ", *each) for each in held)
    return data + struct.pack("<I", crc32c(data))


class Folders(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.path = Path(holder.name) / "a.pol"
        self.files: dict[str, bytes] = {}
        self.seal = b""
        self.ranges: dict[str, list[tuple[int, int]]] = {}

    def make(self, name: str) -> int:
        """Everything that segments take, sparse files listed whole; gives the number of segments."""
        whole = files_of(name)
        self.seal = whole.pop("seal")
        self.files = {each: data for each, data in whole.items() if each not in SPARSE and not each.endswith(".pack")}
        sparse = {each: data for each, data in whole.items() if each not in self.files}
        self.files |= {each + ".part": data for each, data in sparse.items()}
        self.ranges = {each: [(0, len(data))] for each, data in sparse.items()}
        return struct.unpack_from("<Q", self.seal, 80)[0] - 2

    def lay_out(self, segments: list[tuple[int, int]]) -> None:
        lay_out(self.files | {"partial": listed(self.seal, segments, self.ranges)}, self.path)

    def refusal(self, name: str = "rich") -> tuple[str, str]:
        try:
            PartialArchive(self.path, epoch_key(name)).check_segments()
        except Refusal as refusal:
            return refusal.code, refusal.where
        return "accepted", ""

    def test_segments_are_checked(self) -> None:
        for name in ("minimal", "rich", "delta", "gaps", "encrypted"):
            with self.subTest(name):
                count = self.make(name)
                self.lay_out([(0, count)])
                self.assertTrue(PartialArchive.stands_in(self.path))
                summary = PartialArchive(self.path, epoch_key(name)).check_segments()
                self.assertEqual(summary.segments, list(range(count)))
                self.assertEqual(summary.records, count + 1)
                self.assertGreater(summary.chunks, 0)
                self.lay_out([])
                self.assertEqual(PartialArchive(self.path, epoch_key(name)).check_segments().segments, [])

    def test_the_command_says_that_it_is_partial(self) -> None:
        self.make("rich")
        self.lay_out([(0, 2)])
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(main([str(self.path)]), 1)
        self.assertIn("partial: segments 0, 1 of", out.getvalue())

    def test_where_a_seal_stands_the_list_says_nothing(self) -> None:
        self.make("rich")
        self.lay_out([(0, 1)])
        (self.path / "seal").write_bytes(self.seal)
        self.assertFalse(PartialArchive.stands_in(self.path))

    def test_what_no_range_holds_is_not_read(self) -> None:
        count = self.make("rich")
        for name in self.ranges:
            with self.subTest(name):
                self.make("rich")
                length = self.ranges[name][0][1]
                self.ranges[name] = [(0, 1), (length - 1, length)]
                self.lay_out([(0, count)])
                self.assertEqual(self.refusal(), ("notHeld", name))
                del self.ranges[name]
                self.lay_out([(0, count)])
                self.assertEqual(self.refusal(), ("notHeld", name))

    def test_a_changed_byte_is_found(self) -> None:
        count = self.make("rich")
        for name in sorted(self.files):
            with self.subTest(name):
                self.make("rich")
                data = bytearray(self.files[name])
                # Not every point is used by a step.
                for place in range(len(data)) if name.startswith("dataset/") else (len(data) // 2,):
                    data[place] ^= 255
                self.files[name] = bytes(data)
                self.lay_out([(0, count)])
                code, where = self.refusal()
                self.assertIn(code, ("damaged", "malformed"))
                self.assertEqual(where, name.removesuffix(".part"))

    def test_lists_of_another_form_are_refused(self) -> None:
        self.make("rich")
        good = listed(self.seal, [(0, 1), (2, 3)], {"records": [(0, 5), (6, 9)]})
        self.assertEqual(parse_manifest(good).segments, [(0, 1), (2, 3)])
        for segments, ranges in (([(1, 1)], {}), ([(2, 1)], {}), ([(0, 2), (2, 3)], {}), ([(3, 4), (0, 1)], {}),
                                 ([], {"records": []}), ([], {"records": [(5, 5)]}),
                                 ([], {"records": [(0, 5), (5, 6)]}), ([], {"records": [(0, 1 << 63)]})):
            with self.subTest(f"{segments} {ranges}"):
                with self.assertRaises(Refusal) as caught:
                    parse_manifest(listed(self.seal, segments, ranges))
                self.assertEqual(caught.exception.code, "malformed")
        for data in (good[:-5] + good[-4:], good[:-4] + b"\0\0\0\0", good[:100], b""):
            with self.assertRaises(Refusal):
                parse_manifest(data)
        body = good[:-4] + b"\0"
        with self.assertRaises(Refusal):
            parse_manifest(body + struct.pack("<I", crc32c(body)))

    def test_a_segment_that_the_archive_has_not_is_refused(self) -> None:
        count = self.make("rich")
        self.lay_out([(0, count + 1)])
        self.assertEqual(self.refusal(), ("malformed", "partial"))

    def test_a_file_that_was_not_sealed_is_refused(self) -> None:
        self.make("rich")
        self.files["packs/00000099.index"] = b"x"
        self.lay_out([(0, 1)])
        self.assertEqual(self.refusal(), ("malformed", "packs/00000099.index"))
