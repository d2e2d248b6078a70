#!/usr/bin/env python3
"""A time-stamping authority on this machine (RFC 3161): `openssl ts` behind HTTP, with a root, an authority of
certificates between, and signers good and bad.

    tools/servers/time_authority.py FOLDER [PORT]

makes FOLDER with root.pem in it and serves until it is interrupted. The path of a request says how it is answered:

    /                     as an authority should
    /SIGNER               by another signer of `Authority.signers`
    /past/TIME/SIGNER     with that time in the token, such as 20210203040506Z
    /sorted, /unsorted    with certificates in the order of DER's sets, or in another
    /refused, /truncated, /oversize, /other-digest, /other-nonce, /no-token, /html, /503, /redirect, /silent
"""

import http.server
import pathlib
import subprocess
import sys
import threading
import time

DER = "application/timestamp-reply"
CONFIGURATION = """
[req]
distinguished_name = names
[names]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamping]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[lax]
extendedKeyUsage = timeStamping
[many]
extendedKeyUsage = critical,timeStamping,codeSigning
[anything]
commonName = supplied
[tsa]
default_tsa = stamps
[stamps]
serial = tsa.serial
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
signer_digest = sha256
digests = sha256
accuracy = secs:1, millisecs:500, microsecs:100
ess_cert_id_alg = sha256
[picky]
serial = tsa.serial
default_policy = 1.2.3.4.1
signer_digest = sha256
digests = sha512
ess_cert_id_alg = sha256
"""
ISSUER = """
[{0}]
database = {0}.txt
serial = {0}.serial
crlnumber = {0}.crlnumber
new_certs_dir = .
certificate = {0}.pem
private_key = {0}.key
default_md = sha256
policy = anything
"""
EARLY, LATE = "20200101000000Z", "20400101000000Z"


class Authority:
    """Certificates and keys in a folder, and `openssl ts`."""

    def __init__(self, folder, name="Stamps"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.lock = threading.Lock()
        self.name = name
        issuers = ("root", "between", "stranger")
        self.write("ca.cnf", (CONFIGURATION + "".join(map(ISSUER.format, issuers))).encode())
        for issuer in issuers:
            self.write(f"{issuer}.txt", b"")
            self.write(f"{issuer}.txt.attr", b"unique_subject = no\n")
            self.write(f"{issuer}.serial", b"1000\n")
            self.write(f"{issuer}.crlnumber", b"1000\n")
        self.write("tsa.serial", b"1000\n")
        for issuer in ("root", "stranger"):
            self.key(issuer)
            self.request(issuer, f"/CN={name} Root")
            # Valid long before now, which `req -x509` cannot make.
            self.openssl("ca", "-batch", "-selfsign", "-notext", "-config", "ca.cnf", "-name", issuer, "-extensions",
                         "authority", "-startdate", EARLY, "-enddate", LATE, "-in", f"{issuer}.csr", "-out",
                         f"{issuer}.pem")
        self.certify("between", "authority", subject=f"/CN={name} Between", issuer="root")
        self.certify("tsa", "stamping")
        self.certify("lax", "lax")
        self.certify("many", "many")
        self.certify("old", "stamping", end="20220101000000Z")
        self.certify("other", "stamping", issuer="stranger")

    signers = ("tsa", "lax", "many", "old", "other")

    def write(self, name, data):
        (self.folder / name).write_bytes(data)

    def read(self, name):
        return (self.folder / name).read_bytes()

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout

    def key(self, name):
        self.openssl("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", f"{name}.key")

    def request(self, name, subject):
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-config", "ca.cnf", "-out", f"{name}.csr")

    def certify(self, name, extensions, subject=None, issuer="between", start=EARLY, end=LATE):
        """A certificate for a key of its own; times as `openssl ca` takes them."""
        self.key(name)
        self.request(name, subject or f"/CN={self.name}")
        self.openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-name", issuer, "-extensions", extensions,
                     "-startdate", start, "-enddate", end, "-in", f"{name}.csr", "-out", f"{name}.pem")

    def ending_in(self, name, days):
        """A signer whose certificate ends in so many days."""
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))
        self.certify(name, "stamping", end=end)

    def revoke(self, name, reason=None, issuer="between"):
        self.openssl("ca", "-config", "ca.cnf", "-name", issuer, "-revoke", f"{name}.pem",
                     *(["-crl_reason", reason] if reason else []))

    def revocation_lists(self, out):
        """PEM of the newest lists of root and between."""
        pem = b""
        for issuer in ("root", "between"):
            self.openssl("ca", "-gencrl", "-config", "ca.cnf", "-name", issuer, "-crldays", "3650", "-out", "crl.pem")
            pem += self.read("crl.pem")
        pathlib.Path(out).write_bytes(pem)

    def reply(self, query, signer="tsa", section="stamps"):
        with self.lock:
            self.write("query", query)
            chain = [] if signer == "other" else ["-chain", "between.pem"]
            self.openssl("ts", "-reply", "-config", "ca.cnf", "-section", section, "-queryfile", "query", "-signer",
                         f"{signer}.pem", "-inkey", f"{signer}.key", *chain, "-out", "reply")
            return self.read("reply")

    def resigned_reply(self, query, signer, moment=None):
        """A reply whose token is signed anew, by a signer that `openssl ts` would not take, or with another time."""
        reply = self.reply(query)
        with self.lock:
            token = token_of(reply)
            self.write("token", token)
            self.openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", "token", "-out", "info")
            info = self.read("info")
            if moment:
                place = info.index(b"\x18\x0f")
                self.write("info", info[: place + 2] + moment.encode() + info[place + 17 :])
            self.openssl("cms", "-sign", "-binary", "-nodetach", "-cades", "-econtent_type",
                         "1.2.840.113549.1.9.16.1.4", "-md", "sha256", "-in", "info", "-outform", "DER", "-out",
                         "token", "-certfile", "between.pem", "-signer", f"{signer}.pem", "-inkey", f"{signer}.key")
            return sequence(b"\x30\x03\x02\x01\x00" + self.read("token"))

    def ordered_reply(self, query, is_sorted):
        """A reply with its certificates in the order that DER wants of a set, or in another. `openssl ts` itself writes
        them as they come; rfc3161-client reads the one order alone."""
        reply = self.reply(query)
        wanted = sorted(self.openssl("x509", "-in", f"{name}.pem", "-outform", "DER") for name in ("tsa", "between"))
        both = b"".join(wanted), b"".join(reversed(wanted))
        for order in both:
            reply = reply.replace(order, both[0] if is_sorted else both[1])
        return reply


def header(data, offset=0):
    """Where the contents of a DER value begin and end."""
    length = data[offset + 1]
    start = offset + 2
    if length >= 128:
        count = length & 127
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    return start, start + length


def sequence(contents):
    count = len(contents)
    length = bytes([count]) if count < 128 else bytes([0x82]) + count.to_bytes(2, "big")
    return b"\x30" + length + contents


def token_of(reply):
    start, _ = header(reply)
    return reply[header(reply, start)[1] :]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, body, status=200, kind=DER, **fields):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        query = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), query))
        authority = self.server.authority
        match self.path.strip("/").split("/"):
            case ["past", moment, signer]:
                self.send(authority.resigned_reply(query, signer, moment))
            case ["lax" | "many" | "old" as signer]:
                self.send(authority.resigned_reply(query, signer))
            case ["refused"]:
                self.send(authority.reply(query, section="picky"))
            case ["sorted" | "unsorted" as order]:
                self.send(authority.ordered_reply(query, order == "sorted"))
            case ["truncated"]:
                self.send(authority.reply(query)[:-9])
            case ["oversize"]:
                self.send(authority.reply(query) + bytes(100_000))
            case ["other-digest"]:
                start = query.index(b"\x04\x20") + 2
                self.send(authority.reply(query[:start] + bytes(32) + query[start + 32 :]))
            case ["other-nonce"]:
                start = query.rindex(b"\x02\x08") + 2
                self.send(authority.reply(query[:start] + b"\x41" * 8 + query[start + 8 :]))
            case ["no-token"]:
                self.send(sequence(b"\x30\x03\x02\x01\x00"))
            case ["html"]:
                self.send(b"<html>welcome</html>", kind="text/html")
            case ["503"]:
                self.send(b"", 503, **{"Retry-After": "0"})
            case ["redirect"]:
                self.send(b"", 302, Location="/")
            case ["silent"]:
                self.server.ended.wait(60)
                self.close_connection = True
            case [""]:
                self.send(authority.reply(query, self.server.signer))
            case [signer]:
                self.send(authority.reply(query, signer))
            case _:
                self.send(b"", 404)


class TimeServer:
    """Serves an authority until the block ends. `signer` is who answers at `/`."""

    def __init__(self, authority, port=0):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        # Clients that go away, as one does that is refused more than it takes.
        self.server.handle_error = lambda *_: None
        self.server.authority, self.server.asked, self.server.ended = authority, [], threading.Event()
        self.server.signer = "tsa"
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.ended.set()
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with TimeServer(Authority(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 0) as running:
        print(running.url, flush=True)
        try:
            running.thread.join()
        except KeyboardInterrupt:
            pass
