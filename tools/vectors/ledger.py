#!/usr/bin/env python3
"""Writes testvectors/ledger/*.json from spec/ledger.md and spec/statements.md: one fault a case.

Shares nothing with the Swift code. Needs the `cryptography` package for Ed25519. Run from the root
of the repository; running it again gives the same bytes.
"""

import base64
import hashlib
import json
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

OUT = pathlib.Path("testvectors/ledger")
ORIGIN = "example.org/vectors"


def key_from(number):
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def raw(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


LOG, OTHER_LOG, PROVER, THIEF = key_from(1), key_from(2), key_from(3), key_from(4)


def b64(data):
    return base64.b64encode(data).decode()


def sha(data):
    return hashlib.sha256(data).digest()


def digest(name):
    return sha(b"vector " + name.encode()).hex()


def key_id(name, key, kind=1):
    return sha(name.encode() + b"\n" + bytes([kind]) + raw(key))[:4]


def vkey(name, key, kind=1):
    return "%s+%s+%s" % (name, key_id(name, key, kind).hex(), b64(bytes([kind]) + raw(key)))


def sig_line(text, key, name=ORIGIN, kid=None):
    kid = key_id(name, key) if kid is None else kid
    return "\u2014 %s %s\n" % (name, b64(kid + key.sign(text)))


def note(text, *lines):
    text = text.encode() if isinstance(text, str) else text
    return text + b"\n" + "".join(lines or (sig_line(text, LOG),)).encode()


def leaf(data):
    return sha(b"\0" + data)


def mth(leaves):
    if len(leaves) < 2:
        return leaf(leaves[0]) if leaves else sha(b"")
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\1" + mth(leaves[:k]) + mth(leaves[k:]))


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return path(m, leaves[:k]) + [mth(leaves[k:])]
    return path(m - k, leaves[k:]) + [mth(leaves[:k])]


def head_text(origin, size, root, extra=""):
    return "%s\n%s\n%s\n%s" % (origin, size, b64(root), extra)


def case(name, data, expect, **more):
    data = data.encode() if isinstance(data, str) else data
    return dict(id=name, bytes=data.hex(), expect=expect, **more)


def write(name, comment, cases, **more):
    refused = sum(c["expect"] != "valid" for c in cases)
    assert refused > len(cases) - refused, name
    assert len({c["id"] for c in cases}) == len(cases), name
    value = dict(comment=comment, cases=cases, **more)
    (OUT / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def keys():
    good = vkey(ORIGIN, LOG)
    name, kid, material = good.split("+", 2)
    spec = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    with_plus = None
    for number in range(1, 256):
        text = vkey(ORIGIN, key_from(number))
        if "+" in text.split("+", 2)[2]:
            with_plus = text
            break
    write("verifier-keys.json", "bytes: the text of a verifier key", [
        case("the-key-of-these-vectors", good, "valid"),
        case("the-specification's-own", spec, "valid"),
        case("plus-signs-in-base64", with_plus, "valid"),
        case("empty", "", "badKey"),
        case("no-key-id", "%s+%s" % (name, material), "badKey"),
        case("name-empty", vkey("", LOG), "badKey"),
        case("name-with-space", vkey("a b", LOG), "badKey"),
        case("name-with-no-break-space", vkey("a\u00a0b", LOG), "badKey"),
        case("name-with-newline", vkey("a\nb", LOG), "badKey"),
        case("key-id-of-another-name", "%s+%s+%s" % (name + "x", kid, material), "badKey"),
        case("key-id-in-upper-case", "%s+%s+%s" % (name, kid.upper(), material), "badKey"),
        case("key-id-short", "%s+%s+%s" % (name, kid[:6], material), "badKey"),
        case("base64-unpadded", good.rstrip("=")[:-1], "badKey"),
        case("base64-url-alphabet", good[:-4] + "_" + good[-3:], "badKey"),
        case("key-cut-short", "%s+%s+%s" % (name, kid, b64(b"\1" + raw(LOG)[:31])), "badKey"),
        case("type-cosignature", vkey(ORIGIN, LOG, 4), "badKey"),
        case("type-unknown", vkey(ORIGIN, LOG, 9), "badKey"),
        case("space-after", good + " ", "badKey"),
        case("newline-after", good + "\n", "badKey"),
    ])


def notes():
    text = "a text\nwith two lines\n"
    data = text.encode()
    good = note(text)
    line = sig_line(data, LOG)
    witness = "\u2014 witness.example %s\n" % b64(b"wxyz" + bytes(72))
    stranger = sig_line(data, OTHER_LOG, "example.org/other")
    bad = bytearray(LOG.sign(data))
    bad[7] ^= 1
    bad_line = "\u2014 %s %s\n" % (ORIGIN, b64(key_id(ORIGIN, LOG) + bytes(bad)))
    spec = ("This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfX"
            "ppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n")
    spec_key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    write("notes.json", "checked by `vkey`, or by the case's own", [
        case("one-signature", good, "valid"),
        case("the-specification's-own", spec, "valid", vkey=spec_key),
        case("empty-lines-in-the-text", note("one\n\n\ntwo\n\n"), "valid"),
        case("unknown-signatures-around", note(text, witness, line, stranger), "valid"),
        case("same-name-another-id", note(text, sig_line(data, OTHER_LOG), line), "valid"),
        case("sixteen-signatures", note(text, *([witness] * 15 + [line])), "valid"),
        case("empty", b"", "badNote"),
        case("no-signature", data + b"\n", "badNote"),
        case("no-empty-line", data + line.encode(), "badNote"),
        case("no-newline-at-the-end", good[:-1], "badNote"),
        case("carriage-return", good.replace(b"\n", b"\r\n", 1), "badNote"),
        case("tab-in-the-text", note("a\ttab\n"), "badNote"),
        case("zero-byte", note(b"a\0\n"), "badNote"),
        case("not-utf8", note(b"a\xff\n"), "badNote"),
        case("hyphen-for-dash", good.replace("\u2014".encode(), b"-"), "badNote"),
        case("two-spaces", good.replace(ORIGIN.encode() + b" ", ORIGIN.encode() + b"  "), "badNote"),
        case("no-name", note(text, "\u2014  %s\n" % b64(bytes(68))), "badNote"),
        case("plus-in-name", note(text, line, "\u2014 a+b %s\n" % b64(bytes(68))), "badNote"),
        case("unicode-space-in-name", note(text, line, "\u2014 a\u2003b %s\n" % b64(bytes(68))),
             "badNote"),
        case("signature-only-an-id", note(text, "\u2014 %s %s\n" % (ORIGIN, b64(bytes(4)))),
             "badNote"),
        case("base64-unpadded", note(text, line.replace("=", "")), "badNote"),
        case("base64-loose-bits", note(text, line, "\u2014 w %s\n" % "AAAAAAB="), "badNote"),
        case("a-line-after", good + b"more\n", "badNote"),
        case("too-many-signatures", note(text, *([witness] * 64 + [line])), "badNote"),
        case("text-altered", good.replace(b"two", b"six"), "badSignature"),
        case("newline-added-to-the-text", good.replace(b"lines\n", b"lines\n\n\n", 1)[:0]
             + note(text + "\n", line), "badSignature"),
        case("signature-altered", note(text, bad_line), "badSignature"),
        case("signature-cut-short", note(
            text, "\u2014 %s %s\n" % (ORIGIN, b64(key_id(ORIGIN, LOG) + bytes(63)))),
            "badSignature"),
        case("one-good-one-bad-of-the-known-key", note(text, line, bad_line), "badSignature"),
        case("only-a-stranger", note(text, stranger), "unsigned"),
        case("another-name-with-the-id", note(
            text, "\u2014 example.org/x %s\n" % b64(key_id(ORIGIN, LOG) + LOG.sign(data))),
            "unsigned"),
        case("the-name-with-another-id", note(text, sig_line(data, LOG, kid=b"abcd")), "unsigned"),
    ], vkey=vkey(ORIGIN, LOG))


def tree_heads():
    root = mth([b"one"])
    good = head_text(ORIGIN, 1, root)
    write("tree-heads.json", "bytes: the text of a note", [
        case("one-entry", good, "valid"),
        case("no-entry", head_text(ORIGIN, 0, sha(b"")), "valid"),
        case("extension-lines", head_text(ORIGIN, 1, root, "more\nand more\n"), "valid"),
        case("largest-size", head_text(ORIGIN, 2**62, root), "valid"),
        case("empty", "", "badTreeHead"),
        case("two-lines", "%s\n1\n" % ORIGIN, "badTreeHead"),
        case("no-newline-at-the-end", good[:-1], "badTreeHead"),
        case("origin-empty", head_text("", 1, root), "badTreeHead"),
        case("size-empty", head_text(ORIGIN, "", root), "badTreeHead"),
        case("size-leading-zero", head_text(ORIGIN, "01", root), "badTreeHead"),
        case("size-signed", head_text(ORIGIN, "+1", root), "badTreeHead"),
        case("size-negative", head_text(ORIGIN, "-1", root), "badTreeHead"),
        case("size-hexadecimal", head_text(ORIGIN, "0x1", root), "badTreeHead"),
        case("size-other-digits", head_text(ORIGIN, "\u0661", root), "badTreeHead"),
        case("size-above-the-limit", head_text(ORIGIN, 2**62 + 1, root), "badTreeHead"),
        case("size-above-64-bits", head_text(ORIGIN, 2**64, root), "badTreeHead"),
        case("root-cut-short", head_text(ORIGIN, 1, root[:31]), "badTreeHead"),
        case("root-too-long", head_text(ORIGIN, 1, root + b"\0"), "badTreeHead"),
        case("root-unpadded", good.replace("=", ""), "badTreeHead"),
        case("root-hexadecimal", "%s\n1\n%s\n" % (ORIGIN, root.hex()), "badTreeHead"),
        case("no-entry-zero-root", head_text(ORIGIN, 0, bytes(32)), "badTreeHead"),
        case("extension-line-empty", head_text(ORIGIN, 1, root, "\n"), "badTreeHead"),
    ])


def proofs():
    leaves = [b"entry %d" % i for i in range(5)]
    text = head_text(ORIGIN, 5, mth(leaves))
    signed = note(text)

    def proof(index=3, hashes=None, head=signed, first="c2sp.org/tlog-proof@v1", extra=None,
              index_line=None, gap="\n"):
        lines = [first] + ([extra] if extra is not None else [])
        lines.append("index %s" % index if index_line is None else index_line)
        lines += [b64(h) for h in (path(3, leaves) if hashes is None else hashes)]
        return "".join(line + "\n" for line in lines).encode() + gap.encode() + head

    good = path(3, leaves)
    bad_root = head_text(ORIGIN, 5, sha(b"x"))
    other = "example.org/other"
    other_text = head_text(other, 5, mth(leaves))
    entry = leaves[3].hex()
    single = note(head_text(ORIGIN, 1, mth(leaves[:1])))
    more = dict(entry=entry)
    # spec/ledger.md section 11 shows these bytes.
    worked = canonical(envelope(canonical(commitment())))
    worked_head = note(head_text(ORIGIN, 1, leaf(worked)))
    write("proofs.json", "checked for `entry` and `origin` by `vkey`", [
        case("the-worked-example", proof(0, [], worked_head), "valid", entry=worked.hex()),
        case("fourth-of-five", proof(), "valid", **more),
        case("with-extra", proof(extra="extra " + b64(b"anything")), "valid", **more),
        case("extra-of-nothing", proof(extra="extra "), "valid", **more),
        case("tree-of-one", proof(0, [], single), "valid", entry=leaves[0].hex()),
        case("empty", b"", "badProof", **more),
        case("other-version", proof(first="c2sp.org/tlog-proof@v2"), "badProof", **more),
        case("no-index", proof(index_line="extra AA=="), "badProof", **more),
        case("index-leading-zero", proof("03"), "badProof", **more),
        case("index-signed", proof("+3"), "badProof", **more),
        case("index-not-a-number", proof("three"), "badProof", **more),
        case("extra-malformed", proof(extra="extra AA"), "badProof", **more),
        case("extra-after-index", proof(index_line="index 3\nextra AA=="), "badProof", **more),
        case("extra-with-a-combining-mark", proof(extra="extra \u0301AA=="), "badProof", **more),
        case("hash-cut-short", proof(hashes=good[:2] + [good[2][:31]]), "badProof", **more),
        case("too-many-hashes", proof(hashes=good * 21), "badProof", **more),
        case("no-empty-line", proof(gap="").replace(b"\n\n", b"\n"), "badProof", **more),
        case("two-empty-lines", proof(gap="\n\n"), "badSignature", **more),
        case("no-signature", proof(head=text.encode()), "badNote", **more),
        case("hash-missing", proof(hashes=good[:-1]), "proofMismatch", **more),
        case("hash-too-many", proof(hashes=good + [good[0]]), "proofMismatch", **more),
        case("hashes-exchanged", proof(hashes=[good[1], good[0], good[2]]), "proofMismatch", **more),
        case("no-hashes", proof(hashes=[]), "proofMismatch", **more),
        case("another-index", proof(2), "proofMismatch", **more),
        case("index-is-the-size", proof(5), "proofMismatch", **more),
        case("index-of-64-bits", proof(2**64 - 1), "proofMismatch", **more),
        case("another-entry", proof(), "proofMismatch", entry=leaves[2].hex()),
        case("signed-over-another-root", proof(head=note(bad_root)), "proofMismatch", **more),
        case("root-altered", proof(head=note(bad_root, sig_line(text.encode(), LOG))),
             "badSignature", **more),
        case("another-log's-key", proof(head=note(text, sig_line(text.encode(), OTHER_LOG))),
             "unsigned", **more),
        case("another-origin", proof(head=note(other_text)), "wrongOrigin", **more),
        case("another-origin-asked-for", proof(), "wrongOrigin", entry=entry, origin=other),
    ], vkey=vkey(ORIGIN, LOG), origin=ORIGIN)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def statement(kind, subject, subject_digest, predicate):
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": predicate,
        "predicateType": kind,
        "subject": [{"digest": {"sha256": subject_digest}, "name": subject}],
    }


COMMITMENT, PROOF = "https://pol.dev/commitment/v1", "https://pol.dev/proof/v1"


def commitment(key=PROVER, **changes):
    predicate = {
        "datasetRoot": digest("dataset"), "logOrigin": ORIGIN, "policyDigest": digest("policy"),
        "proverKey": raw(key).hex(), "runSecretDigest": digest("secret"),
        "settingsDigest": digest("settings"),
    }
    predicate.update(changes)
    return statement(COMMITMENT, "run", digest("secret"), predicate)


def proof_statement(key=PROVER, **changes):
    predicate = {
        "archiveID": digest("archive"), "archiveRoot": digest("root"),
        "checkpointWeights": [digest("weights 0"), digest("weights 1")],
        "commitment": digest("commitment"), "datasetRoot": digest("dataset"),
        "heldOut": {"correct": 91, "count": 100}, "location": "https://example.org/archive",
        "logOrigin": ORIGIN, "parents": [], "policyDigest": digest("policy"),
        "proverKey": raw(key).hex(), "sealDigest": digest("seal"),
        "settingsDigest": digest("settings"),
        "sketch": sorted([digest("chunk 0"), digest("chunk 1")]),
        "steps": 1000, "tensors": [digest("tensor 0")],
    }
    predicate.update(changes)
    return statement(PROOF, "model", digest("model"), predicate)


def without(value, key):
    predicate = {k: v for k, v in value["predicate"].items() if k != key}
    return dict(value, predicate=predicate)


def statements():
    good, full = commitment(), proof_statement()
    other = statement("https://example.org/kind", "x", digest("x"), {"proverKey": raw(PROVER).hex()})
    many = sorted(digest("d%d" % i) for i in range(300))
    bad = "badStatement"

    def with_text(value, old, new):
        data = canonical(value)
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), 1)

    cases = [
        case("commitment", canonical(good), "valid", kind="commitment"),
        case("proof", canonical(full), "valid", kind="proof"),
        case("proof-at-its-limits", canonical(proof_statement(
            checkpointWeights=many[:64], sketch=many[:64], tensors=many[:256], parents=many[:64],
            location="")), "valid", kind="proof"),
        case("another-kind", canonical(other), "valid", kind="other"),
        case("another-kind-with-more-members", canonical(dict(other, predicate={
            "proverKey": raw(PROVER).hex(), "list": [1, True, {"a": "b"}]})), "valid", kind="other"),
        case("empty", b"", bad),
        case("not-an-object", b"[]", bad),
        case("white-space", json.dumps(good, sort_keys=True), bad),
        case("keys-unsorted", with_text(good, '"_type":"https://in-toto.io/Statement/v1",', "")[:-1]
             + b',"_type":"https://in-toto.io/Statement/v1"}', bad),
        case("key-twice", with_text(good, '{"_type"', '{"_type":"","_type"'), bad),
        case("escaped-letter", with_text(good, '"run"', '"\\u0072un"'), bad),
        case("bytes-after", canonical(good) + b"\n", bad),
        case("not-utf8", canonical(good).replace(b'"run"', b'"r\xff"'), bad),
        case("other-in-toto-version", canonical(dict(
            good, _type="https://in-toto.io/Statement/v0.1")), bad),
        case("member-added", canonical(dict(good, more="x")), bad),
        case("subject-missing", canonical({k: v for k, v in good.items() if k != "subject"}), bad),
        case("no-subject", canonical(dict(good, subject=[])), bad),
        case("two-subjects", canonical(dict(good, subject=good["subject"] * 2)), bad),
        case("subject-name", canonical(statement(
            COMMITMENT, "model", digest("secret"), good["predicate"])), bad),
        case("subject-is-not-the-secret's-digest", canonical(statement(
            COMMITMENT, "run", digest("x"), good["predicate"])), bad),
        case("subject-of-two-digests", canonical(dict(good, subject=[{
            "digest": {"sha256": digest("secret"), "sha512": "00"}, "name": "run"}])), bad),
        case("predicate-of-another-kind", canonical(dict(
            full, predicate=good["predicate"])), bad),
        case("prover-key-missing", canonical(without(good, "proverKey")), bad),
        case("prover-key-cut-short", canonical(commitment(proverKey=raw(PROVER).hex()[:-2])), bad),
        case("another-kind-without-key", canonical(dict(other, predicate={})), bad),
        case("another-kind-subject-not-a-list", canonical(dict(other, subject={})), bad),
        case("commitment-member-missing", canonical(without(good, "policyDigest")), bad),
        case("commitment-member-added", canonical(commitment(more="x")), bad),
        case("digest-in-upper-case", canonical(commitment(
            datasetRoot=digest("dataset").upper())), bad),
        case("digest-cut-short", canonical(commitment(datasetRoot=digest("dataset")[:-1])), bad),
        case("digest-is-a-number", canonical(commitment(datasetRoot=1)), bad),
        case("origin-too-long", canonical(commitment(logOrigin="x" * 2049)), bad),
        case("origin-with-newline", with_text(good, ORIGIN, ORIGIN + "\\u000a"), bad),
        case("proof-member-missing", canonical(without(full, "parents")), bad),
        case("proof-member-added", canonical(proof_statement(time="2020-01-01")), bad),
        case("proof-null", canonical(proof_statement(location=None)), bad),
        case("proof-steps-fraction", canonical(proof_statement(steps=1.5)), bad),
        case("proof-steps-negative", canonical(proof_statement(steps=-1)), bad),
        case("proof-steps-above-limit", canonical(proof_statement(steps=2**53)), bad),
        case("proof-steps-text", canonical(proof_statement(steps="1000")), bad),
        case("proof-steps-bool", canonical(proof_statement(steps=True)), bad),
        case("held-out-more-correct-than-all", canonical(proof_statement(
            heldOut={"correct": 101, "count": 100})), bad),
        case("held-out-member-added", canonical(proof_statement(
            heldOut={"correct": 1, "count": 100, "loss": 2})), bad),
        case("65-checkpoints", canonical(proof_statement(checkpointWeights=many[:65])), bad),
        case("65-sketch-digests", canonical(proof_statement(sketch=many[:65])), bad),
        case("257-tensors", canonical(proof_statement(tensors=many[:257])), bad),
        case("65-parents", canonical(proof_statement(parents=many[:65])), bad),
        case("sketch-unsorted", canonical(proof_statement(sketch=many[1::-1])), bad),
        case("sketch-digest-twice", canonical(proof_statement(sketch=[many[0]] * 2)), bad),
        case("list-holds-text", canonical(proof_statement(tensors=["x"])), bad),
        case("list-is-an-object", canonical(proof_statement(tensors={})), bad),
    ]
    write("statements.json", "bytes: the payload of an envelope", cases)


PAYLOAD_TYPE = "application/vnd.in-toto+json"


def pae(payload, kind=PAYLOAD_TYPE):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def envelope(payload, key=PROVER, **changes):
    value = {
        "payload": b64(payload), "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": sha(spki(key)).hex(), "sig": b64(key.sign(pae(payload)))}],
    }
    value.update(changes)
    return value


def envelopes():
    payload = canonical(commitment())
    good = envelope(payload)
    sig = good["signatures"][0]
    bad = "badEnvelope"
    altered = bytearray(PROVER.sign(pae(payload)))
    altered[40] ^= 1
    url_payload = next(
        p for p in (canonical(commitment(logOrigin="o" * n + "\u00ff\u00fe")) for n in range(1, 60))
        if "+" in b64(p) or "/" in b64(p))
    cases = [
        case("commitment", canonical(good), "valid", key=raw(PROVER).hex()),
        case("proof", canonical(envelope(canonical(proof_statement()))), "valid",
             key=raw(PROVER).hex()),
        case("empty", b"", bad),
        case("white-space-after", canonical(good) + b"\n", bad),
        case("white-space", json.dumps(good, sort_keys=True), bad),
        case("member-added", canonical(dict(good, more="x")), bad),
        case("payload-missing", canonical({k: v for k, v in good.items() if k != "payload"}), bad),
        case("other-payload-type", canonical(dict(good, payloadType="application/json")), bad),
        case("payload-unpadded", canonical(dict(good, payload=b64(payload + b" ").rstrip("=")))
             if b64(payload + b" ").endswith("=") else canonical(dict(good, payload="AA")), bad),
        case("payload-url-alphabet", canonical(dict(
            envelope(url_payload), payload=b64(url_payload).replace("+", "-").replace("/", "_"))),
             bad),
        case("no-signature", canonical(dict(good, signatures=[])), bad),
        case("two-signatures", canonical(dict(good, signatures=[sig, sig])), bad),
        case("signature-member-added", canonical(dict(good, signatures=[dict(sig, cert="x")])), bad),
        case("signature-without-keyid", canonical(dict(
            good, signatures=[{"sig": sig["sig"]}])), bad),
        case("keyid-in-upper-case", canonical(dict(
            good, signatures=[dict(sig, keyid=sig["keyid"].upper())])), bad),
        case("keyid-empty", canonical(dict(good, signatures=[dict(sig, keyid="")])), bad),
        case("signature-cut-short", canonical(dict(
            good, signatures=[dict(sig, sig=b64(bytes(63)))])), bad),
        case("payload-is-not-a-statement", canonical(envelope(b"{}")), "badStatement"),
        case("keyid-of-another-key", canonical(dict(
            good, signatures=[dict(sig, keyid=sha(spki(THIEF)).hex())])), "wrongKeyID"),
        case("signed-by-another-key", canonical(envelope(payload, THIEF)), "wrongKeyID"),
        case("keyid-of-the-raw-key", canonical(dict(
            good, signatures=[dict(sig, keyid=sha(raw(PROVER)).hex())])), "wrongKeyID"),
        case("signature-altered", canonical(dict(
            good, signatures=[dict(sig, sig=b64(bytes(altered)))])), "badSignature"),
        case("signature-over-the-payload-alone", canonical(dict(
            good, signatures=[dict(sig, sig=b64(PROVER.sign(payload)))])), "badSignature"),
        case("signature-over-another-type", canonical(dict(
            good, signatures=[dict(sig, sig=b64(PROVER.sign(pae(payload, "text/plain"))))])),
            "badSignature"),
        case("payload-of-another-run", canonical(dict(
            good, payload=b64(canonical(commitment(datasetRoot=digest("other")))))), "badSignature"),
        case("another's-signature-under-the-key", canonical(dict(
            good, signatures=[dict(sig, sig=b64(THIEF.sign(pae(payload))))])), "badSignature"),
    ]
    write("envelopes.json", "bytes: an entry", cases)


def bundles():
    def pack(*entries):
        return b"".join(struct.pack(">H", len(e)) + e for e in entries)

    write("bundles.json", "bytes: a bundle that should hold `count` entries", [
        case("two-entries", pack(b"one", b"two"), "valid", count="2"),
        case("an-empty-entry", pack(b"one", b"", b"three"), "valid", count="3"),
        case("nothing", b"", "badBundle", count="1"),
        case("one-missing", pack(b"one"), "badBundle", count="2"),
        case("one-too-many", pack(b"one", b"two", b"three"), "badBundle", count="2"),
        case("a-byte-after", pack(b"one", b"two") + b"\0", "badBundle", count="2"),
        case("cut-in-an-entry", pack(b"one", b"two")[:-1], "badBundle", count="2"),
        case("cut-in-a-length", pack(b"one") + b"\0", "badBundle", count="2"),
        case("little-endian-lengths", b"\3\0one\3\0two", "badBundle", count="2"),
        case("length-beyond-the-end", b"\xff\xffone", "badBundle", count="1"),
    ])


def histories():
    def line(size, leaves, key=LOG):
        text = head_text(ORIGIN, size, mth(leaves)).encode()
        return "%d %s %s\n" % (size, b64(mth(leaves)), b64(key_id(ORIGIN, LOG) + key.sign(text)))

    leaves = [b"entry %d" % i for i in range(5)]
    one, two, five = (line(n, leaves[:n]) for n in (1, 2, 5))
    worked = canonical(envelope(canonical(commitment())))
    write("histories.json", "each line's signature is checked by `vkey`", [
        case("the-worked-example", line(1, [worked]), "valid"),
        case("three-heads", one + two + five, "valid"),
        case("from-the-empty-tree", line(0, []) + one, "valid"),
        case("not-ended", one + two[:-1], "badHistory"),
        case("sizes-fall", two + one, "badHistory"),
        case("size-twice", one + one, "badHistory"),
        case("empty-line", one + "\n" + two, "badHistory"),
        case("two-spaces", one.replace(" ", "  ", 1), "badHistory"),
        case("member-added", one[:-1] + " x\n", "badHistory"),
        case("size-leading-zero", "0" + one, "badHistory"),
        case("root-malformed", one.replace("=", "", 1), "badHistory"),
        case("carriage-return", one[:-1] + "\r\n", "badHistory"),
        case("signature-only-an-id", " ".join(one.split(" ")[:2]) + " AAAAAA==\n", "badHistory"),
        case("signature-by-another-key", line(1, leaves[:1], OTHER_LOG), "badSignature"),
        case("signature-of-another-size", one.replace("1 ", "3 ", 1), "badSignature"),
    ], vkey=vkey(ORIGIN, LOG))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for part in (keys, notes, tree_heads, proofs, statements, envelopes, bundles, histories):
        part()
    # The kinds build on the functions above.
    import ledger_kinds

    ledger_kinds.kinds()
    ledger_kinds.admission()
