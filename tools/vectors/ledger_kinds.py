"""The kinds of spec/statements.md and what a log takes: kinds.json and admission.json. Run by ledger.py."""

from ledger import (
    LOG, ORIGIN, OTHER_LOG, PROVER, THIEF, b64, canonical, case, commitment, digest, envelope, head_text,
    key_from, key_id, leaf, proof_statement, raw, sha, spki, statement, vkey, without, write)

WITHDRAWN = key_from(5)
KIND = "https://pol.dev/%s/v1"
ZERO = "00" * 32


def hiding_digest(key, kind, salt, inner, origin=ORIGIN):
    return sha(b"pol/v1/hiding\n" + raw(key) + origin.encode() + kind.encode()
               + bytes.fromhex(salt) + bytes.fromhex(inner)).hex()


def unopened_digest(value):
    return sha(b"pol/v1/statement\n" + canonical(without(value, "opening"))).hex()


def nonce_digest(key, proof, nonce):
    return sha(b"pol/v1/challenge\n" + raw(key) + bytes.fromhex(proof) + bytes.fromhex(nonce)).hex()


def of_kind(kind, subject, subject_member, predicate, key, changes, subject_digest=None):
    predicate = dict(predicate, logOrigin=ORIGIN, proverKey=raw(key).hex())
    predicate.update(changes)
    named = predicate.get(subject_member) if subject_digest is None else subject_digest
    return statement(KIND % kind, subject, named, predicate)


def hidden(key=PROVER, subject_digest=None, **changes):
    return of_kind("hidden", "hidden", "hidingDigest", {"hidingDigest": digest("hidden")}, key, changes,
                   subject_digest)


def anchor(key=PROVER, subject_digest=None, **changes):
    return of_kind("anchor", "chain", "chainHead", {
        "archiveID": digest("archive"), "chainHead": digest("chain"), "commitment": digest("commitment"),
        "recordCount": 5, "step": 400}, key, changes, subject_digest)


def part(key=PROVER, subject_digest=None, **changes):
    return of_kind("proof-part", "proof", "proof", {
        "proof": digest("proof"), "tensors": sorted(digest("tensor %d" % i) for i in (1, 2))},
        key, changes, subject_digest)


def challenge(key=THIEF, subject_digest=None, **changes):
    return of_kind("challenge", "proof", "proof", {
        "nonceDigest": digest("nonce digest"), "proof": digest("proof")}, key, changes, subject_digest)


def verdict(key=THIEF, subject_digest=None, **changes):
    return of_kind("verdict", "proof", "proof", {
        "answer": "verified", "challenge": ZERO, "executedCount": 59, "nonce": digest("nonce"),
        "policyDigest": digest("verifier's policy"), "proof": digest("proof"), "reason": "",
        "reportDigest": digest("report"), "segmentCount": 200}, key, changes, subject_digest)


def withdrawal(key=PROVER, subject_digest=None, **changes):
    return of_kind("withdrawal", "key", "keyID", {
        "keyID": sha(spki(key)).hex(), "reason": "compromised"}, key, changes, subject_digest)


NEXT = "example.org/vectors-2"


def log_end(key=LOG, subject_digest=None, **changes):
    return of_kind("log-end", "tree", "treeRoot", {
        "successor": vkey(NEXT, OTHER_LOG), "treeRoot": digest("tree"), "treeSize": 7}, key, changes,
        subject_digest)


def final_head(size=8, root=digest("final tree"), name=ORIGIN, key=LOG):
    """Key ID and signature of a head, as a line of history has them."""
    text = head_text(name, size, bytes.fromhex(root))
    text = text if isinstance(text, bytes) else text.encode()
    return b64(key_id(name, key) + key.sign(text))


def log_begin(key=OTHER_LOG, subject_digest=None, **changes):
    return of_kind("log-begin", "tree", "predecessorRoot", dict({
        "logOrigin": NEXT, "predecessor": vkey(ORIGIN, LOG), "predecessorRoot": digest("final tree"),
        "predecessorSignature": final_head(), "predecessorSize": 8}), key,
        dict({"logOrigin": NEXT}, **changes), subject_digest)


def index_root(key=PROVER, subject_digest=None, **changes):
    return of_kind("index-root", "map", "mapRoot", {
        "mapRoot": digest("map root"), "mapVersion": 1, "treeSize": 1024}, key, changes, subject_digest)


OPENING = {"hidden": digest("hidden entry"), "salt": digest("salt")}
# The statement of spec/statements.md section 13, and the entry that hides it.
WORKED = proof_statement(tensors=[digest("tensor 0")])
WORKED_SALT = digest("worked salt")
WORKED_HIDDEN = hidden(hidingDigest=hiding_digest(
    PROVER, KIND % "proof", WORKED_SALT, unopened_digest(WORKED)))


def kinds():
    bad = "badStatement"
    many = sorted(digest("d%d" % i) for i in range(520))
    good = {"hidden": hidden, "anchor": anchor, "proof-part": part, "challenge": challenge,
            "verdict": verdict, "withdrawal": withdrawal, "log-end": log_end, "log-begin": log_begin,
            "index-root": index_root}
    cases = [case(name, canonical(make()), "valid", kind=name) for name, make in good.items()]
    cases += [
        case("proof-with-opening", canonical(proof_statement(opening=OPENING)), "valid", kind="proof"),
        case("proof-part-with-opening", canonical(part(opening=OPENING)), "valid", kind="proof-part"),
        case("proof-part-at-its-limit", canonical(part(tensors=many[:512], opening=OPENING)), "valid",
             kind="proof-part"),
        case("verdict-refuted", canonical(verdict(answer="refuted", reason="reexecution")), "valid",
             kind="verdict"),
        case("verdict-of-all-segments", canonical(verdict(executedCount=200)), "valid", kind="verdict"),
        case("withdrawal-retired", canonical(withdrawal(reason="retired")), "valid", kind="withdrawal"),
    ]
    for name, make in good.items():
        value = make()
        cases += [
            case("%s-member-added" % name, canonical(make(more="x")), bad),
            case("%s-subject-is-another" % name, canonical(make(subject_digest=digest("x"))), bad),
            case("%s-subject-name" % name, canonical(dict(value, subject=[
                dict(value["subject"][0], name="model")])), bad),
            case("%s-opening-of-another-kind" % name, canonical(make(opening=OPENING)), bad)
            if name != "proof-part" else
            case("proof-part-opening-is-a-list", canonical(make(opening=[])), bad),
        ]
        cases += [case("%s-without-%s" % (name, member), canonical(without(value, member)), bad)
                  for member in value["predicate"]]
    cases += [
        case("commitment-with-opening", canonical(commitment(opening=OPENING)), bad),
        case("opening-without-salt", canonical(proof_statement(
            opening={"hidden": OPENING["hidden"]})), bad),
        case("opening-member-added", canonical(proof_statement(opening=dict(OPENING, index=1))), bad),
        case("opening-salt-cut-short", canonical(proof_statement(
            opening=dict(OPENING, salt=OPENING["salt"][:-2]))), bad),
        case("opening-hidden-is-a-number", canonical(proof_statement(
            opening=dict(OPENING, hidden=3))), bad),
        case("opening-is-text", canonical(proof_statement(opening=digest("x"))), bad),
        case("proof-tensor-twice", canonical(proof_statement(tensors=[many[0]] * 2)), bad),
        case("proof-parent-twice", canonical(proof_statement(parents=[many[0]] * 2)), bad),
        case("hidden-digest-in-upper-case", canonical(hidden(
            hidingDigest=digest("hidden").upper())), bad),
        case("hidden-origin-too-long", canonical(hidden(logOrigin="x" * 2049)), bad),
        case("anchor-no-records", canonical(anchor(recordCount=0)), bad),
        case("anchor-step-negative", canonical(anchor(step=-1)), bad),
        case("anchor-step-text", canonical(anchor(step="400")), bad),
        case("part-without-tensors", canonical(part(tensors=[])), bad),
        case("part-of-513-tensors", canonical(part(tensors=many[:513])), bad),
        case("part-unsorted", canonical(part(tensors=many[1::-1])), bad),
        case("part-tensor-twice", canonical(part(tensors=[many[0]] * 2)), bad),
        case("challenge-nonce-is-a-number", canonical(challenge(nonceDigest=7)), bad),
        case("verdict-another-answer", canonical(verdict(answer="accepted")), bad),
        case("verdict-answer-in-upper-case", canonical(verdict(answer="VERIFIED")), bad),
        case("verdict-verified-for-a-reason", canonical(verdict(reason="x")), bad),
        case("verdict-refuted-without-reason", canonical(verdict(answer="refuted")), bad),
        case("verdict-reason-too-long", canonical(verdict(answer="refuted", reason="x" * 65)), bad),
        case("verdict-more-executed-than-all", canonical(verdict(executedCount=201)), bad),
        case("verdict-challenge-empty", canonical(verdict(challenge="")), bad),
        case("index-root-of-another-version", canonical(index_root(mapVersion=2)), bad),
        case("index-root-version-true", canonical(index_root(mapVersion=True)), bad),
        case("index-root-negative-size", canonical(index_root(treeSize=-1)), bad),
        case("withdrawal-another-reason", canonical(withdrawal(reason="lost")), bad),
        case("withdrawal-of-another-key", canonical(withdrawal(keyID=sha(spki(THIEF)).hex())), bad),
        case("withdrawal-key-id-of-the-raw-key", canonical(withdrawal(
            keyID=sha(raw(PROVER)).hex())), bad),
        case("log-end-without-a-log-that-goes-on", canonical(log_end(successor="")), "valid", kind="log-end"),
        case("log-end-of-nothing", canonical(log_end(treeSize=0)), "valid", kind="log-end"),
        case("log-end-successor-is-no-key", canonical(log_end(successor="example.org/next")), bad),
        case("log-end-successor-is-a-witness", canonical(log_end(successor=vkey(NEXT, OTHER_LOG, 4))), bad),
        case("log-end-successor-of-the-same-origin", canonical(log_end(
            successor=vkey(ORIGIN, OTHER_LOG))), bad),
        case("log-end-successor-of-the-same-key", canonical(log_end(successor=vkey(NEXT, LOG))), bad),
        case("log-end-size-is-text", canonical(log_end(treeSize="7")), bad),
        case("log-begin-of-another-size", canonical(log_begin(predecessorSize=9)), bad),
        case("log-begin-of-another-root", canonical(log_begin(predecessorRoot=digest("x"))), bad),
        case("log-begin-signed-by-another", canonical(log_begin(
            predecessorSignature=final_head(key=THIEF))), bad),
        case("log-begin-signature-with-more-bytes", canonical(log_begin(
            predecessorSignature=final_head()[:-4] + "AAAAAA==")), bad),
        case("log-begin-predecessor-of-the-same-origin", canonical(log_begin(
            predecessor=vkey(NEXT, LOG), predecessorSignature=final_head(name=NEXT))), bad),
        case("log-begin-predecessor-of-the-same-key", canonical(log_begin(
            predecessor=vkey(ORIGIN, OTHER_LOG), predecessorSignature=final_head(key=OTHER_LOG))), bad),
        case("log-begin-without-a-predecessor", canonical(log_begin(predecessor="")), bad),
    ]
    write("kinds.json", "bytes: the payload of an envelope", cases)


def entry(value, key=PROVER):
    return canonical(envelope(canonical(value), key))


def admission():
    """One log, and entries that come after it."""
    run = entry(commitment())
    run_leaf = leaf(run).hex()
    hides = entry(WORKED_HIDDEN)
    plain = entry(proof_statement(location="", steps=999))
    plain_leaf = leaf(plain).hex()
    other = entry(proof_statement(location="", steps=998))
    nonce = digest("nonce")
    asked = entry(challenge(
        proof=plain_leaf, nonceDigest=nonce_digest(THIEF, plain_leaf, nonce)), THIEF)
    asked_leaf = leaf(asked).hex()
    copied = entry(hidden(THIEF, hidingDigest=WORKED_HIDDEN["predicate"]["hidingDigest"]), THIEF)
    elsewhere = entry(hidden(hidingDigest=hiding_digest(
        PROVER, KIND % "proof", WORKED_SALT, unopened_digest(WORKED), "example.org/other")))
    foreign = entry(commitment(THIEF), THIEF)
    noise = b"noise"
    # Names one proof and promises a nonce for another.
    crooked = entry(challenge(
        proof=leaf(other).hex(), nonceDigest=nonce_digest(THIEF, plain_leaf, nonce)), THIEF)
    log = [run, hides, plain, other, asked, copied, elsewhere, foreign, noise,
           entry(withdrawal(WITHDRAWN), WITHDRAWN), crooked]
    unknown = digest("not in the log")

    def opened(hidden_entry=hides, salt=WORKED_SALT, value=WORKED, key=PROVER):
        name = hidden_entry if isinstance(hidden_entry, str) else leaf(hidden_entry).hex()
        predicate = dict(value["predicate"], opening={"hidden": name, "salt": salt})
        predicate["proverKey"] = raw(key).hex()
        return entry(dict(value, predicate=predicate), key)

    def judged(key=THIEF, **changes):
        return entry(verdict(key, **dict({
            "proof": plain_leaf, "challenge": asked_leaf, "nonce": nonce}, **changes)), key)

    made_later = part(proof=plain_leaf)
    hides_part = digest("part salt")
    cases = [
        case("proof-that-opens-its-hidden-entry", opened(), "valid"),
        case("proof-without-opening", entry(WORKED), "valid"),
        case("proof-of-a-parent", entry(proof_statement(parents=[plain_leaf])), "valid"),
        case("part", entry(made_later), "valid"),
        case("anchor", entry(anchor(commitment=run_leaf)), "valid"),
        case("challenge", entry(challenge(proof=plain_leaf), THIEF), "valid"),
        case("private-verdict", judged(challenge=ZERO), "valid"),
        case("public-verdict", judged(), "valid"),
        case("withdrawal", entry(withdrawal()), "valid"),
        case("of-a-kind-nobody-knows", entry(statement("https://example.org/kind", "x", digest("x"), {
            "proverKey": raw(PROVER).hex()})), "valid"),
        case("parent-points-forward", entry(proof_statement(parents=[unknown])), "unknownEntry"),
        case("second-parent-points-forward", entry(proof_statement(
            parents=[plain_leaf, unknown])), "unknownEntry"),
        case("parent-is-itself-but-for-the-parent", entry(proof_statement(
            parents=[leaf(entry(proof_statement())).hex()])), "unknownEntry"),
        case("parent-is-a-commitment", entry(proof_statement(parents=[run_leaf])), "wrongKind"),
        case("parent-is-opaque", entry(proof_statement(parents=[leaf(noise).hex()])), "unknownEntry"),
        case("opening-of-nothing", opened(unknown), "unknownEntry"),
        case("opening-with-another-salt", opened(salt=digest("x")), "openingMismatch"),
        case("opening-of-another-statement", opened(value=proof_statement(
            tensors=[digest("tensor 1")])), "openingMismatch"),
        case("opening-of-what-is-not-hidden", opened(plain), "openingMismatch"),
        case("opening-of-what-another-log-s-origin-hides", opened(elsewhere), "openingMismatch"),
        case("thief-opens-his-copy", opened(copied, key=THIEF), "openingMismatch"),
        case("thief-opens-the-owner-s", opened(key=THIEF), "otherKey"),
        case("owner-opens-the-thief-s-copy", opened(copied), "otherKey"),
        case("part-opens-what-hides-a-proof", entry(part(proof=plain_leaf, opening={
            "hidden": leaf(hides).hex(), "salt": hides_part})), "openingMismatch"),
        case("part-of-nothing", entry(part(proof=unknown)), "unknownEntry"),
        case("part-of-a-commitment", entry(part(proof=run_leaf)), "wrongKind"),
        case("part-of-another-s-proof", entry(part(THIEF, proof=plain_leaf), THIEF), "otherKey"),
        case("anchor-of-nothing", entry(anchor(commitment=unknown)), "unknownEntry"),
        case("anchor-of-another-s-commitment", entry(anchor(commitment=leaf(foreign).hex())),
             "otherKey"),
        case("anchor-of-a-proof", entry(anchor(commitment=plain_leaf)), "wrongKind"),
        case("challenge-of-nothing", entry(challenge(proof=unknown), THIEF), "unknownEntry"),
        case("challenge-of-a-commitment", entry(challenge(proof=run_leaf), THIEF), "wrongKind"),
        case("verdict-on-nothing", judged(proof=unknown, challenge=ZERO), "unknownEntry"),
        case("verdict-on-a-commitment", judged(proof=run_leaf, challenge=ZERO), "wrongKind"),
        case("verdict-of-no-challenge", judged(challenge=unknown), "unknownEntry"),
        case("verdict-whose-challenge-is-a-proof", judged(PROVER, challenge=plain_leaf), "wrongKind"),
        case("verdict-of-another-s-challenge", judged(PROVER), "otherKey"),
        case("verdict-of-another-nonce", judged(nonce=digest("x")), "openingMismatch"),
        case("verdict-on-another-proof", judged(proof=leaf(other).hex()), "openingMismatch"),
        case("verdict-of-a-challenge-to-another-proof", judged(challenge=leaf(crooked).hex()),
             "openingMismatch"),
        case("under-a-withdrawn-key", entry(commitment(WITHDRAWN), WITHDRAWN), "withdrawnKey"),
        case("a-withdrawn-key-withdrawn-again", entry(
            withdrawal(WITHDRAWN, reason="retired"), WITHDRAWN), "withdrawnKey"),
        case("an-end-by-whoever", entry(log_end(PROVER)), "reservedKind"),
        case("an-end-by-the-log-itself", entry(log_end(), LOG), "reservedKind"),
        case("a-beginning-by-whoever", entry(log_begin(PROVER, logOrigin=ORIGIN,
            predecessor=vkey(NEXT, LOG), predecessorSignature=final_head(name=NEXT))), "reservedKind"),
        case("index-root-by-a-stranger", entry(index_root(treeSize=1)), "otherKey"),
        case("not-a-statement", b"more noise", "badEnvelope"),
        case("not-canonical", entry(hidden()) + b"\n", "badEnvelope"),
        case("badly-signed", canonical(envelope(canonical(hidden()), PROVER, signatures=[{
            "keyid": sha(spki(PROVER)).hex(), "sig": b64(bytes(64))}])), "badSignature"),
        case("malformed-statement", entry(hidden(more="x")), "badStatement"),
        case("oversize", canonical(envelope(b"x" * 60000)), "entryTooLong"),
    ]
    for name, make, key in (("hidden", hidden, PROVER), ("anchor", anchor, PROVER),
                            ("part", part, PROVER), ("challenge", challenge, THIEF),
                            ("verdict", verdict, THIEF), ("withdrawal", withdrawal, PROVER),
                            ("index-root", index_root, PROVER)):
        cases.append(case("%s-for-another-log" % name, entry(make(
            logOrigin="example.org/other"), key), "wrongOrigin"))
    write("admission.json", "bytes: an entry that comes after those of `log`, on the log `origin`", cases,
          log=[each.hex() for each in log], origin=ORIGIN)


def worked():
    """What spec/statements.md section 13 shows."""
    for value in (WORKED_HIDDEN, WORKED):
        payload = canonical(value)
        print(len(payload), sha(payload).hex(), leaf(canonical(envelope(payload))).hex())
    print("unopened", unopened_digest(WORKED))
    print("hiding", WORKED_HIDDEN["predicate"]["hidingDigest"])
    hides = entry(WORKED_HIDDEN)
    opened = dict(WORKED, predicate=dict(WORKED["predicate"], opening={
        "hidden": leaf(hides).hex(), "salt": WORKED_SALT}))
    print("opened", len(canonical(opened)), sha(canonical(opened)).hex(), leaf(entry(opened)).hex())
    for make in (anchor, part, challenge, verdict, withdrawal, log_end, log_begin):
        print(canonical(make()).decode(), sha(canonical(make())).hex())
    print(canonical(WORKED_HIDDEN).decode())
    print(canonical(opened).decode())
