"""restrict-address-families, system-call-filter and restrict-namespaces: what a tenant asks the kernel for."""

from __future__ import annotations

import os
import platform
import sys

import pytest
from support.attempts import Tenant

from wsgigroups.config import Configuration
from wsgigroups.config.kernel_names import system_calls
from wsgigroups.runtime.wire.spec import Confinement
from wsgigroups.targets.confinement import confinement_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.skipif(
    os.uname().machine not in ("x86_64", "aarch64") or platform.architecture()[0] != "64bit",
    reason="there are filters for x86-64 and aarch64",
)
NUMBERS = system_calls(os.uname().machine)
NEW_NETWORK, NEW_USER, NEW_TIME = 0x40000000, 0x10000000, 0x80


def written(text: str) -> Confinement:
    """What a configuration with these options says."""
    group = {"app": "a:b", **tomllib.loads(text)}
    return confinement_of(Configuration.from_document({"version": 1, "groups": {"a": group}}).groups["a"])


def test_address_families(tenant: Tenant) -> None:
    confinement = written('restrict-address-families = ["AF_UNIX", "AF_INET"]')
    attempts = {
        "socket.socket(socket.AF_INET6)": "EAFNOSUPPORT",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)": "EAFNOSUPPORT",
        "socket.socket(socket.AF_INET); socket.socket(socket.AF_UNIX); socket.socketpair()": "done",
    }
    life = tenant.check(confinement, attempts, lambda: None)
    assert life.report == {"restrict-address-families": ["enforced", ""]}  # type: ignore[attr-defined]
    ring = f"call({NUMBERS['io_uring_setup']}, 8, ctypes.create_string_buffer(120))"
    assert tenant.outcomes(life, {ring: ""}) == {ring: "EPERM"}


def test_all_but_some_families_and_no_family(tenant: Tenant) -> None:
    netlink, local = "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "socket.socket(socket.AF_UNIX)"
    tenant.check(
        written('restrict-address-families = "~AF_NETLINK AF_PACKET"'),
        {netlink: "EAFNOSUPPORT", local: "done"},
        lambda: None,
    )
    tenant.check(
        written('restrict-address-families = "none"'),
        {netlink: "EAFNOSUPPORT", local: "EAFNOSUPPORT", "open('/etc/passwd').read()": "done"},
        lambda: None,
    )


WORKING = {
    "import colorsys, json; open('/etc/passwd').read()": "done",
    "threading.Thread(target=print).start()": "done",
    "import tempfile; tempfile.TemporaryFile().write(b'x')": "done",
    "import time; time.sleep(0.001)": "done",
}


def test_the_set_for_services(tenant: Tenant) -> None:
    """Programs and sockets work; what services have no use for does not, although an ordinary user may."""
    attempts = {
        f"call({NUMBERS['perf_event_open']}, 0, 0, 0, 0, 0)": "EPERM",
        f"call({NUMBERS['bpf']}, 0, 0, 0)": "EPERM",
        f"call({NUMBERS['ptrace']}, 0, 0, 0, 0)": "EPERM",
        f"call({NUMBERS['mount']}, 0, 0, 0, 0, 0)": "EPERM",
        "subprocess.run(['/bin/true'], check=True)": "done",
        "socket.create_server(('127.0.0.1', 0))": "done",
        **WORKING,
    }
    life = tenant.start(written('system-call-filter = "@system-service"'))
    assert tenant.outcomes(life, attempts) == attempts
    assert life.report == {"system-call-filter": ["enforced", ""]}  # type: ignore[attr-defined]


def test_a_list_always_has_what_serving_takes(tenant: Tenant) -> None:
    """@default stands for a list that says next to nothing: requests, threads and imports go on."""
    attempts = {
        "os.link('/etc/passwd', '/tmp/link')": "EPERM",
        f"call({NUMBERS['ptrace']}, 0, 0, 0, 0)": "EPERM",
        "socket.socket()": "EPERM",
        "os.setpriority(0, 0, 19)": "EPERM",
        "import colorsys, json; open('/etc/passwd').read()": "done",
        "threading.Thread(target=print).start()": "done",
        "import tempfile; tempfile.TemporaryFile().write(b'x')": "done",
    }
    life = tenant.start(written('system-call-filter = ["@default"]'))
    assert tenant.outcomes(life, attempts) == attempts
    assert tenant.manager.drain(life).exit_code == 0


def test_all_but_some_calls(tenant: Tenant) -> None:
    attempts = {
        "os.setpriority(0, 0, 19)": "EPERM",
        "os.memfd_create('x') and os.symlink('/', '/dev/shm/wg-link'); os.unlink('/dev/shm/wg-link')": "EPERM",
        **WORKING,
    }
    tenant.check(written('system-call-filter = "~@resources symlink symlinkat"'), attempts, lambda: None)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the other ABIs of x86-64")
def test_calls_of_other_architectures_are_refused(tenant: Tenant) -> None:
    """x32 by its bit; int 0x80 reaches the table of i386, where 20 is getpid."""
    x32 = f"outcome = call({0x40000000 + NUMBERS['getpid']}) and 'done'"
    i386 = """
    import mmap
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000cd804898c3"))
    call_it = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    result = call_it()
    if result < 0:
        raise OSError(-result, "refused")
    """
    life = tenant.start(written('system-call-filter = "~ptrace"'))
    assert tenant.outcomes(life, {x32: "", i386: ""}) == {x32: "EPERM", i386: "EPERM"}


def namespace_attempts(flag: int) -> dict[str, str]:
    """Ways to come to a namespace of one's own."""
    in_child = """
    child = os.fork()
    if not child:
        try:
            {}
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    status = os.WEXITSTATUS(os.waitpid(child, 0)[1])
    if status:
        raise OSError(status, "")
    """
    clone = f"pid = call({NUMBERS['clone']}, {flag} | 17, 0, 0, 0, 0); pid or os._exit(0); os.waitpid(pid, 0)"
    return {
        in_child.format(f"call({NUMBERS['unshare']}, {flag})"): "EPERM",
        in_child.format(clone): "EPERM",
    }


def test_restrict_namespaces(tenant: Tenant) -> None:
    enter = f"call({NUMBERS['setns']}, os.open('/proc/self/ns/user', 0), 0)"
    works = {"subprocess.run(['/bin/true'], check=True)": "done", "threading.Thread(target=print).start()": "done"}
    life = tenant.check(written("restrict-namespaces = true"), {**namespace_attempts(NEW_USER), **works}, lambda: None)
    more = {enter: "EPERM", f"call({NUMBERS['clone3']}, 0, 0)": "ENOSYS"}
    more |= {f"call({NUMBERS['unshare']}, {NEW_TIME})": "EPERM", f"call({NUMBERS['unshare']}, 0x200)": "done"}
    assert tenant.outcomes(life, more) == more
    assert life.report == {"restrict-namespaces": ["enforced", ""]}  # type: ignore[attr-defined]


def test_some_namespaces(tenant: Tenant) -> None:
    tenant.check(written('restrict-namespaces = ["~net", "user"]'), namespace_attempts(NEW_USER), lambda: None)
    life = tenant.start(written('restrict-namespaces = ["user"]'))
    others = namespace_attempts(NEW_NETWORK)
    assert tenant.outcomes(life, others) == others
    allowed = dict.fromkeys(namespace_attempts(NEW_USER), "done")
    assert tenant.outcomes(life, allowed) == allowed


def test_all_filters_at_once(tenant: Tenant) -> None:
    life = tenant.start(
        written(
            'confinement = "required"\nrestrict-namespaces = true\nrestrict-address-families = "AF_UNIX"\n'
            'system-call-filter = "@system-service"\nread-only-paths = "/"\nprivate-tmp = true\nprotect-home = true'
        )
    )
    assert tenant.outcomes(life, WORKING) == WORKING
    assert {state for state, _reason in life.report.values()} == {"enforced"}  # type: ignore[attr-defined]
    assert len(life.report) == 6  # type: ignore[attr-defined]
