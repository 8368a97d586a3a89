"""Talks to a certificate authority, one step of an order at a time. Run by path as a helper process, never imported.

The manager gives it all it needs as JSON on standard input, and takes what comes on standard output: nothing is kept
here, no file is written, and who runs it may read none of the manager's. A step that fails says why, in `error`.

    begin: directory, contact, ca, account, names, challenge → account, order, key, csr, proofs
    finish: directory, ca, account, order, csr, proofs → chain

It needs the library acme, with josepy and cryptography, which is an extra of this package.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import hashlib
import json
import os
import signal
import sys
import time
from typing import Any

MISSING = "the library acme is not installed: python -m pip install 'wsgigroups[acme]'"
USER_AGENT = "wsgigroups"
REQUEST_TIMEOUT_S = 20
PATIENCE_S = 90.0  # for the authority to look at the proofs, and again for it to make the certificate
HUNG_S = 240  # a manager that died does not end its helper
FIRST_POLL_S, LONGEST_POLL_S = 0.1, 5.0
ACCOUNT_KEY_BITS = 2048
PROOF_DAYS = 7
_ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31"  # RFC 8737 section 3

try:
    from acme import challenges, client, messages
    from acme import errors as acme_errors
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID
    from josepy.b64 import b64encode
    from josepy.jwk import JWKRSA
    from josepy.util import ComparableRSAKey
except ImportError as _error:
    _lacking: str = f"{MISSING} ({_error})"
else:
    _lacking = ""


class AskingError(Exception):
    """The step cannot be done; the text says why."""


class Asker:
    """One connection to an authority."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.account: dict[str, Any] | None = asked.get("account")
        self.retry_after_s: float | None = None
        if self.account:
            key: Any = JWKRSA.from_json(self.account["key"])
        else:
            made = rsa.generate_private_key(public_exponent=65537, key_size=ACCOUNT_KEY_BITS)
            key = JWKRSA(key=ComparableRSAKey(made))
        self.key = key
        registration = None
        if self.account:
            registration = messages.RegistrationResource(uri=self.account["uri"], body=messages.Registration())
        verify: Any = _in_memory(asked["ca"]) if asked["ca"] else True
        net = client.ClientNetwork(
            key, account=registration, verify_ssl=verify, user_agent=USER_AGENT, timeout=REQUEST_TIMEOUT_S
        )
        net.session.trust_env = False
        net.session.hooks["response"].append(self._heed)
        self.net = net
        self.client = client.ClientV2(client.ClientV2.get_directory(asked["directory"], net), net)

    def _heed(self, response: Any, *_arguments: Any, **_named: Any) -> None:
        """Note how long the authority wants to be left alone."""
        text = response.headers.get("Retry-After")
        self.retry_after_s = seconds_of(text) if text else None

    def begin(self) -> dict[str, Any]:
        """Register where that has not been done, and make an order."""
        if self.account is None:
            contact = tuple(self.asked["contact"])
            registration = messages.NewRegistration(
                key=self.key.public_key(), contact=contact, terms_of_service_agreed=True
            )
            made = self.client.new_account(registration)
            self.account = {"key": self.key.to_json(), "uri": made.uri}
        key, csr = _request_for(self.asked["names"])
        order = self.client.new_order(csr)
        return {
            "order": {"uri": order.uri, "body": order.body.json_dumps()},
            "key": key.decode(),
            "csr": csr.decode(),
            "proofs": [proof for item in order.authorizations if (proof := self._proof(item)) is not None],
        }

    def _proof(self, authorization: Any) -> dict[str, str] | None:
        """What has to be shown for a name; None where the authority knows already that it is ours."""
        body = authorization.body
        if body.status == messages.STATUS_VALID:
            return None
        wanted = self.asked["challenge"]
        name = body.identifier.value
        for item in body.challenges:
            typ = (
                item.chall.jobj.get("type")
                if isinstance(item.chall, challenges.UnrecognizedChallenge)
                else item.chall.typ
            )
            if typ != wanted:
                continue
            if isinstance(item.chall, challenges.UnrecognizedChallenge):
                token = item.chall.jobj["token"]
            else:
                token = item.chall.encode("token")
            thumbprint = b64encode(self.key.thumbprint(hash_function=hashes.SHA256)).decode()
            text = f"{token}.{thumbprint}"
            proof = {"name": name, "url": item.uri, "token": token, "text": text}
            if wanted == "tls-alpn-01":
                chain, key = _proving(name, text)
                proof.update(chain=chain.decode(), key=key.decode())
            return proof
        raise AskingError(f"the authority does not offer {wanted} for {name}")

    def finish(self) -> dict[str, Any]:
        """Have the authority look at the proofs, and take the certificate."""
        order = self.asked["order"]
        body = messages.Order.json_loads(order["body"])
        for proof in self.asked["proofs"]:
            self._post(proof["url"], _looked_at())
        until = time.monotonic() + PATIENCE_S
        for url in body.authorizations:
            found = self._settled(url, ("pending", "processing"), until)
            if found["status"] != "valid":
                raise AskingError(_why(found))
        resource = messages.OrderResource(
            body=body, uri=order["uri"], authorizations=(), csr_pem=self.asked["csr"].encode()
        )
        self._settled(order["uri"], ("pending",), until)
        self.client.begin_finalization(resource)
        found = self._settled(order["uri"], ("pending", "ready", "processing"), time.monotonic() + PATIENCE_S)
        if found["status"] != "valid":
            raise AskingError(f"the order is {found['status']}: {_detail(found.get('error'))}")
        return {"chain": self._post(found["certificate"], None).text}

    def _settled(self, url: str, passing: tuple[str, ...], until: float) -> dict[str, Any]:
        """Ask for a resource until its status is another than these, and return it."""
        wait_s = FIRST_POLL_S
        while True:
            response = self._post(url, None)
            found: dict[str, Any] = response.json()
            if found["status"] not in passing:
                return found
            wait_s = max(self.retry_after_s or 0.0, wait_s)
            if time.monotonic() + wait_s > until:
                raise AskingError(f"the authority came to no end within {PATIENCE_S:g} s: it says {found['status']}")
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_POLL_S)

    def _post(self, url: str, what: Any) -> Any:
        return self.net.post(url, what, new_nonce_url=self.client.directory["newNonce"])


def _looked_at() -> Any:
    """What says that a proof can be looked at: an empty object (RFC 8555 section 7.5.1)."""
    return challenges.HTTP01Response(key_authorization="")


def seconds_of(text: str) -> float | None:
    """How many seconds a Retry-After asks for (RFC 9110 section 10.2.3); None for what is none."""
    if text.strip().isdecimal():
        return float(text)
    with contextlib.suppress(ValueError, TypeError):
        moment = email.utils.parsedate_to_datetime(text)
        return max(0.0, moment.timestamp() - dt.datetime.now(dt.timezone.utc).timestamp())
    return None


def _why(authorization: dict[str, Any]) -> str:
    name = authorization["identifier"]["value"]
    found = [_detail(item["error"]) for item in authorization.get("challenges", []) if item.get("error")]
    return f"{name} could not be proved: {'; '.join(found) or 'the authority does not say why'}"


def _detail(error: Any) -> str:
    return str(error.get("detail") or error.get("type") or error) if isinstance(error, dict) else "it does not say why"


def _request_for(names: list[str]) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    names_field = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names_field, False)
    return _key_text(key), request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _proving(name: str, text: str) -> tuple[bytes, bytes]:
    """A certificate that shows a key authorization, and its key (RFC 8737 section 3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme challenge")])
    now = dt.datetime.now(dt.timezone.utc)
    digest = hashlib.sha256(text.encode()).digest()
    proof = x509.UnrecognizedExtension(x509.ObjectIdentifier(_ACME_IDENTIFIER), b"\x04\x20" + digest)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=PROOF_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(proof, True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), _key_text(key)


def _key_text(key: Any) -> bytes:
    plain = serialization.NoEncryption()
    text: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return text


def _in_memory(text: str) -> str:
    """Return a path of a file that holds this, and is gone with us."""
    fd = os.memfd_create("wsgigroups-authorities")
    os.write(fd, text.encode())
    return f"/proc/self/fd/{fd}"


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Do a step; what comes back has `account` wherever there is one."""
    if _lacking:
        return {"error": _lacking}
    asker: Asker | None = None
    try:
        asker = Asker(asked)
        done = asker.begin() if asked["step"] == "begin" else asker.finish()
    except AskingError as error:
        done = {"error": str(error)}
    except messages.Error as error:
        done = {"error": f"the authority refuses: {error.detail or error.typ}", "kind": error.typ}
    except (acme_errors.Error, OSError, ValueError, KeyError, TypeError) as error:  # requests' are OSErrors
        done = {"error": f"{type(error).__name__}: {error}"[:1000]}
    if asker is not None:
        done["account"] = asker.account
        if "error" in done:
            done["retry_after_s"] = asker.retry_after_s
    return done


if __name__ == "__main__":
    signal.alarm(HUNG_S)
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
