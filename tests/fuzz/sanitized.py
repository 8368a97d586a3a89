"""`python tests/fuzz/sanitized.py [--seconds N]`: the accelerator, compiled with sanitizers, under mutated input.

Compiles it, and starts itself again with AddressSanitizer preloaded and Python's allocator replaced by malloc, so that
each read beyond a buffer of bytes is seen. What it takes is compared with `heads.plainly`, and an answer that it makes
with that of Python. Exits with 1 and says the input where they differ, with a sanitizer's code where one found
something.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "wsgigroups" / "runtime" / "_accelerator.c"
FLAGS = (
    *("-std=c11", "-g", "-O1", "-fPIC", "-shared", "-fno-omit-frame-pointer", "-DPy_LIMITED_API=0x03080000"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-cast-function-type"),
    "-Wno-missing-field-initializers",
)
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PARTS = [b"\r\n", b"\n", b"\r", b" ", b":", b"\0", b"\t", b"%", b"%4", b"?", b"#", b"\xff", b"Host: a\r\n", b"HTTP/1.1",
         b"Content-Length: 5\r\n", b"Connection: close\r\n", b"a" * 70, b"x" * 3000]  # fmt: skip
USUAL = (
    b"POST /items/7%20a?page=2 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: Mozilla/5.0 (X11)\r\nAccept: */*\r\n"
    b"Connection: keep-alive\r\nCookie: session=1; theme=dark\r\nX-Forwarded-For: ::2\r\nContent-Length: 12\r\n\r\n"
)
ANSWER = b"HTTP/1.1 200 OK\r\nServer: a\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
PLAIN = (
    *(
        b"GET %b HTTP/1.1\r\nHost: www.example.org:80\r\nUser-Agent: Mozilla/5.0 (X11)\r\nTE: a\r\n"
        b"X-Forwarded-For: ::2\r\nConnection: keep-alive\r\nCookie: session=1; theme=dark\r\nX-Request-Id: 5\r\n\r\n"
        % target
        for target in (b"/items/7%20a?page=2", b"/api")
    ),
    b"GET /api/v2 HTTP/1.1\r\nHost: www.example.org\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(62)) + b"\r\n",
)
NAMES = ["Content-Length", "Content-Type", "X-A", "Set-Cookie", "X-" + "n" * 500, "Date", "", "\u1234", "a b"]
VALUES = ["text/html", "5", "", "y" * 1022, "y" * 1023, "y" * 1024, "y" * 500, "9" * 15, "9" * 16, "z" * 4090, "\x00",
          "\xff", "\u1234", "\U0001f600", "\udc80"]  # fmt: skip


def main() -> None:
    """Compile, and run the rest in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--within", help="the directory of the extension; given by itself")
    options = parser.parse_args()
    if options.within:
        fuzz(options.within, options.seconds, options.seed)
        return
    with tempfile.TemporaryDirectory(prefix="sanitized-") as place:
        built = Path(place, "_accelerator.abi3.so")
        include = sysconfig.get_path("include")
        subprocess.run(["cc", *FLAGS, *SANITIZERS, f"-I{include}", str(SOURCE), "-o", str(built)], check=True)
        environ = {
            **os.environ,
            "LD_PRELOAD": " ".join(map(library, ("libasan.so", "libubsan.so"))),
            "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own; test_accelerator.py counts what is kept
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
        }
        words = [__file__, "--within", place, "--seconds", str(options.seconds), "--seed", str(options.seed)]
        done = subprocess.run([sys.executable, "-B", *words], env=environ, check=False)
    sys.exit(done.returncode)


def library(name: str) -> str:
    """Return where the compiler has a library."""
    done = subprocess.run(["cc", f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    return str(Path(done.stdout.strip()).resolve())


def fuzz(place: str, seconds: float, seed: int) -> None:
    """Give it input until the time is over."""
    sys.path.insert(0, place)
    import _accelerator as extension  # type: ignore[import-not-found]
    from support import corpus

    assert extension.__file__.startswith(place)
    chance = random.Random(seed)
    judge = ShortWay(extension, place)
    seeds = [data for _name, data, _verdict in corpus.CASES if len(data) < 9000 and data[:1] != b"\0"]
    seeds += [USUAL] * len(seeds)
    taken = tries = 0
    compare = Comparison(extension)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(chance, chance.choice(seeds))
        tries += 1
        taken += compare.head(data, chance.random() < 0.5)
        first = 5 if chance.random() < 0.7 else None  # of both lists: what a plain answer has
        fields = [(chance.choice(NAMES[:first]), chance.choice(VALUES[:first])) for _ in range(chance.randint(0, 9))]
        compare.answer("200 OK", fields)
        compare.packet(mutated(chance, chance.choice(PACKETS))[: chance.choice((70000, 70000, 60))])
        compare.daemon(mutated(chance, ANSWER))
        compare.packed(fields)
        judge.asked(mutated(chance, chance.choice(PLAIN)))
        judge.relayed(mutated(chance, ANSWER.replace(b"Length: 5", b"Length: %d" % chance.choice((0, 5, 70000)))))
    print(f"seed {seed}: {tries} heads, {taken} of them taken")
    assert taken > tries // 20


def packed(pairs: dict[str, str]) -> bytes:
    """Return the packet of these variables."""
    parts = [bytes((len(text), 0)) + text.encode("latin-1") for pair in pairs.items() for text in pair]
    size = sum(map(len, parts))
    return b"".join((bytes((0, size & 255, size >> 8, 0)), *parts))


VARIABLES = {
    "WSGIGROUPS_FRAMING": "chunked", "REQUEST_METHOD": "POST", "REQUEST_URI": "/a?b=c", "QUERY_STRING": "b=c",
    "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "", "PATH_INFO": "/a", "CONTENT_LENGTH": "5", "CONTENT_TYPE": "",
    "SERVER_NAME": "a", "REMOTE_ADDR": "::1", "REQUEST_SCHEME": "http", "HTTP_HOST": "a:80", "HTTP_X_A": "a",
}  # fmt: skip
PACKETS = [packed(VARIABLES), packed({**VARIABLES, "HTTPS": "on"})]


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Return the head with some bytes replaced, removed, inserted or repeated; now and then cut."""
    for _ in range(chance.randint(0, 4)):
        start = chance.randint(0, len(data))
        stop = min(len(data), start + chance.randint(0, 6))
        middle = chance.choice(PARTS) if chance.random() < 0.5 else chance.randbytes(chance.randint(0, 4))
        data = data[:start] + middle + data[stop:]
    if chance.random() < 0.9:
        end = data.find(b"\r\n\r\n")
        return data[: end + 4] if end >= 0 else data
    return data[: chance.randint(0, len(data))]


class Comparison:
    """The extension beside Python."""

    def __init__(self, extension: Any) -> None:
        from wsgigroups.runtime.gateway import answers
        from wsgigroups.runtime.protocol import heads, uwsgi
        from wsgigroups.runtime.protocol.preparing import Preparer

        self._readers = heads.readers(extension)
        self._with, self._without = Preparer(2000), Preparer(2000)
        self._pack = extension.pack
        self._packets, self._daemons = uwsgi.reader(extension), answers.reader(extension)
        self._with.use(extension)
        self._without.use(None)

    def head(self, data: bytes, trusted: bool) -> bool:
        """Tell whether the extension takes the head; exits where Python would not have it so."""
        from wsgigroups.runtime.protocol import heads
        from wsgigroups.runtime.protocol.errors import ProtocolError
        from wsgigroups.runtime.protocol.limits import DEFAULT
        from wsgigroups.runtime.protocol.names import TRUSTED, UNTRUSTED

        found = self._readers[trusted](data, {"REMOTE_ADDR": "::1"}, DEFAULT.short_bytes, DEFAULT.fields)
        if found is None:
            return False
        try:
            other: Any = heads.plainly(data, {"REMOTE_ADDR": "::1"}, TRUSTED if trusted else UNTRUSTED, DEFAULT)
        except ProtocolError as error:
            sys.exit(f"taken, but Python refuses with {error.status}: {data!r}")
        if vars(found) != vars(other):
            sys.exit(f"differs: {data!r}")
        return True

    def packet(self, data: bytes) -> None:
        """Exit where a packet is taken otherwise than by Python."""
        from wsgigroups.runtime.protocol import uwsgi
        from wsgigroups.runtime.protocol.errors import ProtocolError
        from wsgigroups.runtime.protocol.limits import DEFAULT

        found = self._packets(data, {"SERVER_NAME": "b"}, DEFAULT.short_bytes, DEFAULT.fields)
        if found is None:
            return
        try:
            other = uwsgi.exactly(data, {"SERVER_NAME": "b"}, True, DEFAULT)
        except ProtocolError as error:
            sys.exit(f"taken, but Python refuses with {error.status}: {data!r}")
        if (found.environ, found.length, found.method) != (other.environ, other.length, other.method):
            sys.exit(f"differs: {data!r}")

    def daemon(self, data: bytes) -> None:
        """Exit where the head of a daemon's answer is taken otherwise than by Python."""
        from wsgigroups.runtime.gateway import answers

        found = self._daemons(data, 100, 200)
        if found is None:
            return
        try:
            other = answers.exactly(data, 100)
        except answers.AnswerError as error:
            sys.exit(f"taken, but Python refuses with {error.status}: {data!r}")
        names = answers.Answer.__slots__
        if other is None or [getattr(found, name) for name in names] != [getattr(other, name) for name in names]:
            sys.exit(f"differs: {data!r}")

    def packed(self, fields: list[Any]) -> None:
        """Exit where values are packed otherwise than by Python."""
        pairs = {f"A{number}": value for number, (_name, value) in enumerate(fields)}
        found = self._pack(pairs, {name: bytes((len(name), 0)) + name.encode() for name in pairs}, ())
        from wsgigroups.runtime.gateway.packets import packet

        if found is not None and found != packet(list(pairs.items())):
            sys.exit(f"differs: {fields!r}")

    def answer(self, status: str, fields: list[Any]) -> None:
        """Exit where an answer is made otherwise than by Python."""
        found = []
        for preparer in (self._with, self._without):
            try:
                made = preparer.prepare(status, fields)
                found.append((made.code, b"".join(made.lines), made.length, made.own))
            except Exception as error:
                found.append((type(error), str(error)))  # type: ignore[arg-type]
        if found[0] != found[1]:
            sys.exit(f"differs: {fields!r}")


class ShortWay:
    """A gateway's short way beside Python."""

    def __init__(self, extension: Any, place: str) -> None:
        from support.short_way import Asking

        from wsgigroups.runtime.gateway import answers

        self._asking = Asking(extension, place)
        self._relay = answers.relay(extension)

    def asked(self, data: bytes) -> None:
        """Exit where a request is taken otherwise than by Python."""
        from wsgigroups.runtime.protocol import uwsgi
        from wsgigroups.runtime.protocol.errors import ProtocolError

        packet = self._asking.asked(data)
        if packet is None:
            return
        try:
            other = self._asking.by_python(data)
        except ProtocolError as error:
            sys.exit(f"taken, but Python refuses with {error.status}: {data!r}")
        if dict(uwsgi.variables(packet)) != other:
            sys.exit(f"differs: {data!r}")

    def relayed(self, data: bytes) -> None:
        """Exit where an answer is passed on otherwise than by Python."""
        from support.short_way import relayed, relayed_by_python

        from wsgigroups.runtime.gateway.answers import AnswerError

        if not data:
            return
        found = relayed(self._relay, data, 100, b"X-Own: 1\r\n")
        if found == data:
            return
        try:
            other = relayed_by_python(data, 100, b"X-Own: 1\r\n")
        except AnswerError as error:
            sys.exit(f"taken, but Python refuses with {error.status}: {data!r}")
        if found != other:
            sys.exit(f"differs: {data!r}")


if __name__ == "__main__":
    main()
