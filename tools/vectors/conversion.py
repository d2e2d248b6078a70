#!/usr/bin/env python3
"""Test vectors of spec/conversion.md: checkpoint files of other programs, good and bad.

    tools/vectors/conversion.py [FOLDER]      writes FOLDER/cases.json (testvectors/conversion)

Plain Python, without numpy or torch: every byte of every file is put down here, so that faults can be
put where they are wanted. The files that real programs write are tested in tools/tests.d.
"""

import json
import struct
import sys
import zlib
from pathlib import Path

CASES = []
F32 = struct.pack("<6f", *range(6))


def tensor(name, type_, shape, data, role="weight"):
    return {"role": role, "name": name, "type": type_, "shape": shape, "bytes": data.hex()}


def accept(id_, comment, files, tensors, open_=None, restores=True):
    CASES.append({
        "id": id_, "comment": comment, "files": hexed(files), "open": name_of(files, open_),
        "tensors": tensors, "restores": restores})


def refuse(id_, comment, files, expect, says, open_=None):
    CASES.append({
        "id": id_, "comment": comment, "files": hexed(files), "open": name_of(files, open_),
        "expect": expect, "says": says})


def hexed(files):
    return {name: data.hex() for name, data in files.items()}


def name_of(files, open_):
    return next(iter(files)) if open_ is None else open_


# safetensors

def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def row(type_, shape, begin, end):
    return {"dtype": type_, "shape": shape, "data_offsets": [begin, end]}


def safetensors_cases():
    two = {"b": row("F32", [2, 3], 0, 24), "a": row("I64", [], 24, 32)}
    data = F32 + struct.pack("<q", -7)
    a, b = tensor("a", "I64", [], data[24:]), tensor("b", "F32", [2, 3], F32)
    good = {"m.safetensors": safetensors(two, data)}
    accept("safetensors", "two tensors", good, [a, b])
    accept("safetensors-metadata", "metadata and padding come back as they were",
           {"m.safetensors": safetensors(
               b' \n' + json.dumps({"__metadata__": {"z": "1", "a": "2"}, **two}).encode() + b"   ",
               data)}, [a, b])
    accept("safetensors-empty", "no tensors at all", {"m.safetensors": safetensors({})}, [])
    accept("safetensors-zero", "a tensor without elements",
           {"m.safetensors": safetensors({"e": row("F16", [0, 4], 0, 0)})},
           [tensor("e", "F16", [0, 4], b"")])
    accept("safetensors-state", "a state file: every name begins with a role",
           {"m.safetensors": safetensors(
               {"weight/w": row("U8", [2], 0, 2), "optimizer/w": row("U8", [1], 2, 3)}, b"\1\2\3")},
           [tensor("w", "U8", [2], b"\1\2"), tensor("w", "U8", [1], b"\3", "optimizer")])
    accept("safetensors-half-state", "not every name begins with a role: all are weights",
           {"m.safetensors": safetensors(
               {"weight/w": row("U8", [2], 0, 2), "v": row("U8", [1], 2, 3)}, b"\1\2\3")},
           [tensor("v", "U8", [1], b"\3"), tensor("weight/w", "U8", [2], b"\1\2")])

    def bad(id_, comment, data_, expect, says):
        refuse("safetensors-" + id_, comment, {"m.safetensors": data_}, expect, says)
    bad("none", "an empty file", b"", "malformed", "no checkpoint")
    bad("short", "seven bytes", b"1234567", "malformed", "no checkpoint")
    bad("text", "not safetensors at all", b"hello, world", "malformed", "longer than the file")
    bad("hole", "a byte that no tensor covers",
        safetensors({"a": row("U8", [1], 0, 1), "b": row("U8", [1], 2, 3)}, b"123"), "malformed", "hole")
    bad("overlap", "two tensors share a byte",
        safetensors({"a": row("U8", [2], 0, 2), "b": row("U8", [2], 1, 3)}, b"123"),
        "malformed", "overlap")
    bad("trailing", "a byte after the last tensor",
        safetensors({"a": row("U8", [1], 0, 1)}, b"12"), "malformed", "after the last tensor")
    bad("cut", "the data is cut short",
        safetensors({"a": row("U8", [4], 0, 4)}, b"12"), "malformed", "do not fit")
    bad("twice", "one key stands twice",
        safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(row("U8", [1], 0, 1)).encode(),) * 2), b"1"),
        "malformed", "stands twice")
    bad("type", "an element type that is not known",
        safetensors({"a": row("F4", [2], 0, 1)}, b"1"), "unsupported", "element type")
    bad("control", "a control character in a name",
        safetensors({"a\n": row("U8", [1], 0, 1)}, b"1"), "malformed", "control character")
    bad("weight-buffer", "a weight and a buffer of one name",
        safetensors({"weight/w": row("U8", [1], 0, 1), "buffer/w": row("U8", [1], 1, 2)}, b"12"),
        "malformed", "a weight and a buffer")
    bad("skeleton-name", "a tensor in the skeletons' place",
        safetensors({"counter/source/0": row("U8", [1], 0, 1)}, b"1"), "malformed", "source/0")


def shard_cases():
    index = {"metadata": {"total_size": 3}, "weight_map": {"a": "s1.safetensors", "b": "s2.safetensors"}}
    one = safetensors({"a": row("U8", [1], 0, 1)}, b"1")
    two = safetensors({"b": row("U8", [2], 0, 2)}, b"23")
    name = "model.safetensors.index.json"

    def files(index_=index, **more):
        text = json.dumps(index_, indent=2).encode() + b"\n"
        return {name: text, "s1.safetensors": one, "s2.safetensors": two, **more}
    tensors = [tensor("a", "U8", [1], b"1"), tensor("b", "U8", [2], b"23")]
    accept("shards", "two shards and their index", files(), tensors)

    def bad(id_, comment, files_, expect, says):
        refuse("shards-" + id_, comment, files_, expect, says)

    def mapped(map_):
        return files({"weight_map": map_})
    a, b = index["weight_map"]["a"], index["weight_map"]["b"]
    bad("path", "a shard outside of the folder", mapped({"a": "../" + a, "b": b}), "malformed",
        "no plain file name")
    bad("absolute", "a shard by an absolute path", mapped({"a": "/etc/passwd", "b": b}), "malformed",
        "no plain file name")
    bad("number", "a shard that is no text", mapped({"a": 1, "b": b}), "malformed", "no plain file name")
    bad("wrong", "the tensor is in the other shard", mapped({"a": b, "b": a}), "malformed",
        "does not place")
    bad("unlisted", "a tensor that the index leaves out", mapped({"b": b, "c": a}), "malformed",
        "does not place")
    bad("lost", "a tensor that no shard has", mapped({"a": a, "b": b, "c": b}), "malformed", "is not in")
    bad("absent", "a shard that is not there", mapped({"a": a, "b": "s3.safetensors"}), "missing",
        "opening")
    bad("none", "no weight_map", files({"metadata": {}}), "malformed", "weight_map")
    bad("json", "no JSON", files() | {name: b"{"}, "malformed", "key")


# zip

class Zip:
    """Members put down byte by byte; `faults` name what goes wrong."""

    def __init__(self, wide=False):
        self.data, self.rows, self.wide = b"", [], wide

    def add(self, name, body, method=0, pad=0, crc=None, size=None, flags=0x800, own_name=None,
            stored=None, offset=None):
        raw = name if isinstance(name, bytes) else name.encode()
        if stored is None:
            if method == 8:
                press = zlib.compressobj(9, zlib.DEFLATED, -15)
                stored = press.compress(body) + press.flush()
            else:
                stored = body
        crc = zlib.crc32(body) if crc is None else crc
        size = len(body) if size is None else size
        at = len(self.data) if offset is None else offset
        extra = struct.pack("<HHQQ", 1, 16, size, len(stored)) if self.wide else b""
        extra += struct.pack("<HH", 0x4246, pad) + b"Z" * pad if pad else b""
        narrow = (0xffffffff, 0xffffffff) if self.wide else (len(stored), size)
        own = raw if own_name is None else own_name
        head = struct.pack("<IHHHHHIIIHH", 0x04034b50, 45, flags, method, 0, 0x21, crc, *narrow,
                           len(own), len(extra))
        if offset is None:
            self.data += head + own + extra + stored
        self.rows.append((raw, method, crc, len(stored), size, at, flags))
        return self

    def end(self, comment=b"", count=None, size=None, gap=b"", wide_size=None):
        at, rows = len(self.data), b""
        for raw, method, crc, stored, whole, offset, flags in self.rows:
            extra = struct.pack("<HHQQQ", 1, 24, whole, stored, offset) if self.wide else b""
            narrow = (0xffffffff,) * 3 if self.wide else (stored, whole, offset)
            rows += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 45, 45, flags, method, 0, 0x21, crc,
                                narrow[0], narrow[1], len(raw), len(extra), 0, 0, 0, 0, narrow[2])
            rows += raw + extra
        count = len(self.rows) if count is None else count
        size = len(rows) if size is None else size
        out = self.data + rows + gap
        if self.wide:
            out += struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 45, 45, 0, 0, count, count,
                               size if wide_size is None else wide_size, at)
            out += struct.pack("<IIQI", 0x07064b50, 0, at + len(rows) + len(gap), 1)
            count, size, at = 0xffff, 0xffffffff, 0xffffffff
        return out + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, count, count, size, at,
                                 len(comment)) + comment


def put(data, at, hexed_):
    """The same bytes with some of them changed; `at` counts from behind where it is negative."""
    new = bytes.fromhex(hexed_)
    at = at if at >= 0 else len(data) + at
    return data[:at] + new + data[at + len(new):]


def npy(type_, shape, data, order=False, version=1, head=None, minor=0):
    text = head
    if text is None:
        text = f"{{'descr': '{type_}', 'fortran_order': {order}, 'shape': {shape!r}, }}".encode()
        text += b" " * (-(len(text) + 11) % 64) + b"\n"
    count = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, minor]) + count + text + data


def npz(*arrays, **options):
    zip_ = Zip()
    for name, body in arrays:
        zip_.add(name + ".npy", body, **options)
    return zip_.end()


def numpy_cases():
    w, s = npy("<f4", (2, 3), F32), npy("|b1", (), b"\1")
    good = [tensor("s", "BOOL", [], b"\1"), tensor("w", "F32", [2, 3], F32)]

    def ok(id_, comment, data, tensors=good, restores=True):
        accept("npz-" + id_, comment, {"a.npz": data}, tensors, restores=restores)

    def bad(id_, comment, data, expect, says):
        refuse("npz-" + id_, comment, {"a.npz": data}, expect, says)

    ok("stored", "as numpy.savez writes it", npz(("w", w), ("s", s)))
    ok("deflated", "as numpy.savez_compressed writes it", npz(("w", w), ("s", s), method=8),
       restores=False)
    ok("versions", "format versions 2.0 and 3.0",
       npz(("w", npy("<f4", (2, 3), F32, version=2)), ("s", npy("|b1", (), b"\1", version=3))))
    ok("zip64", "all lengths and offsets in zip64's fields",
       Zip(wide=True).add("w.npy", w).add("s.npy", s).end())
    ok("comment", "a comment after the end record, which holds another end record",
       Zip().add("w.npy", w).add("s.npy", s).end(comment=b"PK\5\6" + bytes(30)))
    ok("other-member", "a member that is no array is kept as bytes",
       Zip().add("w.npy", w).add("README", b"hello").add("s.npy", s).end())
    ok("prefix", "bytes between members are kept", Zip().add("w.npy", w, pad=40).add("s.npy", s).end())
    columns = struct.pack("<6f", 0, 3, 1, 4, 2, 5)
    ok("fortran", "Fortran order is turned, and the file still comes back",
       npz(("w", npy("<f4", (2, 3), columns, order=True))), [good[1]])
    ok("long-shape", "a name with a slash", npz(("layer/w", npy("<i8", (1,), bytes(8)))),
       [tensor("layer/w", "I64", [1], bytes(8))])

    bad("big-endian", "", npz(("w", npy(">f4", (2, 3), F32))), "unsupported", "big-endian")
    bad("object", "a pickle", npz(("w", npy("|O", (1,), bytes(8)))), "unsupported", "|O")
    bad("text", "", npz(("w", npy("<U2", (1,), bytes(8)))), "unsupported", "<U2")
    bad("complex", "", npz(("w", npy("<c8", (1,), bytes(8)))), "unsupported", "<c8")
    bad("record", "fields",
        npz(("w", npy("", (), bytes(8),
                      head=b"{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (), }\n"))),
        "unsupported", "record")
    bad("version", "", npz(("w", npy("<f4", (2, 3), F32, version=4))), "unsupported", "version")
    bad("minor", "", npz(("w", npy("<f4", (2, 3), F32, minor=1))), "unsupported", "version")
    bad("shape", "too few bytes", npz(("w", npy("<f4", (2, 4), F32))), "malformed", "do not fit")
    bad("long", "too many bytes", npz(("w", npy("<f4", (2, 2), F32))), "malformed", "do not fit")
    bad("huge", "a shape whose product overflows",
        npz(("w", npy("<f8", (1 << 40, 1 << 40), b""))), "malformed", "do not fit")
    bad("head-limit", "a head over the limit",
        npz(("w", npy("", (), b"", version=2, head=b" " * 10001))), "limit", "10000")

    def head(id_, comment, text, says):
        bad("head-" + id_, comment, npz(("w", npy("", (), F32, head=text))), "malformed", says)
    head("negative", "", b"{'descr': '<f4', 'fortran_order': False, 'shape': (-6,), }\n", "shape")
    head("missing", "", b"{'descr': '<f4', 'shape': (6,), }\n", "missing")
    head("twice", "", b"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,), }\n",
         "stands twice")
    head("more", "", b"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 1}\n", "unknown")
    head("bool", "", b"{'descr': '<f4', 'fortran_order': 0, 'shape': (6,), }\n", "neither True")
    head("trailing", "", b"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), } x\n", "after")
    head("open", "", b"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)", "wants")
    head("call", "an expression", b"{'descr': '<f4', 'fortran_order': False, 'shape': f(6), }\n", "wants")
    bad("magic", "", Zip().add("w.npy", b"PK" + w).end(), "malformed", "magic")

    def zip_bad(id_, comment, data, expect, says):
        refuse("zip-" + id_, comment, {"a.npz": data}, expect, says)
    zip_bad("cut", "the end record is cut off", npz(("w", w))[:-1], "malformed", "end record")
    zip_bad("trailing", "a byte after the end", npz(("w", w)) + b"x", "malformed", "end record")
    zip_bad("gap", "bytes between directory and end record", Zip().add("w.npy", w).end(gap=b"gap"),
            "malformed", "does not end where")
    zip_bad("count", "more members than rows", Zip().add("w.npy", w).end(count=2), "malformed", "wants")
    zip_bad("rows", "fewer members than rows",
            Zip().add("w.npy", w).add("s.npy", s).end(count=1), "malformed", "stand after")
    zip_bad("twice", "two members of one name", npz(("w", w), ("w", w)), "malformed", "two members")
    zip_bad("checksum", "a stored member changed", npz(("w", w), crc=1), "damaged", "checksum")
    zip_bad("other-checksum", "a member that is no array changed",
            Zip().add("w.npy", w).add("README", b"hello", crc=1).end(), "damaged", "checksum")
    zip_bad("deflated-checksum", "a deflated member changed", npz(("w", w), method=8, crc=1), "damaged",
            "checksum")
    zip_bad("not-deflate", "no deflate stream",
            Zip().add("w.npy", w, method=8, stored=b"\xff" * 40).end(), "damaged", "does not inflate")
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = press.compress(w) + press.flush()
    zip_bad("deflate-cut", "a deflate stream without its end",
            Zip().add("w.npy", w, method=8, stored=stream[:-4]).end(), "damaged", "does not inflate")
    zip_bad("deflate-more", "bytes after the deflate stream",
            Zip().add("w.npy", w, method=8, stored=stream + b"more").end(), "damaged",
            "does not inflate")
    zip_bad("deflate-long", "it inflates to more than it claims",
            Zip().add("w.npy", w, method=8, size=len(w) - 1).end(), "damaged", "does not inflate")
    zip_bad("deflate-short", "it inflates to less than it claims",
            Zip().add("w.npy", w, method=8, size=len(w) + 1).end(), "damaged", "does not inflate")
    zip_bad("bomb", "more bytes than deflate could make",
            Zip().add("w.npy", w, method=8, size=0xfffffff0).end(), "malformed", "claims")
    zip_bad("bomb-limit", "more bytes than are inflated",
            Zip(wide=True).add("w.npy", w, method=8, size=1 << 40).end(), "malformed", "claims")
    zip_bad("stored-size", "a stored member of two lengths",
            Zip().add("w.npy", w, size=len(w) - 1).end(), "malformed", "claims")
    zip_bad("encrypted", "", npz(("w", w), flags=1), "unsupported", "encrypted")
    zip_bad("method", "LZMA", npz(("w", w), method=14), "unsupported", "method 14")
    zip_bad("own-name", "another name in the member's own header",
            Zip().add("w.npy", w, own_name=b"v.npy").end(), "malformed", "another header")
    zip_bad("name-bytes", "a name that is not UTF-8", Zip().add(b"\xff.npy", w).end(), "unsupported",
            "UTF-8")
    twice = Zip().add("w.npy", w)
    zip_bad("overlap", "two rows for one member", twice.add("w.npy", w, offset=0).end(), "malformed",
            "two members")
    inner = Zip().add("v.npy", w).data
    outer = Zip().add("w.npy", inner)
    zip_bad("inside", "a member inside of another one",
            outer.add("v.npy", w, offset=35).end(), "malformed", "overlap")
    zip_bad("far", "a member behind the directory",
            Zip().add("w.npy", w).add("s.npy", s, offset=100000).end(), "malformed", "begins behind")
    zip_bad("wide-differs", "the two end records differ",
            Zip(wide=True).add("w.npy", w).end(wide_size=5), "malformed", "does not end where")
    narrow = Zip().add("w.npy", w).end()
    at = narrow.index(b"PK\1\2")
    zip_bad("wide-missing", "a length in a zip64 field that is not there",
            narrow[:at + 24] + b"\xff" * 4 + narrow[at + 28:], "malformed", "zip64 field")
    zip_bad("split", "the second disk of two", narrow[:-18] + b"\1\0" + narrow[-16:], "malformed", "disk")
    row = at - len(narrow)
    zip_bad("split-members", "members on another disk", put(narrow, -12, "0200"), "unsupported", "split")
    zip_bad("directory-far", "a directory behind its end", put(narrow, -6, "ffffff00"), "malformed",
            "does not end where")
    zip_bad("row-signature", "", put(narrow, row, "504b0103"), "malformed", "directory row")
    zip_bad("row-disk", "a member on another disk", put(narrow, row + 34, "0100"), "malformed", "disk")
    for bit in [5, 6, 13]:
        zip_bad(f"flag-{bit}", "patched, or encrypted in another way", npz(("w", w), flags=1 << bit),
                "unsupported", "encrypted or patched")
    zip_bad("own-signature", "", put(narrow, 0, "504b0305"), "malformed", "another header")
    zip_bad("own-method", "", put(narrow, 8, "0800"), "malformed", "another header")
    zip_bad("own-name-longer", "its beginning is the directory's name",
            Zip().add("w.npy", w, own_name=b"w.npyx").end(), "malformed", "another header")
    zip_bad("near-end", "a member that begins in the last bytes before the directory",
            Zip().add("w.npy", w).add("s.npy", s, offset=len(w) + 25).end(), "malformed", "begins behind")
    zip_bad("own-extra", "extra fields that reach behind the members", put(narrow, 28, "ffff"),
            "malformed", "ends behind")
    zip_bad("stored-long", "a member that reaches into the directory",
            put(put(narrow, row + 20, "ff00"), row + 24, "ff00"), "malformed", "ends behind")

    wide = Zip(wide=True).add("w.npy", w).end()
    row = wide.index(b"PK\1\2") - len(wide)
    # The end record has 22 bytes, the locator before it 20, and the zip64 end record before that 56.
    locator, end = -42, -98

    def wide_bad(id_, comment, at, hexed_, says, expect="malformed"):
        zip_bad("wide-" + id_, comment, put(wide, at, hexed_), expect, says)
    wide_bad("locator-disk", "", locator + 4, "01", "disk")
    wide_bad("locator-disks", "", locator + 16, "02", "number of disks")
    wide_bad("locator-offset", "", locator + 8, "00", "before its locator")
    wide_bad("signature", "", end, "504b0607", "signature")
    wide_bad("length", "", end + 4, "2d", "length")
    wide_bad("disk", "", end + 16, "01", "disk")
    wide_bad("directory-disk", "", end + 20, "01", "disk")
    wide_bad("here", "members on another disk", end + 24, "02", "different things")
    wide_bad("narrow-count", "", -14, "02000200", "different things")
    wide_bad("narrow-size", "", -10, "01000000", "different things")
    wide_bad("narrow-offset", "", -6, "01000000", "different things")
    wide_bad("directory-far", "a directory behind its end", end + 48, "ff" * 8, "does not end where")
    wide_bad("members", "more members than are read", end + 24, "0100100000000000" * 2, "limits",
             "limit")
    wide_bad("row-short", "a zip64 field without its third value", row + 46 + 5 + 2, "1000", "wants")
    wide_bad("row-far", "a member at 2^64 - 1", row + 46 + 5 + 4 + 16, "ff" * 8, "begins behind")
    zip_bad("wide-alone", "a locator with no room for a record before it",
            b"PK\6\7" + bytes(12) + b"\1\0\0\0" + b"PK\5\6" + bytes(18), "malformed",
            "before its locator")
    zip_bad("other", "a zip of something else", Zip().add("x.txt", b"x").end(), "unsupported", "neither")
    refuse("npy", "a single array", {"w.npy": w}, "unsupported", "savez")


# PyTorch

class Pickle:
    """Opcodes by name; protocol 2 as torch.save writes it."""

    def __init__(self, protocol=2):
        self.out, self.protocol = bytes([0x80, protocol]), protocol

    def raw(self, data):
        self.out += data
        return self

    def text(self, text):
        data = text.encode()
        if self.protocol >= 4:
            return self.raw(b"\x8c" + bytes([len(data)]) + data)
        return self.raw(b"X" + struct.pack("<I", len(data)) + data)

    def int(self, value):
        if 0 <= value < 256:
            return self.raw(b"K" + bytes([value]))
        if 0 <= value < 65536:
            return self.raw(b"M" + struct.pack("<H", value))
        if -(1 << 31) <= value < 1 << 31:
            return self.raw(b"J" + struct.pack("<i", value))
        data = value.to_bytes(9, "little", signed=True)
        return self.raw(b"\x8a" + bytes([9]) + data) if value >= 1 << 63 else self.raw(
            b"\x8a" + bytes([8]) + data[:8])

    def name(self, module, name):
        if self.protocol >= 4:
            return self.text(module).text(name).raw(b"\x93")
        return self.raw(b"c" + f"{module}\n{name}\n".encode())

    def counts(self, values):
        self.raw(b"(")
        for value in values:
            self.int(value)
        return self.raw(b"t")

    def storage(self, key, type_, count, device="cpu"):
        self.raw(b"(").text("storage").name("torch", type_).text(key).text(device).int(count)
        return self.raw(b"tQ")

    def tensor(self, key, type_, count, shape, strides, offset=0):
        self.name("torch._utils", "_rebuild_tensor_v2").raw(b"(").storage(key, type_, count)
        self.int(offset).counts(shape).counts(strides).raw(b"\x89")
        return self.name("collections", "OrderedDict").raw(b")RtR")

    def end(self):
        return self.out + b"."


def torch(pickle, storages, root="archive", byteorder=None, pad=True, **options):
    zip_ = Zip().add(f"{root}/data.pkl", pickle, **options)
    if byteorder is not None:
        zip_.add(f"{root}/byteorder", byteorder)
    for key, data in storages.items():
        used = len(zip_.data) + 30 + len(f"{root}/data/{key}") + 4
        zip_.add(f"{root}/data/{key}", data, pad=-used % 64 if pad else 0)
    return zip_.add(f"{root}/version", b"3\n").end()


def state(items, protocol=2):
    """A pickle of a dict: (key, function that puts down the value)."""
    pickle = Pickle(protocol).raw(b"}(")
    for key, put in items:
        pickle.text(key)
        put(pickle)
    return pickle.raw(b"u").end()


def torch_cases():
    store = {"0": F32}

    def w(p):
        p.tensor("0", "FloatStorage", 6, [2, 3], [3, 1])
    good = [tensor("w", "F32", [2, 3], F32)]

    def ok(id_, comment, pickle, tensors=good, storages=store, restores=True, **options):
        accept("torch-" + id_, comment, {"m.pt": torch(pickle, storages, **options)}, tensors,
               restores=restores)

    def bad(id_, comment, pickle, expect, says, storages=store, **options):
        refuse("torch-" + id_, comment, {"m.pt": torch(pickle, storages, **options)}, expect, says)

    ok("plain", "a dict with one tensor", state([("w", w)]))
    ok("ordered", "a state dict with its module versions",
       Pickle().name("collections", "OrderedDict").raw(b")R(").text("w")
       .tensor("0", "FloatStorage", 6, [2, 3], [3, 1]).raw(b"u}").text("_metadata")
       .name("collections", "OrderedDict").raw(b")Rsb").end())
    ok("protocol-4", "another protocol of Python's", state([("w", w)], protocol=4))
    ok("frame", "a frame and a memo",
       Pickle(4).raw(b"\x95" + bytes(8)).raw(b"}\x94(").text("w").raw(b"\x94")
       .tensor("0", "FloatStorage", 6, [2, 3], [3, 1]).raw(b"u").end())
    ok("byteorder", "it says that it is little-endian", state([("w", w)]), byteorder=b"little")
    ok("bare", "a tensor alone", Pickle().tensor("0", "FloatStorage", 6, [6], [1]).end(),
       [tensor("tensor", "F32", [6], F32)])
    ok("parameter", "a parameter is its tensor",
       state([("w", lambda p: p.name("torch._utils", "_rebuild_parameter").raw(b"(")
               .tensor("0", "FloatStorage", 6, [2, 3], [3, 1]).raw(b"\x88")
               .name("collections", "OrderedDict").raw(b")RtR"))]))
    ok("values", "numbers, texts, a device, a size, a counter",
       state([("w", w), ("n", lambda p: p.raw(b"N")), ("lr", lambda p: p.raw(b"G" + bytes(8))),
              ("s", lambda p: p.text("x")), ("big", lambda p: p.int(1 << 70)),
              ("d", lambda p: p.name("torch", "device").text("cuda:0").raw(b"\x85R")),
              ("t", lambda p: p.name("torch", "float16")),
              ("z", lambda p: p.name("torch", "Size").counts([1, 2]).raw(b"\x85R")),
              ("c", lambda p: p.name("collections", "Counter").raw(b"}\x85R"))]))
    ok("nested", "lists and integer keys become parts of the name",
       Pickle().raw(b"}(").text("l").raw(b"]").tensor("0", "FloatStorage", 6, [1], [1], 4).raw(b"a")
       .int(7).raw(b"}").text("x").tensor("0", "FloatStorage", 6, [1], [1], 5).raw(b"s")
       .raw(b"u").end(),
       [tensor("7/x", "F32", [1], F32[20:]), tensor("l/0", "F32", [1], F32[16:20])])
    ok("training", "a model beside its optimiser",
       state([("net", lambda p: p.raw(b"}").text("w")
               .tensor("0", "FloatStorage", 6, [4], [1]).raw(b"s")),
              ("optimizer", lambda p: p.raw(b"}").text("m")
               .tensor("0", "FloatStorage", 6, [1], [1], 4).raw(b"s")),
              ("ema", lambda p: p.tensor("0", "FloatStorage", 6, [1], [1], 5))]),
       [tensor("w", "F32", [4], F32[:16]), tensor("m", "F32", [1], F32[16:20], "optimizer"),
        tensor("ema", "F32", [1], F32[20:], "counter")])
    ok("slice", "a view of a part of its storage",
       state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [2], [1], 3))]),
       [tensor("w", "F32", [2], F32[12:20])])
    ok("transposed", "a view in another order",
       state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [3, 2], [1, 3]))]),
       [tensor("w", "F32", [3, 2], struct.pack("<6f", 0, 3, 1, 4, 2, 5))])
    ok("expanded", "a view that repeats an element",
       state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [3], [0], 1))]),
       [tensor("w", "F32", [3], F32[4:8] * 3)])
    ok("tied", "two names for one storage",
       state([("a", w), ("b", w)]),
       [tensor("a", "F32", [2, 3], F32), tensor("b", "F32", [2, 3], F32)])
    ok("types", "every storage type",
       state([(n, lambda p, k=k, n=n, c=c: p.tensor(k, n, c, [c], [1])) for k, n, c in [
           ("0", "FloatStorage", 6), ("1", "DoubleStorage", 1), ("2", "HalfStorage", 1),
           ("3", "BFloat16Storage", 1), ("4", "LongStorage", 1), ("5", "IntStorage", 1),
           ("6", "ShortStorage", 1), ("7", "CharStorage", 1), ("8", "ByteStorage", 1),
           ("9", "BoolStorage", 1)]]),
       [tensor("BFloat16Storage", "BF16", [1], b"\3\3"), tensor("BoolStorage", "BOOL", [1], b"\1"),
        tensor("ByteStorage", "U8", [1], b"\x08"), tensor("CharStorage", "I8", [1], b"\7"),
        tensor("DoubleStorage", "F64", [1], bytes(8)), tensor("FloatStorage", "F32", [6], F32),
        tensor("HalfStorage", "F16", [1], b"\2\2"), tensor("IntStorage", "I32", [1], b"\5" * 4),
        tensor("LongStorage", "I64", [1], b"\4" * 8), tensor("ShortStorage", "I16", [1], b"\6\6")],
       {"0": F32, "1": bytes(8), "2": b"\2\2", "3": b"\3\3", "4": b"\4" * 8, "5": b"\5" * 4,
        "6": b"\6\6", "7": b"\7", "8": b"\x08", "9": b"\1"})
    ok("empty", "a tensor without elements",
       state([("w", lambda p: p.tensor("0", "FloatStorage", 0, [0, 3], [3, 1]))]),
       [tensor("w", "F32", [0, 3], b"")], {"0": b""})

    bad("system", "a command", Pickle().name("posix", "system").text("true").raw(b"\x85R").end(),
        "unsupported", "posix.system")
    bad("stack-global", "a name out of texts", Pickle(4).name("builtins", "eval").end(), "unsupported",
        "builtins.eval")
    bad("unused-global", "a name that is only named",
        Pickle().name("os", "system").raw(b"0}").end(), "unsupported", "os.system")
    bad("numpy", "an array inside of a pickle",
        Pickle().name("numpy.core.multiarray", "scalar").end(), "unsupported", "numpy.core")
    for opcode, what in [(b"i", "inst"), (b"o", "obj"), (b"\x81", "newobj"), (b"\x92", "newobj-ex"),
                         (b"\x82", "ext"), (b"P", "persid"), (b"S", "string"), (b"B", "bytes"),
                         (b"\x8f", "set"), (b"2", "dup"), (b"0", "pop"), (b"\x8b", "long4")]:
        bad("opcode-" + what, "an opcode that plain tensors do not need",
            Pickle().raw(b"}" + opcode + b"\0" * 9).end(), "unsupported", f"0x{opcode[0]:02x}")
    bad("protocol", "protocol 1", b"\x80\1}.", "unsupported", "protocol")
    bad("big-endian", "", state([("w", w)]), "unsupported", "little-endian", byteorder=b"big")
    bad("complex", "a storage type that is not known",
        state([("w", lambda p: p.tensor("0", "ComplexFloatStorage", 3, [3], [1]))]), "unsupported",
        "torch.ComplexFloatStorage")
    bad("underflow", "an empty stack", Pickle().raw(b"\x86").end(), "malformed", "more values")
    bad("mark", "no mark", Pickle().raw(b"t").end(), "malformed", "more values")
    bad("under-mark", "a value from below a mark", Pickle().raw(b"N(\x85").end(), "malformed",
        "more values")
    bad("memo", "", Pickle().raw(b"h\1").end(), "malformed", "never kept")
    bad("two-values", "", Pickle().raw(b"}}").end(), "malformed", "one value")
    bad("no-end", "", Pickle().raw(b"}").out, "malformed", "an opcode")
    bad("after-end", "", Pickle().raw(b"}").end() + b"}", "malformed", "after the end")
    bad("call", "a call of what is no function", Pickle().raw(b"})R").end(), "malformed", "no function")
    bad("arguments", "other arguments", Pickle().name("collections", "OrderedDict").raw(b"N\x85R").end(),
        "malformed", "other arguments")
    bad("append", "", Pickle().raw(b"}Na").end(), "malformed", "no list")
    bad("set", "", Pickle().raw(b"]NNs").end(), "malformed", "no dict")
    bad("build", "attributes of a list", Pickle().raw(b"]}b").end(), "malformed", "attributes")
    bad("persistent", "a storage described in another way", Pickle().raw(b")Q").end(), "malformed",
        "described")
    bad("storage-alone", "", Pickle().storage("0", "FloatStorage", 6).end(), "unsupported",
        "without its tensor")
    bad("storage-type", "a type of storages where a tensor belongs",
        state([("w", lambda p: p.name("torch", "FloatStorage"))]), "unsupported", "without its tensor")
    bad("deep-33", "33 lists in each other", Pickle().raw(b"]" * 34 + b"a" * 33).end(), "limit", "nest")
    ok("deep-32", "as deep as is read", Pickle().raw(b"]" * 33 + b"a" * 32).end(), [])
    bad("utf8", "", Pickle().raw(b"X\1\0\0\0\xff").end(), "malformed", "UTF-8")
    bad("key", "a tensor under a key without a name",
        Pickle().raw(b"}\x88").tensor("0", "FloatStorage", 6, [6], [1]).raw(b"s").end(), "unsupported",
        "under a key")
    bad("long-key", "", state([("k" * 600, w)]), "limit", "512")
    bad("no-storage", "", state([("w", lambda p: p.tensor("5", "FloatStorage", 6, [6], [1]))]),
        "malformed", "not there")
    bad("short-storage", "", state([("w", lambda p: p.tensor("0", "FloatStorage", 7, [6], [1]))]),
        "malformed", "shorter")
    bad("reach", "a view that ends behind its storage",
        state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [6], [1], 1))]), "malformed", "reaches")
    bad("reach-stride", "", state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [3], [3]))]),
        "malformed", "reaches")
    bad("reach-overflow", "strides whose product overflows",
        state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [1 << 40, 1 << 40], [1 << 40, 1 << 40]))]),
        "malformed", "reaches")
    bad("reach-offset", "an empty view that begins behind its storage",
        state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [0], [1], 7))]), "malformed", "reaches")
    bad("reach-offset-huge", "its first byte has no number",
        state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [0], [1], 1 << 62))]), "malformed",
        "reaches")
    bad("negative", "a negative stride",
        state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [2], [-1], 2))]), "malformed",
        "other arguments")
    bad("expanded-huge", "a view of one element that claims a terabyte",
        state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [1 << 38], [0]))]), "limit",
        "contiguous")
    views = Pickle().raw(b"(").tensor("0", "ByteStorage", 1, [4096], [0]).raw(b"q\0")
    for level in range(1, 5):
        views.raw(b"](" + (b"h" + bytes([level - 1])) * 16 + b"eq" + bytes([level]))
    bad("repeated", "one view by 70,000 names, far more bytes than the file", views.raw(b"t").end(),
        "limit", "times the bytes", {"0": b"1"})
    bad("same-name", "two ways to one name",
        state([("a/b", w), ("a", lambda p: p.raw(b"}").text("b")
                            .tensor("0", "FloatStorage", 6, [6], [1]).raw(b"s"))]),
        "malformed", "two tensors")
    bad("cycle", "a dict that holds itself", Pickle().raw(b"}q\0").text("x").raw(b"h\0s").end(), "limit",
        "cycles")
    bad("deep", "a thousand lists in each other", Pickle().raw(b"]" * 1000 + b"a" * 999).end(), "limit",
        "nest")
    laughs = Pickle().raw(b"(]q\0")
    for level in range(1, 25):
        laughs.raw(b"](" + (b"h" + bytes([level - 1])) * 2 + b"eq" + bytes([level]))
    bad("laughs", "each list holds the one before twice", laughs.raw(b"t").end(), "limit", "too often")
    bad("crc", "the pickle changed", state([("w", w)]), "damaged", "checksum", crc=5)
    refuse("torch-storage-crc", "a storage changed",
           {"m.pt": Zip().add("a/data.pkl", state([("w", w)])).add("a/data/0", F32, crc=5).end()},
           "damaged", "checksum")
    refuse("torch-deflated", "a compressed storage",
           {"m.pt": Zip().add("a/data.pkl", state([("w", w)])).add("a/data/0", F32, method=8).end()},
           "malformed", "not there")
    refuse("torch-deflated-pickle", "a compressed pickle",
           {"m.pt": Zip().add("a/data.pkl", state([]), method=8).end()}, "malformed", "no single")
    refuse("torch-two", "two pickles",
           {"m.pt": Zip().add("a/data.pkl", state([])).add("b/data.pkl", state([])).end()},
           "malformed", "no single")
    refuse("torch-legacy", "a file of PyTorch before 1.6",
           {"m.pt": bytes.fromhex("80028a0a6cfc9c46f9206aa850192e") + state([])}, "unsupported",
           "before 1.6")


def folder_cases():
    model = safetensors({"w": row("U8", [2], 0, 2)}, b"12")
    optimizer = torch(
        state([("state", lambda p: p.raw(b"}").int(0).raw(b"}").text("m")
                .tensor("0", "FloatStorage", 6, [6], [1]).raw(b"ss")),
               ("param_groups", lambda p: p.raw(b"]"))]), {"0": F32})
    files = {"model.safetensors": model, "optimizer.pt": optimizer, "config.json": b"{}\n",
             "training_args.bin": Pickle().name("os", "system").end(), "empty.txt": b""}
    tensors = [tensor("w", "U8", [2], b"12"), tensor("state/0/m", "F32", [6], F32, "optimizer")]
    accept("folder", "a checkpoint of a Trainer: what cannot be read is kept as bytes", files, tensors,
           open_="")
    shards = {"model.safetensors.index.json": b'{"weight_map":{"w":"model-1.safetensors"}}',
              "model-1.safetensors": model, "config.json": b"{}"}
    accept("folder-shards", "a sharded model", shards, tensors[:1], open_="")
    accept("folder-bin", "a model as PyTorch writes it",
           {"pytorch_model.bin": torch(
               state([("w", lambda p: p.tensor("0", "FloatStorage", 6, [6], [1]))]), {"0": F32})},
           [tensor("w", "F32", [6], F32)], open_="")
    refuse("folder-empty", "no model", {"config.json": b"{}"}, "missing", "no model", open_="")
    refuse("folder-optimizer", "an optimiser that runs a command",
           files | {"optimizer.pt": torch(Pickle().name("os", "system").end(), {})}, "unsupported",
           "os.system", open_="")


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "testvectors/conversion")
    folder.mkdir(parents=True, exist_ok=True)
    for make in [safetensors_cases, shard_cases, numpy_cases, torch_cases, folder_cases]:
        make()
    ids = [case["id"] for case in CASES]
    assert len(ids) == len(set(ids)), "an id stands twice"
    lines = ",\n".join(json.dumps(case) for case in CASES)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
