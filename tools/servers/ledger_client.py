"""What the checks of `pol ledger serve` share: a running service, requests to it, and entries to add."""

import base64
import hashlib
import http.client
import json
import os
import signal
import subprocess

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

POL = os.environ["POL_BIN"]
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
PROOF = "text/x.tlog.proof"


class Answer:
    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.headers}\n{self.body[:500]}"


class Service:
    """A `pol ledger serve` that runs until the block ends."""

    def __init__(self, folder, *options, prefix=()):
        self.log = open(f"{folder}.serve.log", "ab")
        self.process = subprocess.Popen([*prefix, POL, "ledger", "serve", folder, "--listen", "127.0.0.1:0", "--json", *options],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"error: the service did not start: {text}{open(self.log.name).read()}")
            text += line
        self.started = json.loads(text)
        if "url" not in self.started:
            raise SystemExit(f"error: the service did not start: {text}")
        self.url = self.started["url"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def connection(self, timeout=60, source=None):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout, source_address=source)

    def ask(self, method, path, body=None, headers=None, connection=None, **options):
        own = connection or self.connection(**options)
        try:
            headers = headers or {}
            own.request(method, path, body=body, headers=headers, encode_chunked="Transfer-Encoding" in headers)
            return Answer(own.getresponse())
        finally:
            if connection is None:
                own.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def add(self, body, accept="application/json", type=ENVELOPE, **options):
        headers = {} if accept is None else {"Accept": accept}
        if type:
            headers["Content-Type"] = type
        return self.ask("POST", "/add", body, headers, **options)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        self.process.stdout.close()
        status = self.process.wait(60)
        self.log.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Prover:
    """Signs commitments, each another one."""

    def __init__(self, seed=7):
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(spki).hexdigest()

    def commitment(self, number, origin="test.invalid/log"):
        def digest(text):
            return hashlib.sha256(text.encode()).hexdigest()

        secret = digest(f"secret {number}")
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": {"datasetRoot": digest("data"), "logOrigin": origin, "policyDigest": digest("policy"),
                          "proverKey": self.public.hex(), "runSecretDigest": secret, "settingsDigest": digest("A")},
            "predicateType": "https://pol.dev/commitment/v1",
            "subject": [{"digest": {"sha256": secret}, "name": "run"}],
        }
        return self.envelope(json.dumps(statement, separators=(",", ":"), sort_keys=True).encode())

    def envelope(self, payload):
        kind = "application/vnd.in-toto+json"
        signature = self.key.sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
        envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": kind,
                    "signatures": [{"keyid": self.key_id, "sig": base64.b64encode(signature).decode()}]}
        return json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode()


def tile_path(kind, index, width=256):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"/tile/{kind}/{'/'.join(groups)}" + (f".p/{width}" if width < 256 else "")


def entry_at(service, index):
    """An entry's bytes, by way of the tree head and its bundle."""
    size = int(service.get("/checkpoint").body.split(b"\n")[1])
    width = min(256, size - index // 256 * 256)
    data = service.get(tile_path("entries", index // 256, width)).body
    for _ in range(index % 256):
        data = data[2 + int.from_bytes(data[:2], "big"):]
    return data[2:2 + int.from_bytes(data[:2], "big")]
