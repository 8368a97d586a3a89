"""A certificate authority on loopback, pebble (Debian's package), and a resolver that finds every name on 127.0.0.1."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HUNG_S = 60.0
_HEADER_BYTES = 12  # of a DNS message (RFC 1035 section 4.1.1)
_TYPE_A = b"\0\1"


@dataclass
class Authority:
    """A running authority. directory: its URL; ca_file: who its HTTPS is trusted by."""

    directory: str
    ca_file: Path
    management: str

    def root(self) -> str:
        """Return the certificate that all of this authority can be checked by."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(f"{self.management}/roots/0", context=context, timeout=HUNG_S) as answer:
            return str(answer.read().decode())


def made_pair(names: list[str], begins: float, ends: float, *, authority: bool = False) -> tuple[bytes, bytes]:
    """Return a certificate of its own for these names, and its key, in PEM; seconds since the epoch."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made by a test")])
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    if authority:
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(begins, dt.timezone.utc))
        .not_valid_after(dt.datetime.fromtimestamp(ends, dt.timezone.utc))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), text


@contextlib.contextmanager
def _resolver() -> Iterator[int]:
    """Answer every question for an address with 127.0.0.1, and every other with nothing; give the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                question, peer = sock.recvfrom(4096)
                if len(question) <= _HEADER_BYTES:
                    return
                end = question.index(b"\0", _HEADER_BYTES) + 5  # name, type and class
                asked = question[_HEADER_BYTES:end]
                found = asked[-4:-2] == _TYPE_A
                head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if found else b"\0\0") + b"\0\0\0\0"
                record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if found else b""
                sock.sendto(head + asked + record, peer)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", sock.getsockname())
            thread.join(HUNG_S)


@contextlib.contextmanager
def pebble(directory: Path, port: int, management: int, http: int, tls: int) -> Iterator[Authority]:
    """Run an authority that looks for proofs on the ports `http` and `tls`, until the context ends."""
    program = shutil.which("pebble")
    assert program, "pebble is missing: apt-get install pebble"
    now = time.time()
    ca_file, key_file = directory / "pebble.crt", directory / "pebble.key"
    chain, key = made_pair(["localhost"], now - 86400, now + 86400, authority=True)
    ca_file.write_bytes(chain)
    key_file.write_bytes(key)
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(ca_file),
        "privateKey": str(key_file),
        "httpPort": http,
        "tlsPort": tls,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (directory / "pebble.json").write_text(json.dumps({"pebble": settings}))
    environment = {
        **os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0",
    }  # fmt: skip
    authority = Authority(f"https://127.0.0.1:{port}/dir", ca_file, f"https://127.0.0.1:{management}")
    with _resolver() as names, (directory / "pebble.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-config", str(directory / "pebble.json"), "-dnsserver", f"127.0.0.1:{names}"],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(authority, process)
            yield authority
        finally:
            process.kill()
            process.wait(HUNG_S)


def _wait_for(authority: Authority, process: subprocess.Popen[bytes]) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    until = time.monotonic() + HUNG_S
    while True:
        try:
            with urllib.request.urlopen(authority.directory, context=context, timeout=HUNG_S):
                return
        except OSError:
            assert process.poll() is None, "pebble has ended"
            assert time.monotonic() < until, "pebble does not answer"
            threading.Event().wait(0.01)
