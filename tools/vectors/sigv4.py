#!/usr/bin/env python3
"""Writes testvectors/sigv4/requests.json: S3 requests signed by botocore, the signer of Amazon's own tools.

    sigv4.py OUT            writes OUT/requests.json
    sigv4.py --check OUT    says whether it is what would be written

Drawn by a fixed seed: running it again gives the same bytes.
"""

import hashlib
import json
import pathlib
import random
import sys
import urllib.parse

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

COUNT = 240
# What a key, a query or a header may hold and what goes wrong with each.
PIECES = [
    "a", "Z", "0", "-", "_", ".", "~", " ", "  ", "+", "%", "%20", "%2F", "&", "=", "?", "#", "ü", "日本",
    "🙂", "é", "e\u0301", "!", "'", "(", ")", "*", ";", ":", "@", "$", ",", "[", "]", "\\", "^", "`", "{", "|",
    "}", "<", ">", '"', "..", "//", "packs", "00000000.pack",
]
# Header values are ASCII that libcurl passes on.
HEADER_PIECES = ["a", "Z", "9", " ", "  ", "\t", ";", ":", ",", "=", "/", "*", '"x"', "bytes=0-9"]
HEADERS = ["Range", "If-None-Match", "x-amz-meta-pol-sha256", "x-amz-meta-a", "X-Amz-Meta-B", "Content-Type",
           "x-amz-acl", "X-Amz-Storage-Class", "x-amz-meta-a-b", "x-amz-meta-A1"]
METHODS = ["GET", "PUT", "HEAD", "POST", "DELETE"]
REGIONS = ["us-east-1", "eu-central-1", "default", "auto", "ap-southeast-2"]


def words(rng, pieces, least, most):
    return "".join(rng.choice(pieces) for _ in range(rng.randint(least, most)))


def time_of(rng):
    return "20%02d%02d%02dT%02d%02d%02dZ" % (
        rng.randint(0, 99), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23),
        rng.randint(0, 59), rng.randint(0, 59))


def case(number):
    rng = random.Random(f"pol sigv4 {number}")
    key = words(rng, PIECES, 0, 9)
    path = "/" + urllib.parse.quote("bucket/" + key if number % 5 else key, safe="/~")
    query = [[words(rng, PIECES, 1, 3), words(rng, PIECES, 0, 4)] for _ in range(rng.choice([0, 0, 1, 2, 5]))]
    # A name twice is legal and sorted by value.
    if query and number % 7 == 0:
        query.append([query[0][0], words(rng, PIECES, 0, 4)])
    headers = [[name, words(rng, HEADER_PIECES, 1, 6).strip() or "v"]
               for name in rng.sample(HEADERS, rng.randint(0, len(HEADERS)))]
    payload = rng.randbytes(rng.choice([0, 0, 1, 64]))
    host = rng.choice(["127.0.0.1:17480", "s3.eu-central-1.amazonaws.com", "localhost", "Storage.Example.org:8443"])
    time = time_of(rng)
    region = rng.choice(REGIONS)
    access = "AK" + words(rng, list("ABCDEFGH0123"), 4, 18)
    secret = words(rng, list("abcXYZ019+/="), 8, 40)
    token = words(rng, list("abcXYZ019+/="), 8, 60) if number % 3 == 0 else None

    digest = hashlib.sha256(payload).hexdigest()
    text = "&".join(f"{quote(k)}={quote(v)}" for k, v in query)
    url = f"https://{host}{path}" + ("?" + text if text else "")
    request = AWSRequest(method=rng.choice(METHODS), url=url, data=payload)
    for name, value in headers:
        request.headers[name] = value
    request.headers["Host"] = host
    request.headers["X-Amz-Content-SHA256"] = digest
    request.context["timestamp"] = time
    signer = S3SigV4Auth(Credentials(access, secret, token), "s3", region)
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    return {
        "id": f"{number:03}", "method": request.method, "path": path, "query": query,
        "headers": [[name, value] for name, value in request.headers.items()],
        "payloadDigest": digest, "time": time, "region": region, "accessKey": access,
        "secretKey": secret, "canonicalDigest": hashlib.sha256(canonical.encode()).hexdigest(),
        "authorization": f"AWS4-HMAC-SHA256 Credential={access}/{time[:8]}/{region}/s3/aws4_request, "
                         f"SignedHeaders={names}, Signature={signature}",
    }


def quote(text):
    return urllib.parse.quote(text, safe="-_.~")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    place = pathlib.Path(arguments[0]) / "requests.json"
    text = "[\n" + ",\n".join(json.dumps(case(n), ensure_ascii=True) for n in range(COUNT)) + "\n]\n"
    if "--check" in sys.argv[1:]:
        if place.read_text() != text:
            sys.exit(f"error: {place} is not what botocore signs")
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


if __name__ == "__main__":
    main()
