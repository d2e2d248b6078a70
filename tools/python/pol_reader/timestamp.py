"""RFC 3161 tokens (spec/time.md): what one says, and whether somebody who is trusted says it."""

import calendar
import hashlib
import re
import time as clocks
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from . import der
from .hashing import sha256
from .refusal import Refusal

TOKEN_LIMIT = 65_535
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
HASHES = {"2.16.840.1.101.3.4.2.1": hashes.SHA256, "2.16.840.1.101.3.4.2.2": hashes.SHA384,
          "2.16.840.1.101.3.4.2.3": hashes.SHA512}
SHA256_OID = "2.16.840.1.101.3.4.2.1"
CHAIN_LIMIT = 8
# RFC 3161 §4: put out of use, so that what was signed before stays.
OUT_OF_USE = {x509.ReasonFlags.unspecified, x509.ReasonFlags.affiliation_changed, x509.ReasonFlags.superseded,
              x509.ReasonFlags.cessation_of_operation}


def _untrusted(what: str) -> Refusal:
    return Refusal("untrustedTime", der.WHERE, what)


@dataclass(frozen=True)
class Standing:
    """What a token that holds is worth; seconds since 1970."""

    authority: str
    valid_until: int
    not_revoked_until: int | None


@dataclass(frozen=True)
class Token:
    imprint: bytes
    time: int
    _info: bytes
    _certificates: list[x509.Certificate]
    _signer: der.Element

    @classmethod
    def parse(cls, data: bytes) -> "Token":
        if len(data) > TOKEN_LIMIT:
            raise der.bad(f"{len(data)} bytes")
        try:
            return cls._parse(data)
        except (IndexError, ValueError) as error:
            raise der.bad(f"it has not the form of a token ({error})") from None

    @classmethod
    def _parse(cls, data: bytes) -> "Token":
        kind, content = der.parse(data).as_(der.SEQUENCE).items()
        if kind.oid() != SIGNED_DATA:
            raise der.bad("no signed message")
        signed, = content.as_(0xA0).items()
        parts = signed.as_(der.SEQUENCE).items()
        _, _, inner, *rest = parts
        inner_kind, inner_content = inner.as_(der.SEQUENCE).items()
        if inner_kind.oid() != TST_INFO:
            raise der.bad("what is signed is no time stamp")
        info, = inner_content.as_(0xA0).items()
        certificates = []
        for each in rest:
            if each.tag == 0xA0:
                certificates = [x509.load_der_x509_certificate(one.whole) for one in each.items() if one.tag == der.SEQUENCE]
        signers = rest[-1].as_(der.SET).items()
        if len(signers) != 1:
            raise der.bad(f"{len(signers)} signatures")
        imprint, moment = cls._info_of(info.as_(der.OCTETS).body)
        return cls(imprint, moment, info.body, certificates, signers[0])

    @staticmethod
    def _info_of(data: bytes) -> tuple[bytes, int]:
        version, policy, imprint, serial, moment, *rest = der.parse(data).as_(der.SEQUENCE).items()
        policy.oid()
        serial.number()
        if version.number() != 1:
            raise der.bad("another version than 1")
        algorithm, digest = imprint.as_(der.SEQUENCE).items()
        if algorithm.items()[0].oid() != SHA256_OID or len(digest.as_(der.OCTETS).body) != 32:
            raise der.bad("over another hash than SHA-256")
        text = moment.as_(der.TIME).body.decode("ascii")
        found = re.fullmatch(r"(\d{14})(?:\.\d*[1-9])?Z", text, re.ASCII)
        if not found:
            raise der.bad("a time that is none")
        for each in rest:
            if each.tag == der.INTEGER and each.number() < 0:
                raise der.bad("a negative nonce")
            if each.tag == 0xA1:
                for extension in each.items():
                    if extension.items()[1].tag == 0x01:
                        raise der.bad("a critical extension")
        return digest.body, calendar.timegm(clocks.strptime(found[1], "%Y%m%d%H%M%S"))

    def check(self, roots: list[bytes], between: list[bytes], lists: list[bytes]) -> Standing:
        """Judged at the token's own time (spec/time.md §4)."""
        try:
            known = self._certificates + [x509.load_der_x509_certificate(each) for each in between]
            trusted = [x509.load_der_x509_certificate(each) for each in roots]
            signer = self._signed_by(known)
            chain = self._chain(signer, known, trusted)
            return Standing(signer.subject.rfc4514_string(),
                            min(int(each.not_valid_after_utc.timestamp()) + 1 for each in chain),
                            self._revocation(chain, lists))
        except (IndexError, ValueError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
            raise _untrusted(f"a certificate or the signature is malformed ({error})") from None

    def _signed_by(self, known: list[x509.Certificate]) -> x509.Certificate:
        _, issuer, algorithm, attributes, signature_kind, signature, *_ = self._signer.as_(der.SEQUENCE).items()
        name, serial = issuer.as_(der.SEQUENCE).items()
        hasher = HASHES.get(algorithm.items()[0].oid())
        if hasher is None:
            raise _untrusted("signed over another hash")
        values = {}
        for each in attributes.as_(0xA0).items():
            kind, value = each.items()
            if kind.oid() in values:
                raise _untrusted("a signed attribute twice")
            values[kind.oid()], = value.as_(der.SET).items()
        if values[CONTENT_TYPE].oid() != TST_INFO if CONTENT_TYPE in values else True:
            raise _untrusted("the signed attributes name no time stamp")
        state = hashes.Hash(hasher())
        state.update(self._info)
        if MESSAGE_DIGEST not in values or values[MESSAGE_DIGEST].body != state.finalize():
            raise _untrusted("another digest is signed")
        message = b"\x31" + attributes.whole[1:]
        for certificate in known:
            if (certificate.issuer.public_bytes() == name.whole and certificate.serial_number == serial.number()
                    and _is_named(certificate, values)):
                _check_signature(certificate.public_key(), signature.as_(der.OCTETS).body, message, hasher(),
                                 signature_kind.items()[0].oid())
                return certificate
        raise _untrusted("the signer's certificate is not there")

    def _chain(self, signer: x509.Certificate, known: list[x509.Certificate],
               trusted: list[x509.Certificate]) -> list[x509.Certificate]:
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
            raise _untrusted("a certificate that is not for time stamps alone")
        if not _may(signer, "digital_signature", "content_commitment"):
            raise _untrusted("a key that is not for signing")

        def climb(chain: list[x509.Certificate]) -> list[x509.Certificate] | None:
            if not _is_strong_and_valid(chain[-1], self.time):
                return None
            if chain[-1] in trusted:
                return chain
            if len(chain) == CHAIN_LIMIT:
                return None
            for issuer in (*trusted, *known):
                if issuer not in chain and _issued(issuer, chain[-1], len(chain) - 1):
                    found = climb([*chain, issuer])
                    if found:
                        return found
            return None

        chain = climb([signer])
        if chain is None or len(chain) < 2:
            raise _untrusted("no way to a chosen root at the token's time")
        return chain

    def _revocation(self, chain: list[x509.Certificate], lists: list[bytes]) -> int | None:
        until = []
        for certificate, issuer in zip(chain, chain[1:]):
            covered = []
            for data in lists:
                one = x509.load_der_x509_crl(data)
                if (one.issuer != issuer.subject or any(each.critical for each in one.extensions)
                        or not one.is_signature_valid(issuer.public_key())):
                    continue
                entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
                if entry is not None:
                    self._judge(entry)
                covered.append(int(one.last_update_utc.timestamp()))
            until.append(max(covered, default=None))
        return None if None in until else min(until)

    def _judge(self, entry: x509.RevokedCertificate) -> None:
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except x509.ExtensionNotFound:
            reason = None
        if reason == x509.ReasonFlags.remove_from_crl:
            return
        if reason not in OUT_OF_USE or entry.revocation_date_utc.timestamp() <= self.time:
            raise Refusal("revokedTime", der.WHERE, f"a certificate was revoked ({reason})")


def _is_named(certificate: x509.Certificate, values: dict[str, der.Element]) -> bool:
    """Whether the signed attributes name this certificate by hash (RFC 5816)."""
    whole = certificate.public_bytes(Encoding.DER)
    if SIGNING_CERTIFICATE_V2 in values:
        first = values[SIGNING_CERTIFICATE_V2].items()[0].items()[0].items()
        name = SHA256_OID
        if first[0].tag == der.SEQUENCE:
            name = first.pop(0).items()[0].oid()
        if name not in HASHES:
            return False
        state = hashes.Hash(HASHES[name]())
        state.update(whole)
        return first[0].as_(der.OCTETS).body == state.finalize()
    if SIGNING_CERTIFICATE in values:
        first = values[SIGNING_CERTIFICATE].items()[0].items()[0].items()
        return first[0].as_(der.OCTETS).body == hashlib.sha1(whole).digest()
    return False


def _check_signature(key: object, signature: bytes, message: bytes, hasher: hashes.HashAlgorithm, kind: str) -> None:
    try:
        if isinstance(key, rsa.RSAPublicKey) and kind.startswith("1.2.840.113549.1.1.") and not kind.endswith(".10"):
            key.verify(signature, message, padding.PKCS1v15(), hasher)
        elif isinstance(key, ec.EllipticCurvePublicKey) and kind.startswith("1.2.840.10045."):
            key.verify(signature, message, ec.ECDSA(hasher))
        else:
            raise _untrusted("signed in a way that is not known here")
    except InvalidSignature:
        raise _untrusted("the signature does not hold") from None


def _may(certificate: x509.Certificate, *uses: str) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return any(getattr(usage, each) for each in uses)


def _is_strong_and_valid(certificate: x509.Certificate, time: int) -> bool:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        return False
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 224:
        return False
    return certificate.not_valid_before_utc.timestamp() <= time <= certificate.not_valid_after_utc.timestamp()


def _issued(issuer: x509.Certificate, certificate: x509.Certificate, below: int) -> bool:
    """`below` is how many certificates that are no root's stand between the signer and this issuer."""
    hasher = certificate.signature_hash_algorithm
    if hasher is not None and hasher.digest_size < 28 or not _may(issuer, "key_cert_sign"):
        return False
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return basic.ca and (basic.path_length is None or below <= basic.path_length)


def imprint_of(data: bytes) -> bytes:
    return sha256(data)
