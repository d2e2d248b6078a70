"""Vectors of encrypted archives: what is refused with the epoch key at hand, and grants (spec/encryption.md §6)."""

from archive_bytes import crc, fixed, le, tag
from archive_cases import INDEX, PACK, Case, D, L, M, X, flip, flipped, host, more, signed
from archive_cipher import (CLAIMS, NORMS, POINT, POLICY, RECORD, RECORD_INDEX, SETTINGS, Cipher, age_file, grant,
                            identity_text, segment_scope)
from archive_plans import encrypted
from archive_writer import Plan, Writer

RECIPIENT, OTHER = fixed("recipient"), fixed("another recipient")
FILES = {"settings.json": SETTINGS, "policy.json": POLICY, "claims.json": CLAIMS, "records.index": RECORD_INDEX,
         "norms": NORMS}


def last(data: bytes) -> bytes:
    return flip(data, len(data) - 1)


def renewed(frame: bytes, at: int, byte: int) -> bytes:
    """A chunk's frame with another byte in its header and a CRC that fits."""
    altered = frame[:at] + bytes([byte]) + frame[at + 1:]
    return altered[:12] + crc(altered[:12] + altered[16:]) + altered[16:]


def cases() -> list[Case]:
    built = Writer(encrypted())
    pack, places = built.files[PACK], built.rows
    frames = [frame for _, frame in built.stored[0]]
    r = "records"

    def frame_edit(name: str, expect: str, comment: str, at: int, byte: int) -> Case:
        return host(f"encrypted-{name}", expect, PACK, comment, base="encrypted", op="replace", offset=16,
                    hex=renewed(frames[0], at, byte)[:16].hex())

    def fault(name: str, expect: str, where: str, comment: str, path: str, change: object,
              *further: tuple[str, object]) -> Case:
        return signed(f"encrypted-{name}", expect, where, comment, base="encrypted")(path, change, *further)

    def with_journal() -> Plan:
        plan = encrypted()
        plan.journal = b"{}\n"
        return plan

    (first, length), (second, other) = places[1], places[2]
    rows = [
        fault("seal-suite-0", M, "seal", "suite 0 with a key epoch", "seal.suite", le(0, 2)),
        fault("seal-epoch-0", M, "seal", "suite 1 without a key epoch", "seal.key epoch", le(0, 4)),
        fault("seal-commitment", "wrongKey", "grant", "the commitment to another epoch key", "seal.key commitment",
              flipped),
        fault("seal-epoch", "wrongKey", "grant", "another key epoch: the commitment is not to this key in it",
              "seal.key epoch", le(4, 4)),
        fault("records-suite-0", M, r, "suite 0 under a seal of suite 1", "records.suite", le(0, 2),
              ("records.epoch", le(0, 4))),
        fault("records-epoch", M, r, "another key epoch than the seal's", "records.epoch", le(4, 4)),
        fault("records-archive-id", M, r, "not the archive id of record 0", "records.archive id", flipped),
        host("encrypted-records-flipped", D, r, "a byte of the ciphertext, CRC as before", base="encrypted",
             op="replace", offset=first + 70, hex="5a5a"),
        fault("record-ciphertext", D, r, "a byte of the ciphertext, CRC renewed", "recordframe.1.sealed", flipped),
        fault("record-tag", D, r, "a byte of the tag, CRC renewed", "recordframe.1.sealed", last),
        fault("record-tag-cut", D, r, "fewer bytes than a tag", "recordframe.1.sealed", lambda v: v[:15]),
        fault("record-object-id", D, r, "an object id in whose nonce a bit is another", "recordframe.1.object id",
              flipped),
        fault("record-object-id-last", D, r, "an object id that gives another key", "recordframe.1.object id", last),
        fault("record-object-id-zero", D, r, "no object id", "recordframe.1.object id", bytes(32)),
        fault("record-identity", M, r, "sealed under an object id that is not the content's",
              "recordframe.1.identity", flipped),
        fault("record-length", D, r, "another raw length than the sealed one", "recordframe.1.record length", more),
        fault("record-as-chunk", D, r, "sealed as a chunk", "recordframe.1.sealed kind", b"\1"),
        host("encrypted-records-swapped", D, r, "two records change places", base="encrypted", op="swap",
             a=[first, length], b=[second, other]),
        fault("envelope-suite-0", M, r, "an envelope of suite 0", "envelope.1.suite", le(0, 2)),
        fault("envelope-key", D, PACK, "another object key", "envelope.2.row 0 key", flipped),
        fault("envelope-keys-cut", M, r, "a key fewer than rows", "envelope.2.row 0 key", b""),
        frame_edit("frame-codec", D, "another codec than the sealed one, CRC renewed", 2, 1),
        frame_edit("frame-parameter", D, "another parameter than the sealed one, CRC renewed", 3, 1),
        frame_edit("frame-raw-length", D, "another raw length than the sealed one, CRC renewed", 8, 65),
        host("encrypted-pack-flipped", D, PACK, "a byte of the ciphertext, CRC as before", base="encrypted",
             op="replace", offset=40, hex="5a5a"),
        fault("frame-ciphertext", D, PACK, "a byte of the ciphertext, CRC renewed", "frame.0.0.sealed", flipped),
        fault("frame-only-tag", M, PACK, "a payload of a tag alone", "frame.0.0.sealed", lambda v: v[:16]),
        fault("frame-payload-limit", L, PACK, "a payload of the chunk size and 17 bytes",
              "frame.0.0.payload length", le(65536 + 17, 4)),
        fault("frame-identity", M, INDEX, "sealed under an object id that is not the content's",
              "frame.0.0.identity", flipped),
        fault("index-id", D, PACK, "an object id in whose nonce a bit is another", "index.0.row 0 id", flipped),
        fault("index-id-last", M, INDEX, "an object id that is not the content's", "index.0.row 0 id", last),
        fault("point-ciphertext", D, "dataset/points", "a byte of a data point", "point.1.sealed", flipped),
        fault("point-tag-cut", M, "dataset/points", "a data point shorter than its tag", "point.1.sealed",
              lambda v: v[:15]),
        fault("point-as-record", D, "dataset/points", "a data point sealed as a record", "point.1.sealed kind", b"\2"),
        fault("point-identity", M, "dataset/points", "sealed under an object id that is not the content's",
              "point.1.identity", flipped),
        fault("settings-other", D, "settings.json", "sealed: other settings", "plain.settings.json", b"{}"),
        fault("policy-other", D, "policy.json", "sealed: another policy", "plain.policy.json", b"{}"),
        fault("norms-row", M, "norms", "sealed and signed: not the norms of the record", "norms.row 0 norms", flipped),
        fault("recindex-crc", D, "records.index", "sealed: the CRC of the table", "recindex.crc", flipped),
        Case("encrypted-journal", M, "objects", "a journal", "encrypted", plan=with_journal()),
        Case("encrypted-settings-policy", M, "settings.json", "the policy's bytes under the name of the settings",
             "encrypted", faults={"file.settings.json": built.files["policy.json"]}),
        Case("encrypted-settings-clear", M, "settings.json", "settings that are not encrypted", "encrypted",
             faults={"file.settings.json": encrypted().settings}),
    ]
    for name in FILES:
        short = name.partition(".")[0] if name != "records.index" else "recindex"
        rows += [
            fault(f"{short}-magic", M, name, "another magic", f"file.{name}.magic", b"polencf2"),
            fault(f"{short}-kind", M, name, "another object kind than the name says", f"file.{name}.kind", b"\2"),
            fault(f"{short}-zeros", M, name, "reserved bytes", f"file.{name}.zeros", b"\0\0\1"),
            fault(f"{short}-length", M, name, "another length than the file's", f"file.{name}.length", more),
            fault(f"{short}-length-limit", L, name, "2^30 + 1 bytes", f"file.{name}.length", le(2**30 + 1, 4)),
            fault(f"{short}-id", D, name, "another object id", f"file.{name}.object id", last),
            fault(f"{short}-ciphertext", D, name, "a byte of the tag", f"file.{name}.sealed", last),
            fault(f"{short}-sealed-kind", D, name, "sealed as another kind", f"file.{name}.sealed kind", b"\1"),
            fault(f"{short}-identity", M, name, "sealed under an object id that is not the content's",
                  f"file.{name}.identity", flipped),
            host(f"encrypted-missing-{short}", X, name, "the file is not there", base="encrypted", op="delete"),
        ]
    assert len(pack) == 16 + sum(map(len, frames))
    return rows


def grants() -> list[dict[str, object]]:
    """Age files, each with the identity that is tried; `expect` is `accepted` or an error of encryption.md §9."""
    built = Writer(encrypted())
    cipher = built.cipher
    assert cipher is not None
    digest = tag("seal-digest", built.files["seal"])
    rows: list[dict[str, object]] = []

    def row(name: str, expect: str, comment: str, plain: bytes, segments: list[int] | None = None,
            secret: bytes = RECIPIENT, where: str = "grant") -> None:
        rows.append({"id": name, "comment": comment, "identity": identity_text(secret),
                     "grant": age_file(plain, RECIPIENT, name).hex(), "segments": segments, "expect": expect,
                     "where": where})

    def keys(segments: list[int], points: list[int]) -> dict[tuple[int, int], bytes]:
        found = {(kind, 0): cipher.object_key(kind, built.files[name][16:48]) for name, kind in FILES.items()}
        found |= {(RECORD, n): built.record_keys[n] for n in {0, *(s + k for s in segments for k in (1, 2))}}
        return found | {(POINT, index): built.point_keys[index] for index in points}

    def part(segments: list[int], found: dict[tuple[int, int], bytes], maker: Cipher = cipher,
             seal: bytes = digest) -> bytes:
        return grant(maker, seal, segment_scope(segments, found), 1)

    other_archive = Cipher(fixed("other id"), cipher.epoch, cipher.epoch_key)
    other_epoch = Cipher(cipher.archive_id, 4, cipher.epoch_key)
    row("whole", "accepted", "the epoch key", grant(cipher, digest, cipher.epoch_key, 0))
    row("segment-0", "accepted", "records 1 and 2, data points 0 and 2", part([0], keys([0], [0, 2])), [0])
    row("segment-1", "accepted", "records 2 and 3, data point 1", part([1], keys([1], [1])), [1])
    row("both-segments", "accepted", "everything, key by key", part([0, 1], keys([0, 1], [0, 1, 2])), [0, 1])
    row("no-segment", "accepted", "the opening and the tables alone", part([], keys([], [])), [])
    row("more-points", "accepted", "a data point that the segment does not use", part([1], keys([1], [0, 1])), [1])
    row("other-recipient", "wrongKey", "an identity that the file is not for",
        grant(cipher, digest, cipher.epoch_key, 0), secret=OTHER)
    row("other-archive", "otherArchive", "for another archive", grant(other_archive, digest, cipher.epoch_key, 0))
    row("other-epoch", "otherEpoch", "for another key epoch", grant(other_epoch, digest, cipher.epoch_key, 0))
    row("other-seal", "otherSeal", "for another seal", grant(cipher, fixed("seal"), cipher.epoch_key, 0))
    row("other-key", "wrongKey", "another epoch key", grant(cipher, digest, fixed("other key"), 0))
    row("segment-other-archive", "otherArchive", "keys for another archive",
        part([0], keys([0], [0, 2]), other_archive), [0])
    row("segment-other-epoch", "otherEpoch", "keys for another epoch", part([0], keys([0], [0, 2]), other_epoch), [0])
    row("segment-other-seal", "otherSeal", "keys for another seal",
        part([0], keys([0], [0, 2]), seal=fixed("seal")), [0])
    row("point-missing", "outsideGrant", "no key for a data point that the segment uses",
        part([0], keys([0], [0])), [0])
    row("claims-missing", "outsideGrant", "no key for the claims, which are there",
        part([0], {name: key for name, key in keys([0], [0, 2]).items() if name[0] != CLAIMS}), [0])
    for name, kind, number, where in (("record", RECORD, 1, "records"), ("opening", RECORD, 0, "records"),
                                      ("settings", SETTINGS, 0, "settings.json"),
                                      ("norms", NORMS, 0, "norms"), ("index", RECORD_INDEX, 0, "records.index"),
                                      ("point", POINT, 2, "dataset/points")):
        found = keys([0], [0, 2])
        row(f"{name}-key", D, f"a key that does not open the {name}",
            part([0], found | {(kind, number): flipped(found[kind, number])}), [0], where=where)
    swapped = keys([0], [0, 2])
    swapped[RECORD, 1], swapped[RECORD, 2] = swapped[RECORD, 2], swapped[RECORD, 1]
    row("keys-swapped", D, "the keys of two records change places", part([0], swapped), [0], where="records")
    row("magic", M, "no grant inside", b"polgrnt2" + grant(cipher, digest, cipher.epoch_key, 0)[8:])
    row("after", M, "a byte after the epoch key", grant(cipher, digest, cipher.epoch_key + b"\0", 0))
    return rows
