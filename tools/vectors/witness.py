#!/usr/bin/env python3
"""Writes testvectors/ledger/{cosignature,policy,witness}.json from spec/witness.md: one fault a case.

Shares nothing with the Swift code. Needs the `cryptography` package for Ed25519. Run from the root
of the repository; running it again gives the same bytes. `--spec` prints the worked bytes of
spec/witness.md instead.
"""

import json
import struct
import sys

from ledger import (
    LOG, ORIGIN, OTHER_LOG, OUT, b64, canonical, case, commitment, envelope, head_text, key_from, key_id, leaf,
    mth, note, raw, sha, sig_line, vkey, write)

NORTH, SOUTH, EAST, STRANGER = (key_from(number) for number in (0x11, 0x12, 0x13, 0x14))
NAMES = {id(NORTH): "witness.example/north", id(SOUTH): "witness.example/south",
         id(EAST): "witness.example/east", id(STRANGER): "witness.example/stranger"}
TIME = 1_700_000_000


def message(text, time):
    return b"cosignature/v1\ntime %d\n" % time + text


def cosign(text, key, time=TIME, name=None, kind=4, signed=None):
    name = NAMES[id(key)] if name is None else name
    signature = key.sign(message(text, time) if signed is None else signed)
    return "\u2014 %s %s\n" % (
        name, b64(key_id(name, key, kind) + struct.pack(">Q", time) + signature))


def witness_line(key, time=TIME, data=None):
    """A line with chosen bytes after the key ID."""
    return "\u2014 %s %s\n" % (NAMES[id(key)], b64(key_id(NAMES[id(key)], key, 4) + data))


def cosignatures():
    text = head_text(ORIGIN, 1, mth([b"one"])).encode()
    more = head_text(ORIGIN, 1, mth([b"one"]), "an extension line\n").encode()
    own = sig_line(text, LOG)
    good = cosign(text, NORTH)
    signature = NORTH.sign(message(text, TIME))
    altered = bytearray(signature)
    altered[3] ^= 1

    def under(*lines, over=text):
        return note(over, sig_line(over, LOG), *lines)

    def times(*found):
        return dict(times=[str(t) for t in found])

    bad, missing = "badSignature", "quorumMissing"
    write("cosignature.json", "each note is judged by a policy that asks for `vkey`'s cosignature;"
          " `times` are the seconds it states", [
        case("a-cosignature", under(good), "valid", **times(TIME)),
        case("before-the-log's-line", note(text, good, own), "valid", **times(TIME)),
        case("an-extension-line-is-covered", under(cosign(more, NORTH), over=more), "valid",
             **times(TIME)),
        case("the-last-time", under(cosign(text, NORTH, 2**63 - 1)), "valid",
             **times(2**63 - 1)),
        case("the-first-time", under(cosign(text, NORTH, 1)), "valid", **times(1)),
        case("two-times-of-one-witness", under(cosign(text, NORTH, TIME + 5), good), "valid",
             **times(TIME)),
        case("two-times-the-earlier-first", under(good, cosign(text, NORTH, TIME + 5)), "valid",
             **times(TIME)),
        case("beside-strangers", under(cosign(text, STRANGER), good, cosign(text, SOUTH)), "valid",
             **times(TIME)),
        case("a-broken-line-of-a-stranger", under(witness_line(STRANGER, data=bytes(9)), good), "valid",
             **times(TIME)),
        case("none", under(), missing),
        case("only-a-stranger", under(cosign(text, STRANGER)), missing),
        case("another's-key-under-the-name", under(
            cosign(text, STRANGER, name=NAMES[id(NORTH)])), missing),
        case("the-key-under-another-name", under(
            cosign(text, NORTH, name="witness.example/x")), missing),
        case("the-key-as-a-log's", under(sig_line(text, NORTH, NAMES[id(NORTH)])), missing),
        case("time-zero", under(cosign(text, NORTH, 0)), bad),
        case("time-above-the-limit", under(cosign(text, NORTH, 2**63)), bad),
        case("time-of-64-bits", under(cosign(text, NORTH, 2**64 - 1)), bad),
        case("time-altered", under(witness_line(
            NORTH, data=struct.pack(">Q", TIME + 1) + signature)), bad),
        case("time-little-endian", under(witness_line(
            NORTH, data=struct.pack("<Q", TIME) + signature)), bad),
        case("no-time", under(witness_line(NORTH, data=signature)), bad),
        case("signature-altered", under(witness_line(
            NORTH, data=struct.pack(">Q", TIME) + bytes(altered))), bad),
        case("signature-cut-short", under(witness_line(
            NORTH, data=struct.pack(">Q", TIME) + signature[:63])), bad),
        case("signature-too-long", under(witness_line(
            NORTH, data=struct.pack(">Q", TIME) + signature + b"\0")), bad),
        case("over-the-text-alone", under(cosign(text, NORTH, signed=text)), bad),
        case("over-the-text-without-its-newline", under(
            cosign(text, NORTH, signed=message(text[:-1], TIME))), bad),
        case("over-the-signatures-too", under(
            cosign(text, NORTH, signed=message(note(text), TIME))), bad),
        case("over-another-text", under(cosign(more, NORTH)), bad),
        case("without-the-extension-line", under(cosign(text, NORTH), over=more), bad),
        case("time-with-a-leading-zero", under(cosign(
            text, NORTH, signed=b"cosignature/v1\ntime 0%d\n" % TIME + text)), bad),
        case("version-two", under(cosign(
            text, NORTH, signed=b"cosignature/v2\ntime %d\n" % TIME + text)), bad),
        case("one-good-one-bad", under(good, cosign(more, NORTH)), bad),
        case("log's-line-missing", note(text, good), "unsigned"),
        case("log's-line-is-a-cosignature", note(
            text, "\u2014 %s %s\n" % (ORIGIN, b64(
                key_id(ORIGIN, LOG) + struct.pack(">Q", TIME) + LOG.sign(message(text, TIME)))), good),
             bad),
    ], vkey=vkey(NAMES[id(NORTH)], NORTH, 4), logKey=vkey(ORIGIN, LOG))


def log_line(key=LOG, name=ORIGIN, kind=1):
    return "log %s\n" % vkey(name, key, kind)


def witness_definition(name, key, kind=4, more=""):
    return "witness %s %s%s\n" % (name, vkey(NAMES.get(id(key), "witness.example/w"), key, kind), more)


def policies():
    text = head_text(ORIGIN, 1, mth([b"one"])).encode()
    lines = {"north": cosign(text, NORTH), "south": cosign(text, SOUTH), "east": cosign(text, EAST)}
    n, s, e = (witness_definition(*pair) for pair in (
        ("north", NORTH), ("south", SOUTH), ("east", EAST)))
    three = log_line() + n + s + e
    bad, missing = "badPolicy", "quorumMissing"

    def judged(name, policy, signers, expect, line=None):
        signed = note(text, sig_line(text, LOG), *(lines[x] for x in signers))
        more = {} if line is None else dict(line=str(line))
        return case(name, policy, expect, note=signed.hex(), signers=sorted(signers), **more)

    def refused(name, policy, line):
        return judged(name, policy, ["north", "south", "east"], bad, line)

    two = "group two 2 north south east\nquorum two\n"
    nested = ("group pair all north south\ngroup either any pair east\nquorum either\n")
    many = "".join(witness_definition("w%d" % i, key_from(100 + i)) for i in range(49))
    cases = [
        judged("quorum-none", log_line() + "quorum none\n", [], "valid"),
        judged("no-log-is-listed", n + "quorum north\n", ["north"], "valid"),
        judged("one-witness", log_line() + n + "quorum north\n", ["north"], "valid"),
        judged("two-of-three", three + two, ["north", "east"], "valid"),
        judged("all-of-three", three + "group g all north south east\nquorum g\n",
               ["north", "south", "east"], "valid"),
        judged("any-of-three", three + "group g any north south east\nquorum g\n", ["south"],
               "valid"),
        judged("nested-by-the-pair", three + nested, ["north", "south"], "valid"),
        judged("nested-by-the-other", three + nested, ["east"], "valid"),
        judged("white-space-and-comments",
               "# a comment\n\n \t \n\t log\t\t%s \n  # another\n%s\tquorum  north \t\n" % (
                   vkey(ORIGIN, LOG), n), ["north"], "valid"),
        judged("urls", log_line()[:-1] + " https://example.org/log\n" + n[:-1]
               + " https://witness.example/north\nquorum north\n", ["north"], "valid"),
        judged("quorum-before-other-lines", n + "quorum north\n" + log_line() + s, ["north"],
               "valid"),
        judged("names-that-are-keywords", log_line() + n.replace("north", "all", 1)
               + s.replace("south", "quorum", 1) + "group any 2 all quorum\nquorum any\n",
               ["north", "south"], "valid"),
        judged("name-of-opaque-octets", log_line().encode() + n.encode().replace(b"north", b"\xff\xfe", 1)
               + b"quorum \xff\xfe\n", ["north"], "valid"),
        judged("names-that-only-look-alike",
               three.replace("witness north", "witness K").replace("witness south", "witness \u212a")
               + "group g all K \u212a\nquorum g\n", ["north", "south"], "valid"),
        judged("two-keys-of-one-origin", log_line() + log_line(OTHER_LOG) + "quorum none\n", [],
               "valid"),
        judged("48-witnesses", log_line() + "".join(many.splitlines(True)[:48]) + "quorum none\n", [],
               "valid"),
        judged("one-of-two-asked", three + two, ["south"], missing),
        judged("nobody-of-one-asked", log_line() + n + "quorum north\n", [], missing),
        judged("another-than-asked", three + "quorum north\n", ["south", "east"], missing),
        judged("two-of-all-three", three + "group g all north south east\nquorum g\n",
               ["north", "south"], missing),
        judged("nobody-of-any", three + "group g any north south\nquorum g\n", ["east"], missing),
        judged("half-of-the-pair", three + nested, ["south"], missing),
        judged("another-log", log_line(OTHER_LOG, "example.org/other") + "quorum none\n", [],
               "notInPolicy"),
        judged("another-key-of-the-origin", log_line(OTHER_LOG) + "quorum none\n", [],
               "notInPolicy"),
        judged("empty", "", [], bad),
        judged("no-quorum", three, [], bad),
        refused("two-quorums", three + "quorum north\nquorum north\n", 6),
        refused("quorum-none-and-another", three + "quorum none\nquorum north\n", 6),
        refused("quorum-undefined", three + "quorum west\n", 5),
        refused("quorum-defined-later", log_line() + "quorum north\n" + n, 2),
        refused("quorum-of-two-names", three + "quorum north south\n", 5),
        refused("quorum-without-a-name", three + "quorum\n", 5),
        refused("unknown-line", three + "witnesses 2\nquorum north\n", 5),
        refused("keyword-in-upper-case", three + "Quorum north\n", 5),
        refused("no-newline-at-the-end", three + "quorum north", 5),
        refused("carriage-return", three + "quorum north\r\n", 5),
        refused("zero-byte", three + "quorum north\0\n", 5),
        refused("delete-character", "# \x7f\n" + three + "quorum north\n", 1),
        refused("log-without-key", "log\n" + n + "quorum north\n", 1),
        refused("log-of-four-items", log_line()[:-1] + " https://a b\nquorum none\n", 1),
        refused("log-key-malformed", "log x\n" + n + "quorum north\n", 1),
        refused("log-key-not-utf8", b"log \xff" + log_line().encode()[4:] + b"quorum none\n", 1),
        refused("log-key-of-a-cosigner", log_line(LOG, ORIGIN, 4) + "quorum none\n", 1),
        refused("log-twice", log_line() + log_line() + "quorum none\n", 2),
        refused("log's-public-key-under-two-names", log_line() + log_line(
            LOG, "example.org/other") + "quorum none\n", 2),
        refused("witness-without-key", three + "witness west\nquorum north\n", 5),
        refused("witness-of-five-items", three + witness_definition(
            "west", STRANGER, 4, " https://a b") + "quorum north\n", 5),
        refused("witness-key-of-a-log", log_line() + witness_definition("north", NORTH, 1)
                + "quorum north\n", 2),
        refused("witness-key-of-type-6", log_line() + witness_definition("north", NORTH, 6)
                + "quorum north\n", 2),
        refused("witness's-public-key-under-two-names", log_line() + n + "witness north2 %s\n" % vkey(
            "witness.example/2", NORTH, 4) + "quorum north\n", 3),
        refused("witness-with-the-log's-key", log_line() + witness_definition("north", LOG)
                + "quorum north\n", 2),
        refused("log-with-a-witness's-key", n + log_line(NORTH) + "quorum north\n", 2),
        refused("witness-name-twice", log_line() + n + s.replace("south", "north", 1)
                + "quorum north\n", 3),
        refused("witness-named-none", log_line() + n.replace("north", "none", 1) + "quorum none\n",
                2),
        refused("group-named-none", three + "group none any north\nquorum none\n", 5),
        refused("group-named-as-a-witness", three + "group north any south\nquorum north\n", 5),
        refused("group-named-twice", three + "group g any north\ngroup g any south\nquorum g\n", 6),
        refused("group-without-members", three + "group g all\nquorum g\n", 5),
        refused("group-of-none", three + "group g any none\nquorum g\n", 5),
        refused("group-of-itself", three + "group g any g\nquorum g\n", 5),
        refused("group-of-an-undefined-name", three + "group g any west\nquorum g\n", 5),
        refused("group-of-a-later-group", three
                + "group g any h\ngroup h any north\nquorum g\n", 5),
        refused("member-twice-in-one-group", three + "group g 2 north north\nquorum g\n", 5),
        refused("member-of-two-groups", three
                + "group g any north\ngroup h any north\nquorum g\n", 6),
        refused("group-member-of-two-groups", three + "group g any north\ngroup h any g\n"
                "group i any g\nquorum h\n", 7),
        refused("threshold-zero", three + "group g 0 north\nquorum g\n", 5),
        refused("threshold-above-the-members", three + "group g 3 north south\nquorum g\n", 5),
        refused("threshold-leading-zero", three + "group g 02 north south\nquorum g\n", 5),
        refused("threshold-signed", three + "group g +1 north south\nquorum g\n", 5),
        refused("threshold-of-65-bits", three + "group g 18446744073709551617 north\nquorum g\n", 5),
        refused("threshold-a-word", three + "group g most north\nquorum g\n", 5),
        refused("49-witnesses", log_line() + many + "quorum none\n", 50),
        refused("65-logs", "".join(log_line(key_from(i), "l%d" % i) for i in range(65))
                + "quorum none\n", 65),
        refused("65-groups", three + "group g0 any north\n" + "".join(
            "group g%d any g%d\n" % (i, i - 1) for i in range(1, 65)) + "quorum g64\n", 69),
        judged("too-long", three + "#" + "x" * 262_144 + "\nquorum north\n", ["north"], bad),
    ]
    # A megabyte of comment in hexadecimal would be no use in a repository.
    cases = [dict(c, bytes="", repeat=str(262_144), prefix=(three + "#").encode().hex(),
                  suffix=b"\nquorum north\n".hex()) if c["id"] == "too-long" else c for c in cases]
    write("policy.json", "bytes: a policy file, by which `note` is judged; `signers` cosigned it; `line` is the one"
          " that the error names", cases, logKey=vkey(ORIGIN, LOG))


def proof(old, leaves):
    """RFC 6962, section 2.1.2."""
    def sub(m, part, whole):
        if m == len(part):
            return [] if whole else [mth(part)]
        k = 1
        while k * 2 < len(part):
            k *= 2
        if m <= k:
            return sub(m, part[:k], whole) + [mth(part[k:])]
        return sub(m - k, part[k:], False) + [mth(part[:k])]
    return sub(old, leaves, True) if 0 < old <= len(leaves) else []


def request(old, leaves, hashes=None, head=None, first=None):
    hashes = proof(old, leaves) if hashes is None else hashes
    text = head_text(ORIGIN, len(leaves), mth(leaves))
    return ((first or "old %s" % old) + "\n" + "".join(b64(h) + "\n" for h in hashes) + "\n").encode() + (
        note(text) if head is None else head)


def worked_entry():
    return canonical(envelope(canonical(commitment())))


def witness():
    """Each case is one request to the witness `north` at time `time`, after the requests in `before`,
    which it answers with 200."""
    leaves = [b"entry %d" % i for i in range(9)]
    other = [b"another %d" % i for i in range(9)]
    size_type, text_type = "text/x.tlog.size", "text/plain; charset=utf-8"

    def one(name, body, status, before=(), answer=None, evidence=None, time=TIME, first=TIME):
        value = dict(id=name, before=[b.hex() for b in before], bytes=body.hex(), expect=str(status),
                     time=str(time), beforeTime=str(first), contentType=text_type)
        if status == 409:
            value.update(contentType=size_type, answer=("%d\n" % answer).encode().hex())
        if status == 200:
            text = body[body.index(b"\n\n") + 2:].split(b"\n\n\xe2")[0] + b"\n"
            value["answer"] = cosign(text, NORTH, time).encode().hex()
        if evidence:
            value["evidence"] = evidence
        return value

    def head(size, part=None, root=None, origin=ORIGIN, key=LOG, extra=""):
        part = leaves[:size] if part is None else part
        text = head_text(origin, size, mth(part) if root is None else root, extra)
        return note(text, sig_line(text.encode(), key, origin))

    three, five = [request(0, leaves[:3])], [request(0, leaves[:5])]
    text = head_text(ORIGIN, 5, mth(leaves[:5])).encode()
    own = sig_line(text, LOG)
    bad_own = sig_line(b"other text\n", LOG)
    hashes = proof(3, leaves[:5])
    empty = request(0, [], head=head(0))
    cases = [
        one("first-head", request(0, [worked_entry()]), 200),
        one("first-head-of-nothing", empty, 200),
        one("from-nothing-on", request(0, leaves[:3]), 200, [empty]),
        one("nothing-again", empty, 200, [empty]),
        one("three-to-five", request(3, leaves[:5]), 200, three),
        one("four-to-eight", request(4, leaves[:8]), 200, [request(0, leaves[:4])]),
        one("the-same-head-again", request(5, leaves[:5]), 200, five),
        one("the-same-head-later", request(5, leaves[:5]), 200, five, time=TIME + 60),
        one("extension-lines", request(3, leaves[:5], head=head(5, extra="more\n")), 200, three),
        one("strangers'-lines", request(0, leaves[:5], head=note(
            text, cosign(text, STRANGER), own, sig_line(text, OTHER_LOG))), 200),
        one("its-own-cosignature-beside", request(0, leaves[:5], head=note(
            text, own, cosign(text, NORTH, 5))), 200),
        one("empty", b"", 400),
        one("no-old-line", request(0, leaves[:5])[6:], 400),
        one("old-leading-zero", request(0, leaves[:5], first="old 00"), 400),
        one("old-signed", request(0, leaves[:5], first="old +0"), 400),
        one("old-without-a-size", request(0, leaves[:5], first="old "), 400),
        one("old-of-65-bits", request(0, leaves[:5], first="old 18446744073709551616"), 400),
        one("old-in-upper-case", request(0, leaves[:5], first="OLD 0"), 400),
        one("two-spaces", request(0, leaves[:5], first="old  0"), 400),
        one("no-empty-line", request(0, leaves[:5]).replace(b"\n\n", b"\n"), 400),
        one("carriage-returns", request(0, leaves[:5]).replace(b"\n", b"\r\n"), 400),
        one("hash-cut-short", request(3, leaves[:5], [h[:31] for h in hashes]), 400, three),
        one("hash-unpadded", request(3, leaves[:5]).replace(b"=\n", b"\n", 1), 400, three),
        one("64-hashes", request(3, leaves[:5], hashes * 16), 400, three),
        one("no-note", b"old 0\n\n", 400),
        one("note-without-signature", request(0, leaves[:5], head=text + b"\n"), 400),
        one("not-a-tree-head", request(0, [], head=note(ORIGIN + "\n5\n")), 400),
        one("size-leading-zero", request(0, [], head=note(
            head_text(ORIGIN, "05", mth(leaves[:5])))), 400),
        one("old-above-the-size", request(5, leaves[:3], []), 400),
        one("old-above-the-size-after-a-larger", request(5, leaves[:3], []), 400, five,
            evidence="rolledBack"),
        one("another-origin", request(0, [], head=head(5, origin="example.org/other")), 404),
        one("another-origin-that-is-not-a-head", request(0, [], head=note("x\n")), 404),
        one("signed-by-a-stranger", request(0, [], head=head(5, key=OTHER_LOG)), 403),
        one("signature-of-another-text", request(0, [], head=note(text, bad_own)), 403),
        one("one-good-one-bad", request(0, [], head=note(text, own, bad_own)), 403),
        one("only-a-cosignature", request(0, [], head=note(text, cosign(text, NORTH))), 403),
        one("bad-signature-and-not-a-head", request(0, [], head=note(
            ORIGIN + "\n5\n", bad_own)), 403),
        one("old-too-small", request(0, leaves[:5]), 409, three, 3),
        one("old-too-large", request(4, leaves[:5]), 409, three, 3),
        one("old-of-a-witness-that-knows-nothing", request(3, leaves[:5]), 409, (), 0),
        one("lost-answer", request(3, leaves[:5]), 409, three + [request(3, leaves[:5])], 5),
        one("smaller-head", request(2, leaves[:3]), 409, five, 5, evidence="rolledBack"),
        one("smaller-head-of-its-own-size", request(3, leaves[:3]), 409, five, 5,
            evidence="rolledBack"),
        one("nothing-after-something", empty, 409, five, 5, evidence="rolledBack"),
        one("other-root-and-old-size", request(3, other[:5]), 409, five, 5, evidence="forked"),
        one("wrong-root-of-nothing-after-something", request(0, [], head=head(0, root=bytes(32))), 409,
            five, 5, evidence="rolledBack"),
        one("wrong-root-of-nothing", request(0, [], head=head(0, root=bytes(32))), 422),
        one("wrong-root-of-nothing-again", request(0, [], head=head(0, root=bytes(32))), 422, [empty],
            evidence="forked"),
        one("proof-from-nothing", request(0, leaves[:5], hashes), 422),
        one("proof-between-equal-sizes", request(5, leaves[:5], hashes), 422, five),
        one("same-size-other-root", request(5, other[:5]), 422, five, evidence="forked"),
        one("same-size-other-root-with-a-proof", request(5, other[:5], hashes), 422, five,
            evidence="forked"),
        one("no-proof", request(3, leaves[:5], []), 422, three, evidence="unproved"),
        one("hash-missing", request(3, leaves[:5], hashes[:-1]), 422, three, evidence="unproved"),
        one("hash-too-many", request(3, leaves[:5], hashes + [hashes[0]]), 422, three,
            evidence="unproved"),
        one("hashes-exchanged", request(3, leaves[:5], hashes[::-1]), 422, three,
            evidence="unproved"),
        one("a-fork", request(3, other[:5]), 422, three, evidence="unproved"),
        one("a-fork-with-the-good-proof", request(3, other[:5], hashes), 422, three,
            evidence="unproved"),
        one("clock-went-back", request(3, leaves[:5]), 503, three, time=TIME - 1),
        one("clock-went-back-same-head", request(3, leaves[:3], []), 503, three, time=TIME - 1),
        one("clock-shows-nothing", request(0, leaves[:5]), 503, time=0),
        one("clock-above-the-limit", request(0, leaves[:5]), 503, time=2**63),
    ]
    assert sum(c["expect"] != "200" for c in cases) > len(cases) / 2
    assert len({c["id"] for c in cases}) == len(cases)
    value = dict(comment=" ".join(witness.__doc__.split()), cases=cases, logKey=vkey(ORIGIN, LOG),
                 seed=(bytes([0x11]) * 32).hex(), name=NAMES[id(NORTH)])
    (OUT / "witness.json").write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def spec():
    """The worked bytes of spec/witness.md."""
    text = head_text(ORIGIN, 1, leaf(worked_entry())).encode()
    for name, key in (("north", NORTH), ("south", SOUTH), ("east", EAST)):
        print("witness %s %s https://%s" % (name, vkey(NAMES[id(key)], key, 4), NAMES[id(key)]))
    print("--- head")
    print(note(text, sig_line(text, LOG), cosign(text, NORTH), cosign(text, SOUTH, TIME + 1)).decode())
    print("--- message", len(message(text, TIME)))
    print(message(text, TIME).decode())
    print("--- id", key_id(NAMES[id(NORTH)], NORTH, 4).hex(), "time", struct.pack(">Q", TIME).hex())
    print("--- signature", NORTH.sign(message(text, TIME)).hex())
    print("--- public", raw(NORTH).hex(), sha(ORIGIN.encode()).hex())
    print("--- request")
    print(request(0, [worked_entry()]).decode())
    print("--- answer")
    print(cosign(text, NORTH))


if __name__ == "__main__":
    if sys.argv[1:] == ["--spec"]:
        spec()
    else:
        OUT.mkdir(parents=True, exist_ok=True)
        for part in (cosignatures, policies, witness):
            part()
