#!/usr/bin/env python3
"""Writes testvectors/time: what a time-stamping authority answered once.

Signatures and times are others with each run, so nothing compares the files with a new run: they are kept for the
tests and the fuzz corpus, and made anew only when the format of a case changes.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/servers"))
from time_authority import Authority, token_of

OUT = ROOT / "testvectors/time"
QUERY = bytes.fromhex("30430201013031300d060960864801650304020105000420"
                      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
                      "020841020304050607080101ff")
PAST = "20210203040506Z"


def main():
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder + "/tsa", "Vectors")

        def put(name, data):
            (OUT / name).write_bytes(data)

        def query(digest):
            return QUERY[:24] + digest + QUERY[56:]

        put("query.tsq", QUERY)
        first = authority.resigned_reply(QUERY, "old", PAST)
        put("reply.tsr", first)
        put("token.tst", token_of(first))
        # Before and after the first one's certificate ends, on 2022-01-01.
        over = query(hashlib.sha256(token_of(first)).digest())
        put("renewal.tst", token_of(authority.resigned_reply(over, "tsa", "20210901040506Z")))
        put("late.tst", token_of(authority.resigned_reply(over, "tsa", "20230901040506Z")))
        put("unsorted.tst", token_of(authority.ordered_reply(QUERY, False)))
        put("refused.tsr", authority.reply(QUERY, section="picky"))
        put("many.tst", token_of(authority.resigned_reply(QUERY, "many", PAST)))
        for name in ("root", "stranger", "between"):
            put(f"{name}.cer", authority.openssl("x509", "-in", f"{name}.pem", "-outform", "DER"))
        put("certificates.pem", b"".join(authority.read(f"{name}.pem") for name in ("root", "between")))
        authority.revoke("old", "superseded")
        authority.revocation_lists(folder + "/lists.pem")
        lists = pathlib.Path(folder, "lists.pem").read_bytes()
        put("lists.pem", lists)
        put("between.crl", subprocess.run(["openssl", "crl", "-outform", "DER"], input=authority.read("crl.pem"),
                                          capture_output=True, check=True).stdout)


main()
