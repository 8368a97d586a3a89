"""A group that listens itself answers there with the applications that sites mount for it, each below its path."""

from __future__ import annotations

from pathlib import Path

from support.manager import ManagerUnderTest

SOURCE = """
RUNS = []
RUNS.append(1)

def {callable}(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{name}|{{environ['SCRIPT_NAME']}}|{{environ['PATH_INFO']}}".encode("latin-1")]
"""
SITE = '[sites."www.example.org"]\nprocess-group = "a"\n'  # without an address: nobody needs a gateway


def script(manager: ManagerUnderTest, name: str, more: str = "", callable_object: str = "application") -> Path:
    path = manager.base / f"{name}.wsgi"
    path.write_text(SOURCE.format(name=name, callable=callable_object) + more)
    return path


def mount(path: str, target: str) -> str:
    return f'[[sites."www.example.org".mounts]]\npath = "{path}"\n{target}\n'


def test_mounts_are_served_by_path_on_the_listener_of_their_group(manager: ManagerUnderTest) -> None:
    port, site = manager.port(), SITE
    api, deep, root = (f'script = "{script(manager, name)}"' for name in ("api", "deep", "root"))
    mounts = mount("/api", api) + mount("/api/deep", deep) + mount("/", root) + mount("/käse", api)
    manager.apply(f'[groups.a]\nlisten = ["127.0.0.1:{port}"]\n{site}{mounts}')
    assert [
        manager.get(port, path)[1].decode("latin-1")
        for path in ("/", "/api", "/api/", "/api/x?y=/api/deep", "/api/deep", "/api/deep/y", "/api/deeper", "/apix")
    ] == [
        "root||/", "api|/api|", "api|/api|/", "api|/api|/x", "deep|/api/deep|", "deep|/api/deep|/y", "api|/api|/deeper",
        "root||/apix",
    ]  # fmt: skip
    assert manager.get(port, "/k%C3%A4se/1")[1].decode() == "api|/käse|/1"
    assert manager.cli("plan", str(manager.base / "groups.toml")).returncode == 0  # there is nothing to change


def test_a_path_that_leads_nowhere_is_not_found(manager: ManagerUnderTest) -> None:
    port, site = manager.port(), SITE
    manager.apply(
        f'[groups.a]\nlisten = ["127.0.0.1:{port}"]\n{site}' + mount("/api", f'script = "{script(manager, "api")}"')
    )
    assert manager.get(port, "/api/x") == (200, b"api|/api|/x")
    assert [manager.get(port, path)[0] for path in ("/", "/apix")] == [404, 404]


def test_a_script_that_moves_into_a_mount_goes_on(manager: ManagerUnderTest) -> None:
    port, site, path = manager.port(), SITE, script(manager, "app")
    manager.apply(f'[groups.a]\nscript = "{path}"\nlisten = ["127.0.0.1:{port}"]\n')
    with manager.clients(port, 2) as clients:
        done = manager.apply(f'[groups.a]\nlisten = ["127.0.0.1:{port}"]\n{site}' + mount("/", f'script = "{path}"'))
        assert "No changes" in done.stdout  # it is what it was
        both = mount("/", f'script = "{path}"') + mount("/app", f'script = "{path}"')
        manager.apply(f'[groups.a]\nlisten = ["127.0.0.1:{port}"]\n{site}{both}')
        assert manager.get(port, "/app/x") == (200, b"app|/app|/x")
    assert clients.failures == []


def test_an_application_with_mounts_answers_what_they_do_not(manager: ManagerUnderTest) -> None:
    """A mount without one of its own leads to the group's, which is loaded once; so is a script of two callables."""
    port, site = manager.port(), SITE
    runs = "def other(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%d' % len(RUNS)]\n"
    counting = "import sys\nsys.loaded = RUNS = getattr(sys, 'loaded', [])\nRUNS.append(1)\n"
    path = script(manager, "own", counting + runs)
    manager.apply(
        f'[groups.a]\nscript = "{path}"\nlisten = ["127.0.0.1:{port}"]\n{site}'
        + mount("/blog", "")
        + mount("/runs", f'script = "{path}"\ncallable-object = "other"')
    )
    assert manager.get(port, "/x") == (200, b"own||/x")
    assert manager.get(port, "/blog/x") == (200, b"own|/blog|/x")
    assert manager.get(port, "/runs") == (200, b"1")
