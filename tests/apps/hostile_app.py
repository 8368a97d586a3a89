"""A tenant that attacks what manages it. The path says how; the answer is what came of it, as JSON.

It finds our own objects by gc, as any code in the process could. `/pid` is for those who want to know that it serves.
"""

import array
import contextlib
import errno
import gc
import json
import os
import signal
import socket
import struct
import threading
import time

KEPT = []  # what must stay open, or in the kernel, for the rest of this process


def ours(name):
    """Return our object of the class with this name."""
    return next(found for found in gc.get_objects() if type(found).__name__ == name)


def channel():
    """Return the socket by which the manager commands."""
    return ours("Reporter")._sock


def reports():
    """Return the descriptor of the pipe by which the manager is told."""
    return ours("Reporter")._reports


def life():
    """Return the number of this life."""
    return ours("Reporter").life


def stubborn_socket():
    """Return a TCP socket whose close sleeps for a minute: much is unsent, nobody reads, and it is to linger."""
    listener = socket.create_server(("127.0.0.1", 0))
    sender = socket.create_connection(listener.getsockname())
    KEPT.extend([listener, listener.accept()[0]])
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    sender.setblocking(False)
    try:
        while True:
            sender.send(bytes(65536))
    except BlockingIOError:
        return sender


def send_descriptors(count):
    """Send a socket that does not close, in a frame that does not end, and end; what the kernel says to it."""
    stubborn = stubborn_socket()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [stubborn.fileno()] * count).tobytes())]
    try:
        channel().sendmsg([struct.pack(">I", 16 << 20) + b"{"], rights)
    except OSError as error:
        KEPT.append(stubborn)  # its end is not for us to wait for
        return type(error).__name__
    stubborn.close()  # not the last copy any more: that is the one under way
    return "sent"


def in_a_stray(work):
    """Run work in a process of a session of its own whose parent is gone; return its pid."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(write, b"%d" % os.getpid())
            os.close(write)
            try:
                work()
            finally:
                os._exit(0)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        return int(stream.read())


def flood(fd):
    """Write messages of ours without end, none of which asks for anything."""
    line = json.dumps({"type": "in-flight", "life": life()}).encode() + b"\n"
    os.set_blocking(fd, True)
    while True:
        os.write(fd, line * 300)


def damage(words):
    """Write a heartbeat that is still to come, again and again: the monitor writes true ones."""
    while True:
        words[5] = 2**63
        time.sleep(0.01)


def take_requests(listener):
    """Serve what comes to a listener that was to be somebody else's."""
    listener.setblocking(True)
    while True:
        try:
            connection = listener.accept()[0]
        except OSError:
            time.sleep(0.001)
            with contextlib.suppress(OSError):
                listener.listen(100)
            continue
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nstolen")
        connection.close()


def serve_hidden(listener):
    """The same, with nothing open of what this process was given but the listener."""
    keep = listener.fileno()
    os.closerange(0, keep)
    os.closerange(keep + 1, 4096)
    take_requests(listener)


def hide():
    """Wait for ever with nothing open."""
    os.closerange(0, 4096)
    while True:
        time.sleep(60)


def bomb(count):
    """Fork as often as that, each child for a session of its own; return how many there are, and why no more."""
    for number in range(count):
        try:
            child = os.fork()
        except OSError as error:
            return [number, errno.errorcode[error.errno]]
        if child == 0:
            try:
                os.setsid()
                hide()
            finally:
                os._exit(0)
    return [count, ""]


def listening(family=socket.AF_INET):
    """Return a copy of our listening socket."""
    for name in os.listdir("/proc/self/fd"):
        try:
            sock = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        if sock.family == family and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return sock
        sock.close()
    raise LookupError("no listener")


def give_orders(path):
    """Have the manager on this socket stop the other group; return the status of its answer."""
    body = b'{"groups": ["b"]}'
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(b"POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return int(sock.recv(65536).split()[1])


def stand_in(directory):
    """Say hello to a spawner as its manager does; return how much it answers, 0 where it hangs up."""
    (name,) = os.listdir(directory)
    hello = json.dumps({"type": "hello", "abi": 2, "pid": os.getpid()}).encode()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(directory, name))
        try:
            sock.sendall(struct.pack(">I", len(hello)) + hello)
            return len(sock.recv(65536))
        except (BrokenPipeError, ConnectionResetError):
            return 0


def from_a_stray(work, argument):
    """Do the work in a process that left session and parent; return what came of it there."""
    read, write = os.pipe()
    in_a_stray(lambda: os.write(write, json.dumps(work(argument)).encode()))
    os.close(write)
    with os.fdopen(read) as stream:
        return json.loads(stream.read())


LIES = {
    "lies": [{}, {}, {"python": "9.9"}, {"pid": 1}],  # a life is ready once, and is the process that it is
    "claims": [{"group": "b", "slot": 1, "listen": ["unix:/tmp/elsewhere.sock"]}],
    "foreign": [{"life": 10**6, "pid": number} for number in range(64)],
}


def attack(name, argument):
    """Do it; return what came of it."""
    if name == "descriptors":
        return send_descriptors(int(argument or 1))
    if name in ("orders", "stand-in"):
        work = give_orders if name == "orders" else stand_in
        return [work(f"/{argument}"), from_a_stray(work, f"/{argument}")]
    if name == "flood":
        fd = os.dup(reports())
        return in_a_stray(lambda: flood(fd))
    if name == "flood-here":
        fd = os.dup(reports())
        threading.Thread(target=flood, args=(fd,), daemon=True).start()
    elif name == "garbage":
        fd = os.dup(reports())
        os.set_blocking(fd, True)  # once nobody reads it any more, this waits for the end
        threading.Thread(target=os.write, args=(fd, b"{" * 300_000), daemon=True).start()
    elif name in LIES:
        for more in LIES[name]:
            told = {"type": "ready", "life": life(), "pid": int(argument or os.getpid()), **more}
            os.write(reports(), json.dumps(told).encode() + b"\n")
    elif name == "board":
        threading.Thread(target=damage, args=(ours("Board").words,), daemon=True).start()
    elif name == "keep":
        listener = listening()
        return in_a_stray(lambda: take_requests(listener))
    elif name == "keep-hidden":
        listener = listening()
        return in_a_stray(lambda: serve_hidden(listener))
    elif name == "hide":
        return in_a_stray(hide)
    elif name == "bomb":
        return bomb(int(argument))
    elif name == "shut":
        listening(socket.AF_UNIX if argument == "unix" else socket.AF_INET).shutdown(socket.SHUT_RDWR)
    return os.getpid()


def application(environ, start_response):
    """Attack in the way of the path, /name/argument."""
    name, _slash, argument = environ["PATH_INFO"][1:].partition("/")
    body = json.dumps(attack(name, argument)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
