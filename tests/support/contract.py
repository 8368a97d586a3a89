"""One set of routes, served by each engine: what stands behind it, and a client that asks.

The embedded gateway runs in the test's process. nginx is a process with the rendered file, on sockets that it inherits,
as it would from a manager.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.gateway import FakeDaemon, answering, open_directory, read_packet
from support.looking import pause
from support.nginx import NGINX
from support.serving import HUNG_S, receive_all, serving

from wsgigroups.gateway.engines.nginx import NginxHost, render
from wsgigroups.gateway.engines.nginx_program import http2_of
from wsgigroups.runtime.gateway.server import GatewayServer
from wsgigroups.runtime.keeper.server import KeeperServer
from wsgigroups.runtime.wire.board import private
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute
from wsgigroups.runtime.wire.spec import Serving

CERTIFICATES = Path(__file__).parent / "certificates"
ODD = '/o d"d$x;{y}\\é'  # as a path of a mount, and of a directory
NASTY = (  # each as a path of a mount: what means something to nginx, somewhere
    *(
        "/a;return 200 x;",
        "/${host}",
        "/$uri",
        "/{",
        "/}",
        "/it's",
        '/"',
        "/\\",
        "/x\\",
        "/a\\nb",
        "/#x",
        "/ x",
        "/~^(.*)$",
    ),
    *("/=", "/@x", "/x*?+(|[", "/漢字", "/a%20b", '/"; } http { #', "/.dot", "/<x>"),
)
PAGE = '<h1>Bad $x; "gateway" \\ {y}\n</h1>'
LIMIT = 1000  # bytes of a body for one group
PROXY = "127.0.0.9"  # an address of clients that are a trusted proxy
TRUSTED = (f"{PROXY}/32", "192.0.2.9/32")


def limited(sock: socket.socket) -> None:
    """Answer as a daemon with a limit for bodies."""
    size = int(read_packet(sock).get("CONTENT_LENGTH") or 0)
    status = b"413 Content Too Large" if size > LIMIT else b"200 OK"
    if size:
        sock.recv(size, socket.MSG_WAITALL)
    sock.sendall(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)


LISTENERS = ("plain", "secure", "proxied")
FAKES: dict[str, Callable[[socket.socket], None]] = {
    "limited": limited,
    "garbage": answering(b"rubbish\r\n\r\n"),
    "long": answering(b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 40_000 + b"\r\n\r\n"),
    "several": answering(b"HTTP/1.1 200 OK\r\n" + b"X-Several: %b\r\n" % (b"y" * 7_000) * 6 + b"\r\n"),
    "closing": answering(),
    "cut": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    "switching": answering(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    "hinting": answering(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "doubtful": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
    "steering": answering(
        b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /plain/small.txt\r\nX-Accel-Limit-Rate: 1\r\nContent-Length: 2\r\n\r\nok"
    ),
}


def _breaking() -> Iterator[bytes]:
    yield b"part"
    raise ConnectionError("on purpose")


def application(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Say what was asked, as JSON; or answer with a status, before the body has been read."""
    if environ["PATH_INFO"].startswith("/status/"):
        start_response(environ["PATH_INFO"][8:11] + " As Asked", [("Content-Length", "4"), ("X-Own", "1")])
        return [b"mine"]
    if environ["PATH_INFO"] == "/breaks":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _breaking()
    if environ["PATH_INFO"] == "/styles":
        start_response("200 OK", [("Content-Type", "text/css"), ("Content-Length", "5000")])
        return [b"a{b:c} /**" * 500]
    body = environ["wsgi.input"].read()
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    text = json.dumps({**told, "body": len(body)}).encode()
    start_response("200 OK", [("Content-Type", "application/x-told"), ("Content-Length", str(len(text)))])
    return [text]


@dataclass(frozen=True)
class Answered:
    """What came back: status 0 for nothing that is an answer."""

    status: int
    fields: Mapping[str, str]
    body: bytes
    data: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What the application was told."""
        found: dict[str, Any] = json.loads(self.body)
        return found


def answered(data: bytes) -> Answered:
    """Read the one answer of a connection that was closed behind it."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if not lines[0].startswith("HTTP/1.1 "):
        return Answered(0, {}, b"", data)
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if fields.get("transfer-encoding") == "chunked":
        body = _joined(body)
    return Answered(int(words[1]), fields, body, data)


def _joined(rest: bytes) -> bytes:
    """Undo chunks, as far as they are there."""
    whole = b""
    while rest and not rest.startswith(b"<reset>"):
        line, _, rest = rest.partition(b"\r\n")
        size = int(line or b"0", 16)
        whole, rest = whole + rest[:size], rest[size + 2 :]
    return whole


@dataclass
class Client:
    """Asks one engine at one of its listeners."""

    engine: str
    addresses: Mapping[str, Any]
    log: Path

    def send(self, data: bytes, listener: str = "plain", name: str = "", source: str = "127.0.0.1") -> Answered:
        """Send bytes, and return the answer, at whose end the connection is closed. name: that of TLS."""
        with socket.create_connection(self.addresses[listener], HUNG_S, (source, 0)) as sock:
            if not name:
                return self._on(sock, data)
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(sock, server_hostname=name) as tls:
                return self._on(tls, data)

    def _on(self, sock: socket.socket, data: bytes) -> Answered:
        with contextlib.suppress(ConnectionError):  # an early answer is there to be read
            sock.sendall(data)
        return answered(receive_all(sock))

    def ask(
        self,
        path: str = "/",
        *,
        host: str = "www.test",
        fields: str = "",
        method: str = "GET",
        body: bytes = b"",
        **how: str,
    ) -> Answered:
        """Ask for a path."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"
        return self.send(head.encode("latin-1") + body, **how)

    def logged(self, path: str) -> str:
        """Ask for a path, and return the access log as soon as it is there."""
        self.ask(path, fields='User-Agent: "odd"\r\n')
        until = time.monotonic() + HUNG_S
        while path not in self.log.read_text():
            assert time.monotonic() < until
            pause()
        return self.log.read_text()

    def handshake(self, name: str) -> tuple[bytes, str]:
        """Return the certificate that a client is shown who asks for a name, and the protocol that is agreed on."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(self.addresses["secure"], HUNG_S) as sock,
            context.wrap_socket(sock, server_hostname=name) as tls,
        ):
            return tls.getpeercert(binary_form=True) or b"", tls.selected_alpn_protocol() or ""


@dataclass
class Scene:
    """What both engines are given."""

    directory: Path
    routes: Callable[[Mapping[str, str]], Routes]  # of the addresses by the listeners' names
    directories: list[Path]
    sockets: Mapping[str, str]


@contextlib.contextmanager
def scene(directory: Path) -> Iterator[Scene]:
    """Run what stands behind the engines."""
    files = directory / ("fi les" + ODD.replace("/", ""))
    (files / "docs" / "empty").mkdir(parents=True)
    (files / "small.txt").write_text("small\n")
    (files / ".hidden").write_text("hidden\n")
    (files / "docs" / "index.html").write_text("<p>docs\n")
    (directory / "outside.txt").write_text("outside\n")
    (files / "escape.txt").symlink_to(directory / "outside.txt")
    (files / "inside.txt").symlink_to("small.txt")
    for path in (files, files / "small.txt"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(serving(application, unix=True, trusted_proxies=("unix",)))
        links = {
            "app": Link(daemon.address),
            "down": Link(str(directory / "down"), connect_timeout_s=0.1),
        }
        for name, behave in FAKES.items():
            links[name] = stack.enter_context(FakeDaemon(behave)).link
        silent = stack.enter_context(FakeDaemon(_silent))
        links["silent"] = Link(silent.path, socket_timeout_s=0.2)
        stack.callback(silent.released.set)
        _SILENT.append(silent)
        stack.callback(_SILENT.clear)
        full = stack.enter_context(socket.socket(socket.AF_UNIX))
        full.bind(str(directory / "full"))
        full.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(directory / "full"))
        links["full"] = Link(str(directory / "full"), connect_timeout_s=0.1)

        def routes(addresses: Mapping[str, str]) -> Routes:
            return _routes(addresses, links)

        yield Scene(directory, routes, [files], {name: link.socket for name, link in links.items()})


_SILENT: list[FakeDaemon] = []


def _silent(sock: socket.socket) -> None:
    read_packet(sock)
    _SILENT[0].released.wait(HUNG_S)


def _routes(addresses: Mapping[str, str], links: dict[str, Link]) -> Routes:
    statics = (StaticRoute("/static", 0, "index.html"), StaticRoute("/plain", 0), StaticRoute("/.known", 0))
    mounts = (
        MountRoute("/", "app"),
        MountRoute("/api", "app"),
        MountRoute(ODD, "app"),
        *(MountRoute(f"/{name}", name) for name in links if name != "app"),
        *(MountRoute(f"/nasty{path}", "app") for path in NASTY),
    )
    sites = {
        "www": SiteRoute(
            "www.test",
            ("alias.test", "*.www.test"),
            mounts,
            statics,
            certificate="one",
            hsts_s=60,
            access_log=0,
            access_format="json",
            error_pages={502: PAGE},
        ),
        "other": SiteRoute("other.test", (), (MountRoute("/only", "app"),), certificate="two"),
        "deep": SiteRoute("deep.test", ("*.deep.www.test",), (MountRoute("/", "app"),), certificate="two"),
        "safe": SiteRoute(
            "safe.test", ("*.safe.test",), (MountRoute("/", "app"),), certificate="two", redirect_to_https=True
        ),
    }
    names = tuple(sites)
    return Routes(
        (
            ListenerRoute(addresses["plain"], names),
            ListenerRoute(addresses["secure"], names, tls=True),
            ListenerRoute(addresses["proxied"], names, proxy_protocol=("127.0.0.0/8",)),
        ),
        sites,
        links,
    )


@contextlib.contextmanager
def _listeners() -> Iterator[dict[str, socket.socket]]:
    with contextlib.ExitStack() as stack:
        found = {}
        for name in LISTENERS:
            found[name] = stack.enter_context(socket.socket())
            found[name].bind(("127.0.0.1", 0))
            found[name].listen(128)
        yield found


def _addresses(listeners: Mapping[str, socket.socket]) -> dict[str, Any]:
    return {name: sock.getsockname() for name, sock in listeners.items()}


def _texts(listeners: Mapping[str, socket.socket]) -> dict[str, str]:
    return {name: "{}:{}".format(*sock.getsockname()) for name, sock in listeners.items()}


@contextlib.contextmanager
def embedded(what: Scene) -> Iterator[Client]:
    """Serve with the gateway of this program."""
    with _listeners() as listeners:
        texts = _texts(listeners)
        board = private(1)
        server = GatewayServer(
            settings=Serving(threads=1, trusted_proxies=TRUSTED),
            listen=list(texts.values()),
            listeners=list(listeners.values()),
            board=board,
            log=lambda _level, _text: None,
            identity="gateway/1",
            certificates=str(CERTIFICATES),
            clock=time.monotonic_ns,
        )
        log = os.open(what.directory / "embedded.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        server.route(what.routes(texts), [open_directory(path) for path in what.directories], [log])
        os.close(log)
        server.start()
        try:
            yield Client("embedded", _addresses(listeners), what.directory / "embedded.log")
        finally:
            server.close(HUNG_S)
            board.close()


def _nginx_host(what: Scene, **more: Any) -> NginxHost:
    said = subprocess.run([NGINX, "-V"], capture_output=True, text=True, check=True)
    values: dict[str, Any] = {
        "sockets": what.sockets,
        "certificates": {
            name: (str(CERTIFICATES / f"{name}.crt"), str(CERTIFICATES / f"{name}.key")) for name in ("one", "two")
        },
        "user": "root" if os.geteuid() == 0 else "",
        "connections": 256,
        "trusted_proxies": TRUSTED,
        "body_bytes": {"limited": LIMIT},
        "http2": http2_of(said.stderr),
    }
    return NginxHost(**{**values, **more})


@contextlib.contextmanager
def kept_engine(what: Scene, name: str = "kept", parting: bool = False) -> Iterator[Client]:
    """Serve with the distribution's nginx, kept as a manager's gateway keeps it. parting: each answer is the last."""
    base = what.directory / name
    base.mkdir(mode=0o755)
    with _listeners() as listeners:
        texts = _texts(listeners)
        host = _nginx_host(
            what,
            temporary=".",
            directories=tuple(f"7/static-{place}" for place in range(len(what.directories))),
            access_logs=("7/access-0",),
            shutdown_timeout_s=0.0,
            kept=True,
        )
        board = private(1)
        said: list[str] = []
        server = KeeperServer(
            path=NGINX,
            base=str(base),
            listeners=list(listeners.values()),
            board=board,
            log=lambda _level, text: said.append(text),
            name="1",
        )
        log = os.open(what.directory / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        directories = [open_directory(path) for path in what.directories]
        try:
            server.route(render(what.routes(texts), host).encode(), 7, directories, [log])
            server.start()
            server.part(parting)
            yield Client(name, _addresses(listeners), what.directory / f"{name}.log")
        finally:
            for fd in (*directories, log):
                os.close(fd)
            server.close(HUNG_S)
            board.close()


@contextlib.contextmanager
def nginx_engine(what: Scene) -> Iterator[Client]:
    """Serve with the distribution's nginx, by a rendered file."""
    temporary = what.directory / "nginx"
    temporary.mkdir()
    temporary.chmod(0o777)
    with _listeners() as listeners:
        texts = _texts(listeners)
        host = _nginx_host(
            what,
            temporary=str(temporary),
            directories=tuple(map(str, what.directories)),
            access_logs=(str(what.directory / "nginx.log"),),
            error_log=str(temporary / "errors"),
        )
        file = temporary / "nginx.conf"
        file.write_text(render(what.routes(texts), host))
        fds = [sock.fileno() for sock in listeners.values()]
        command = [NGINX, "-p", str(temporary), "-e", str(temporary / "errors"), "-c", str(file)]
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        process = subprocess.Popen(
            command,
            pass_fds=fds,
            env={"NGINX": "".join(f"{fd};" for fd in fds), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        try:
            until = time.monotonic() + HUNG_S
            while not (temporary / "nginx.pid").exists():
                assert process.poll() is None, (temporary / "errors").read_text()
                assert time.monotonic() < until
                pause()
            yield Client("nginx", _addresses(listeners), what.directory / "nginx.log")
        finally:
            process.terminate()
            process.wait(HUNG_S)
