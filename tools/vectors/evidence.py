#!/usr/bin/env python3
"""Writes testvectors/evidence/evidence.json from spec/evidence.md: one fault a case.

Shares nothing with the Swift code nor with tools/python. Needs the `cryptography` package. Run from the root of the
repository; running it again gives the same bytes. `--spec` prints the worked bytes of spec/evidence.md instead.
"""

import datetime
import hashlib
import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger import (
    LOG, ORIGIN, OTHER_LOG, PROVER, THIEF, b64, canonical, commitment, digest, head_text, key_from, leaf, mth, note, path,
    raw, sha, sig_line, vkey)
from ledger import envelope as envelope_of
from witness import NORTH, SOUTH, cosign, log_line, witness_definition

OUT = pathlib.Path("testvectors/evidence")
MOMENT = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)


# ---- a log of nine entries

def envelope(payload, key):
    return canonical(envelope_of(payload, key))


def statement(kind, subject, value, predicate):
    return canonical({"_type": "https://in-toto.io/Statement/v1", "predicate": predicate,
                      "predicateType": "https://pol.dev/%s/v1" % kind,
                      "subject": [{"digest": {"sha256": value}, "name": subject}]})


def hidden_of(payload, salt, key=PROVER, kind="proof"):
    value = sha(b"pol/v1/hiding\n" + raw(key) + ORIGIN.encode() + b"https://pol.dev/%s/v1" % kind.encode() + salt
                + sha(b"pol/v1/statement\n" + payload)).hex()
    return envelope(statement("hidden", "hidden", value, {
        "hidingDigest": value, "logOrigin": ORIGIN, "proverKey": raw(key).hex()}), key)


def proof_payload(run, key=PROVER, **more):
    predicate = {
        "archiveID": digest("archive"), "archiveRoot": digest("root"), "checkpointWeights": [digest("model")],
        "commitment": run, "datasetRoot": digest("data"), "heldOut": {"correct": 9, "count": 10}, "location": "",
        "logOrigin": ORIGIN, "parents": [], "policyDigest": digest("policy"), "proverKey": raw(key).hex(),
        "sealDigest": digest("seal"), "settingsDigest": digest("settings"), "sketch": [], "steps": 100,
        "tensors": [digest("tensor")], **more}
    return statement("proof", "model", digest("model"), predicate)


SALT = sha(b"salt of the evidence vectors")
RUN = envelope(canonical(commitment()), PROVER)
BARE = proof_payload(leaf(RUN).hex())
HIDDEN = hidden_of(BARE, SALT)
OPENING = {"hidden": leaf(HIDDEN).hex(), "salt": SALT.hex()}
PROOF = envelope(proof_payload(leaf(RUN).hex(), opening=OPENING), PROVER)
CHALLENGE = envelope(statement("challenge", "proof", leaf(PROOF).hex(), {
    "logOrigin": ORIGIN, "nonceDigest": digest("nonce"), "proof": leaf(PROOF).hex(), "proverKey": raw(THIEF).hex()}), THIEF)
STOLEN = envelope(proof_payload(leaf(RUN).hex(), THIEF, opening=OPENING), THIEF)
LATE = proof_payload(leaf(RUN).hex(), steps=200)
LATER_HIDDEN = hidden_of(LATE, SALT)
EARLY = envelope(proof_payload(leaf(RUN).hex(), steps=200,
                               opening={"hidden": leaf(LATER_HIDDEN).hex(), "salt": SALT.hex()}), PROVER)
LOGGED = [b"opaque", RUN, HIDDEN, EARLY, LATER_HIDDEN, PROOF, CHALLENGE, STOLEN, b"last"]
AT = {data: index for index, data in enumerate(LOGGED)}


def signed_head(size=len(LOGGED), key=LOG, witnesses=(), time=1_700_000_000, origin=ORIGIN):
    text = head_text(origin, size, mth(LOGGED[:size])).encode()
    return note(text, sig_line(text, key, origin), *(cosign(text, each, time) for each in witnesses))


HEAD = signed_head(witnesses=(NORTH, SOUTH))


def receipt(data, head=HEAD, size=len(LOGGED), index=None):
    index = AT[data] if index is None else index
    lines = ["c2sp.org/tlog-proof@v1", "index %d" % index, *(b64(each) for each in path(index, LOGGED[:size]))]
    return b64("\n".join(lines).encode() + b"\n\n" + head)


def item(data, *more, head=HEAD):
    return {"bytes": b64(data), "receipts": [receipt(data, head), *more]}


def evidence(*items, **more):
    return {"entries": list(items), "logKey": vkey(ORIGIN, LOG), "policy": "", "schema": "pol-evidence/1", "times": [],
            **more}


# ---- an authority of time, with keys that are the same in each run

def prime(seed):
    number = 0
    while True:
        data = b"".join(hashlib.sha256(b"%s %d %d" % (seed, number, part)).digest() for part in range(4))
        value = int.from_bytes(data, "big") | 3 << 1022 | 1
        number += 1
        if all(value % each for each in (3, 5, 7, 11, 13, 17, 19, 23)) and value % 65537 != 1 and probably(value):
            return value


def probably(value):
    """Miller-Rabin with fixed bases: the keys need to be the same, not secret."""
    odd, twos = value - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in range(2, 42):
        power = pow(base, odd, value)
        if power in (1, value - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % value
            if power == value - 1:
                break
        else:
            return False
    return True


def rsa_key(seed):
    p, q = prime(seed + b" p"), prime(seed + b" q")
    d = pow(65537, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p),
                                 rsa.RSAPublicNumbers(65537, p * q)).private_key()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, serial, is_root, years=10, uses=(ExtendedKeyUsageOID.TIME_STAMPING,)):
    builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).serial_number(serial)
               .public_key(key.public_key()).not_valid_before(MOMENT - datetime.timedelta(days=365))
               .not_valid_after(MOMENT + datetime.timedelta(days=365 * years))
               .add_extension(x509.BasicConstraints(is_root, None), True))
    if is_root:
        builder = builder.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
    else:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), True)
    return builder.sign(issuer_key, hashes.SHA256())


ROOT_KEY, TSA_KEY, STRANGE_KEY = rsa_key(b"root"), rsa_key(b"authority"), rsa_key(b"stranger")
ROOT = certificate("Vectors root", ROOT_KEY, "Vectors root", ROOT_KEY, 1, True, 30)
TSA = certificate("Vectors time", TSA_KEY, "Vectors root", ROOT_KEY, 2, False)
LATER = certificate("Vectors later time", TSA_KEY, "Vectors root", ROOT_KEY, 4, False, 20)
LAX = certificate("Vectors many uses", TSA_KEY, "Vectors root", ROOT_KEY, 5, False, 10,
                  (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING))
STRANGER = certificate("Another root", STRANGE_KEY, "Another root", STRANGE_KEY, 3, True)


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 128 | size]) + len(body).to_bytes(size, "big") + body


def oid(text):
    numbers = [int(each) for each in text.split(".")]
    out = b""
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        digits = [number & 127]
        while number > 127:
            number >>= 7
            digits.append(number & 127 | 128)
        out += bytes(reversed(digits))
    return tlv(0x06, out)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


SHA256 = tlv(0x30, oid("2.16.840.1.101.3.4.2.1"), tlv(0x05))
TST_INFO = oid("1.2.840.113549.1.9.16.1.4")


def token(imprint, moment=MOMENT, serial=77, by=TSA, shown=None, named=None):
    """`shown` is put in instead of the imprint that is signed, `named` is another certificate than the signer's."""
    def info_of(value):
        return tlv(0x30, integer(1), oid("1.2.3.4"), tlv(0x30, SHA256, tlv(0x04, value)), integer(serial),
                   tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode()))

    info, der = info_of(imprint), by.public_bytes(Encoding.DER)

    def attribute(kind, value):
        return tlv(0x30, oid(kind), tlv(0x31, value))

    name_of = tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, sha((named or by).public_bytes(Encoding.DER))))))
    attributes = b"".join(sorted((
        attribute("1.2.840.113549.1.9.3", TST_INFO), attribute("1.2.840.113549.1.9.4", tlv(0x04, sha(info))),
        attribute("1.2.840.113549.1.9.16.2.47", name_of))))
    signature = TSA_KEY.sign(tlv(0x31, attributes), padding.PKCS1v15(), hashes.SHA256())
    signer = tlv(0x30, integer(1), tlv(0x30, by.issuer.public_bytes(), integer(by.serial_number)), SHA256,
                 tlv(0xA0, attributes), tlv(0x30, oid("1.2.840.113549.1.1.1"), tlv(0x05)), tlv(0x04, signature))
    signed = tlv(0x30, integer(3), tlv(0x31, SHA256), tlv(0x30, TST_INFO, tlv(0xA0, tlv(0x04, info_of(shown or imprint)))),
                 tlv(0xA0, der), tlv(0x31, signer))
    return tlv(0x30, oid("1.2.840.113549.1.7.2"), tlv(0xA0, signed))


def revocations(reason=None, revoked=()):
    builder = (x509.CertificateRevocationListBuilder().issuer_name(name("Vectors root"))
               .last_update(MOMENT + datetime.timedelta(days=30)).next_update(MOMENT + datetime.timedelta(days=60)))
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(MOMENT + datetime.timedelta(days=9))
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), False)
        builder = builder.add_revoked_certificate(entry.build())
    return b64(builder.sign(ROOT_KEY, hashes.SHA256()).public_bytes(Encoding.DER))


def stamp(data, certificates=(), lists=()):
    return {"certificates": list(certificates), "revocationLists": list(lists), "token": b64(data)}


# ---- cases

POLICY = (log_line() + witness_definition("north", NORTH) + witness_definition("south", SOUTH)
          + "group both all north south\nquorum both\n")
STRICT = (log_line() + witness_definition("east", key_from(0x13)) + "quorum east\n")
ALONE, FULL = evidence(item(RUN)), evidence(item(PROOF), item(RUN), item(HIDDEN))


def case(case_id, value, expect, key=True, policy=None, roots=None, **more):
    text = value if isinstance(value, str) else canonical(value).decode()
    return dict(id=case_id, file=text, expect=expect, key=key, policy=policy or "", roots=roots or "", **more)


def altered(value, *place, to):
    """A copy with one place changed."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    if to is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = to
    return copy


def worth(committed=-1, run=-1, times=(), seen=()):
    return {"committedAt": committed, "runCommittedAt": run, "times": list(times), "seen": list(seen)}


def cases():
    bad = "badEvidence"
    older = signed_head(6, witnesses=(NORTH,), time=1_600_000_000)
    unwitnessed = signed_head()
    opaque = evidence(item(b"opaque"))
    head_token, entry_token = token(sha(HEAD.split(b"\n\n")[0] + b"\n")), token(leaf(PROOF))
    renewal = token(sha(entry_token), MOMENT + datetime.timedelta(days=700), 78)
    late = token(sha(entry_token), MOMENT + datetime.timedelta(days=365 * 11), 79)
    too_late = token(sha(entry_token), MOMENT + datetime.timedelta(days=365 * 11), 80, LATER)
    newer = signed_head(7, witnesses=(NORTH,), time=1_800_000_000)
    stamped = altered(FULL, "times", to=[stamp(entry_token, (), [revocations()])])
    nothing = "entry 0 nothing untrustedTime"
    flipped = entry_token[:-1] + bytes([entry_token[-1] ^ 1])

    def one_time(value):
        return altered(FULL, "times", to=[stamp(value)])

    seen = ["north 1700000000", "south 1700000000"]
    other_tree = [b"x"] * 9
    foreign = head_text(ORIGIN, 9, mth(other_tree)).encode()
    valid = [
        case("a-commitment-alone", ALONE, "valid", finding=worth()),
        case("a-proof-with-its-own", FULL, "valid", finding=worth(2, 1)),
        case("a-proof-without-the-others", evidence(item(PROOF)), "valid", finding=worth(5, -1)),
        case("by-the-file's-own-key", FULL, "stated", key=False, finding=worth(2, 1)),
        case("another-key-stated", altered(FULL, "logKey", to=vkey(ORIGIN, OTHER_LOG)), "valid", finding=worth(2, 1)),
        case("bytes-that-are-no-statement", opaque, "valid", finding=worth()),
        case("a-challenge-of-it", evidence(item(PROOF), item(HIDDEN), item(CHALLENGE)), "valid", finding=worth(2, -1)),
        case("a-challenge-and-its-proof", evidence(item(CHALLENGE), item(PROOF)), "valid", finding=worth()),
        case("a-thief-opens-another's", evidence(item(STOLEN), item(RUN), item(HIDDEN)), "valid",
             finding=worth(7, -1)),
        case("opened-before-it-was-hidden", evidence(item(EARLY), item(LATER_HIDDEN)), "valid", finding=worth(3, -1)),
        case("witnesses", FULL, "valid", policy=POLICY, finding=worth(2, 1, seen=seen)),
        case("an-older-head-is-closer", evidence(item(PROOF, receipt(PROOF, older, 6))), "valid", policy=POLICY,
             finding=worth(5, -1, seen=["north 1600000000", "south 1700000000"])),
        case("a-key-from-the-policy", FULL, "valid", key=False, policy=POLICY, finding=worth(2, 1, seen=seen)),
        case("a-policy-stated", altered(FULL, "policy", to=b64(STRICT.encode())), "valid", finding=worth(2, 1)),
        case("a-time-that-is-not-judged", stamped, "valid", finding=worth(2, 1, ["entry 0 stated"])),
        case("a-time-of-the-entry", stamped, "valid", roots="root", finding=worth(2, 1, ["entry 0 holds"])),
        case("a-time-of-the-head", altered(FULL, "times", to=[stamp(head_token)]), "valid", roots="root",
             finding=worth(2, 1, ["head 0 holds"])),
        case("another-root", stamped, "valid", roots="another",
             finding=worth(2, 1, ["entry 0 nothing untrustedTime"])),
        case("a-root-in-the-file-is-none", altered(FULL, "times", to=[stamp(
            entry_token, [b64(ROOT.public_bytes(Encoding.DER))])]), "valid", roots="another",
            finding=worth(2, 1, ["entry 0 nothing untrustedTime"])),
        case("revoked", altered(FULL, "times", to=[stamp(entry_token, (), [revocations(
            x509.ReasonFlags.key_compromise, [2])])]), "valid", roots="root",
            finding=worth(2, 1, ["entry 0 nothing revokedTime"])),
        case("put-out-of-use-later", altered(FULL, "times", to=[stamp(entry_token, (), [revocations(
            x509.ReasonFlags.cessation_of_operation, [2])])]), "valid", roots="root",
            finding=worth(2, 1, ["entry 0 holds"])),
        case("renewed", altered(FULL, "times", to=[stamp(entry_token), stamp(renewal)]), "valid", roots="root",
             finding=worth(2, 1, ["entry 0 holds renewed", "token 0 holds"])),
        case("renewed-by-one-that-holds-too-late", altered(FULL, "times", to=[stamp(entry_token), stamp(too_late)]), "valid",
             roots="root", finding=worth(2, 1, ["entry 0 holds", "token 0 holds"])),
        case("a-later-head-says-less", evidence(item(PROOF, receipt(PROOF, newer, 7))), "valid", policy=POLICY,
             finding=worth(5, -1, seen=seen)),
        case("a-token's-signature-altered", one_time(flipped), "valid", roots="root", finding=worth(2, 1, [nothing])),
        case("a-token-with-another-digest-inside", one_time(token(sha(b"x"), shown=leaf(PROOF))), "valid", roots="root",
             finding=worth(2, 1, [nothing])),
        case("another-certificate-is-named", one_time(token(leaf(PROOF), named=LATER)), "valid", roots="root",
             finding=worth(2, 1, [nothing])),
        case("a-certificate-for-other-things-too", one_time(token(leaf(PROOF), by=LAX)), "valid", roots="root",
             finding=worth(2, 1, [nothing])),
        case("a-certificate-that-had-ended", one_time(token(leaf(PROOF), MOMENT + datetime.timedelta(days=365 * 11))),
             "valid", roots="root", finding=worth(2, 1, [nothing])),
        case("renewed-too-late", altered(FULL, "times", to=[stamp(entry_token), stamp(late)]), "valid", roots="root",
             finding=worth(2, 1, ["entry 0 holds", "token 0 nothing untrustedTime"])),
    ]
    whole = canonical(FULL).decode()
    refused = [
        case("empty", "", bad),
        case("not-json", "evidence", bad),
        case("a-space-after", whole + " ", bad),
        case("a-newline-after", whole + "\n", bad),
        case("another-order", json.dumps(dict(reversed(FULL.items())), separators=(",", ":")), bad),
        case("another-schema", altered(FULL, "schema", to="pol-evidence/2"), bad),
        case("a-member-more", {**FULL, "why": "x"}, bad),
        case("no-times", altered(FULL, "times", to=None), bad),
        case("no-entries", altered(FULL, "entries", to=[]), bad),
        case("entries-no-list", altered(FULL, "entries", to="x"), bad),
        case("an-entry-no-object", altered(FULL, "entries", 1, to="x"), bad),
        case("17-entries", altered(FULL, "entries", to=[item(RUN)] * 17), bad),
        case("an-entry-with-a-member-more", altered(FULL, "entries", 0, to={**item(PROOF), "role": "proof"}), bad),
        case("an-entry-not-base64", altered(FULL, "entries", 0, "bytes", to="?"), bad),
        case("an-entry-with-unused-bits", altered(FULL, "entries", 0, "bytes", to="AB=="), bad),
        case("an-entry-too-long", altered(opaque, "entries", 0, "bytes", to=b64(bytes(65_536))), bad),
        case("no-receipt", altered(FULL, "entries", 0, "receipts", to=[]), bad),
        case("nine-receipts", altered(FULL, "entries", 0, "receipts", to=[receipt(PROOF)] * 9), bad),
        case("a-receipt-no-text", altered(FULL, "entries", 0, "receipts", 0, to=7), bad),
        case("a-key-no-text", altered(FULL, "logKey", to=7), bad),
        case("a-policy-no-text", altered(FULL, "policy", to=7), bad),
        case("17-times", altered(FULL, "times", to=[stamp(b"")] * 17), bad),
        case("a-time-without-token", altered(stamped, "times", 0, "token", to=None), bad),
        case("a-token-too-long", altered(stamped, "times", 0, "token", to=b64(bytes(65_536))), bad),
        case("17-certificates", altered(stamped, "times", 0, "certificates", to=["AA=="] * 17), bad),
        case("the-exhibit-twice", evidence(item(PROOF), item(PROOF)), "unrelatedEntry"),
        case("an-entry-twice", evidence(item(PROOF), item(RUN), item(RUN)), bad),
        case("others-not-rising", evidence(item(PROOF), item(HIDDEN), item(RUN)), bad),
        case("a-key-that-is-none", altered(FULL, "logKey", to="x"), "badKey"),
        case("a-witness's-key", altered(FULL, "logKey", to=vkey(ORIGIN, LOG, 4)), "badKey"),
        case("a-policy-that-is-none", altered(FULL, "policy", to=b64(b"x\n")), "badPolicy"),
        case("a-receipt-that-is-none", altered(FULL, "entries", 0, "receipts", 0, to=b64(b"x")), "badProof"),
        case("a-receipt-without-note", altered(FULL, "entries", 0, "receipts", 0, to=b64(
            b"c2sp.org/tlog-proof@v1\nindex 5\n\nx")), "badNote"),
        case("another-log-signs", evidence(item(RUN, head=signed_head(key=OTHER_LOG))), "unsigned"),
        case("another-log-signs-and-is-stated", evidence(
            item(RUN, head=signed_head(key=OTHER_LOG)), logKey=vkey(ORIGIN, OTHER_LOG)), "unsigned"),
        case("another-origin", evidence(item(RUN, head=note(
            head_text("example.org/other", 9, mth(LOGGED)).encode(), sig_line(
                head_text("example.org/other", 9, mth(LOGGED)).encode(), LOG)))), "wrongOrigin"),
        case("a-signature-altered", evidence(item(RUN, head=HEAD.replace(
            sig_line(HEAD.split(b"\n\n")[0] + b"\n", LOG).encode(), sig_line(b"x\n", LOG).encode()))), "badSignature"),
        case("an-entry-altered", altered(FULL, "entries", 0, "bytes", to=b64(PROOF[:-2] + b" }")), "proofMismatch"),
        case("another-entry's-receipt", altered(FULL, "entries", 0, "receipts", 0, to=receipt(RUN)), "proofMismatch"),
        case("another-index", altered(FULL, "entries", 0, "receipts", 0, to=receipt(PROOF, index=4)), "proofMismatch"),
        case("an-index-beyond-the-head", altered(FULL, "entries", 0, "receipts", 0, to=b64(
            b"c2sp.org/tlog-proof@v1\nindex 9\n\n" + HEAD)), "proofMismatch"),
        case("a-second-receipt-of-another-tree", altered(FULL, "entries", 0, "receipts", to=[
            receipt(PROOF), receipt(PROOF, note(foreign))]), "proofMismatch"),
        case("a-second-receipt-unsigned", altered(FULL, "entries", 0, "receipts", to=[
            receipt(PROOF), receipt(PROOF, signed_head(6, OTHER_LOG), 6)]), "unsigned"),
        case("two-heads", evidence(item(PROOF), item(RUN, head=unwitnessed)), "otherHead"),
        case("an-older-head-first", altered(FULL, "entries", 1, "receipts", to=[receipt(RUN, older, 6)]), "otherHead"),
        case("two-places", altered(evidence(item(b"opaque")), "entries", 0, "receipts", to=[
            receipt(b"opaque"), receipt(PROOF, older, 6)]), "otherIndex"),
        case("an-entry-of-no-concern", evidence(item(PROOF), item(b"last")), "unrelatedEntry"),
        case("another's-hidden-entry", evidence(item(PROOF), item(LATER_HIDDEN)), "unrelatedEntry"),
        case("company-of-bytes", evidence(item(b"opaque"), item(RUN)), "unrelatedEntry"),
        case("a-witness-missing", evidence(item(RUN, head=unwitnessed)), "quorumMissing", policy=POLICY),
        case("another-witness-asked-for", FULL, "quorumMissing", policy=STRICT),
        case("a-witness's-line-altered", evidence(item(RUN, head=signed_head() + cosign(
            b"x\n", NORTH).encode())), "badSignature", policy=POLICY),
        case("a-log-that-the-policy-lacks", FULL, "notInPolicy", policy=log_line(OTHER_LOG) + "quorum none\n"),
        case("a-token-that-is-none", altered(stamped, "times", 0, "token", to=b64(b"x")), "badToken"),
        case("a-token-and-more", altered(stamped, "times", 0, "token", to=b64(entry_token + b"\0")), "badToken"),
        case("a-token-of-something-else", altered(FULL, "times", to=[stamp(token(sha(b"x")))]), "unrelatedTime"),
        case("a-token-of-a-later-one", altered(FULL, "times", to=[stamp(renewal), stamp(entry_token)]), "unrelatedTime"),
        case("a-token-of-the-bytes", altered(FULL, "times", to=[stamp(token(sha(PROOF)))]), "unrelatedTime"),
    ]
    return valid + refused


def main():
    found = cases()
    refused = sum(each["expect"] not in ("valid", "stated") for each in found)
    assert refused > len(found) - refused
    assert len({each["id"] for each in found}) == len(found)
    value = dict(
        comment="file: the file's text; key: whether the reader gives `logKey`; policy: the reader's own; roots: which"
                " of `root` and `another` the reader believes; finding: what a file that is not refused shows",
        cases=found, logKey=vkey(ORIGIN, LOG), root=ROOT.public_bytes(Encoding.DER).hex(),
        another=STRANGER.public_bytes(Encoding.DER).hex())
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "evidence.json").write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def spec():
    text = head_text(ORIGIN, 1, mth([RUN])).encode()
    whole = {"entries": [{"bytes": b64(RUN), "receipts": [b64(b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + note(text))]}],
             "logKey": vkey(ORIGIN, LOG), "policy": "", "schema": "pol-evidence/1", "times": []}
    data = canonical(whole)
    print(len(data), hashlib.sha256(data).hexdigest())
    print(b64(b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + note(text)))


if __name__ == "__main__":
    if "--spec" in sys.argv:
        spec()
    else:
        main()
