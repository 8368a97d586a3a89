"""A configuration as a Containerfile: its instructions, read by what docs say they are, and what it says it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.rendering import CONTEXT, START, configured, rendered

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager import early_signals

BASE = "docker.io/library/python:3.13-slim@sha256:" + "0123456789abcdef" * 4
TEXT = """
version = 1
[server]
error-log = "/dev/stdout"
[groups.shop]
app = "shop.wsgi:application"
listen = ["0.0.0.0:8000", "[::]:8000"]
shutdown-timeout = "90s"
[groups.inner]
app = "shop.wsgi:application"
listen = ["127.0.0.1:9000"]
error-log = "/srv/inner.log"
[sites."www.example.org"]
listen = ["0.0.0.0:80"]
process-group = "shop"
mounts = [{path = "/"}]
"""
# Containerfile(5), which instructions there are
KNOWN = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT"}


def text_of(tmp_path: Path, base: str = BASE, files: tuple[str, ...] = ("/etc/wsgigroups/conf/groups.toml",)) -> str:
    context = replace(CONTEXT, base=base, manager=replace(START, files=files, profiles=("container",)))
    return rendered("containerfile", configured(TEXT, tmp_path / "groups.toml"), context)


def instructions(text: str) -> list[tuple[str, str]]:
    """Instructions with what follows them; lines that end with a backslash go on, comments are left out."""
    joined = text.replace("\\\n", " ")
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, rest in found]


def entry(text: str) -> list[Any]:
    """The words before the arguments of the command, and a list of those. No shell is before them: it is process 1."""
    words = json.loads(dict(instructions(text))["ENTRYPOINT"])
    at = words.index("wsgigroups") + 1
    return [*words[:at], words[at:]]


def test_what_is_rendered(tmp_path: Path) -> None:
    found = instructions(text_of(tmp_path))
    assert {name for name, _rest in found} == KNOWN
    assert found[0] == ("FROM", BASE)
    (install,) = [rest for name, rest in found if name == "RUN" and " install " in rest]
    for option in ("--require-hashes", "--no-index", "--no-compile", "--find-links /tmp/build/wheelhouse"):
        assert option in install
    assert [rest for name, rest in found if name == "EXPOSE"] == ["80", "8000"]
    # the Python of the image has pip, and that of the environment has none
    assert [rest.startswith("PATH=/opt/wsgigroups/bin:") for name, rest in found if name == "ENV"] == [
        False,
        True,
        False,
    ]
    assert found.index(("RUN", install)) < next(
        at for at, (_name, rest) in enumerate(found) if rest.startswith("PATH=")
    )
    last = dict(found)
    assert (last["USER"], last["STOPSIGNAL"]) == ("10001:10001", "SIGTERM")
    *waits, program, arguments = entry(text_of(tmp_path))
    assert waits == ["env", "--block-signal=TERM"]
    assert ("RUN", f"{' '.join(waits)} true") in found, "a base with another env fails here"
    assert program == "wsgigroups"
    assert early_signals.is_manager(arguments)
    assert arguments[1:] == ["/app/conf/groups.toml", "--profile", "container"]
    # files of somebody with umask 077 are readable, and two checkouts are one image
    assert last["COPY"] == "--chmod=755 . /app"
    assert [name for name, _rest in found].index("USER") > [name for name, _rest in found].index("COPY")


def test_an_env_that_cannot_have_signals_wait_is_not_asked_for_it(tmp_path: Path) -> None:
    text = text_of(tmp_path, "docker.io/library/python:3.13-alpine@sha256:" + "01234567" * 8)
    assert entry(text)[0] == "wsgigroups"
    assert "block-signal" not in text


def test_what_is_otherwise_in_a_container_is_said(tmp_path: Path) -> None:
    comments = [line for line in text_of(tmp_path).splitlines() if line.startswith("# ")]
    for said in (
        '# group inner: 127.0.0.1:9000 is not reached from outside the container; listen = ["0.0.0.0:8000"] is.',
        "# site www.example.org: uid 10001 may listen on port 80 only where the container has it allowed.",
        '# group inner: its log is a file; error-log = "/dev/stdout" in [server] sends it to the container.',
        # 90 s of a process, 30 s of the gateway, 2 s of the manager, 2 s more
        "# Give it time to stop: podman stop --time 124, terminationGracePeriodSeconds: 124.",
    ):
        assert said in comments
    assert not any("group shop" in line for line in comments)


def test_the_files_are_in_the_directory_of_the_build(tmp_path: Path) -> None:
    with pytest.raises(
        WsgigroupsError, match=r"/etc/other/groups.toml is not below /etc/wsgigroups, which becomes /app"
    ):
        text_of(tmp_path, files=("/etc/other/groups.toml",))


@pytest.mark.parametrize("image", ["", "two words", "a@", "a@sha256:12", "a\nRUN b"])
def test_what_names_no_image_is_refused(image: str, tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError, match="names no image"):
        text_of(tmp_path, image)


def test_name_of_a_site_is_no_instruction(tmp_path: Path) -> None:
    """A line end in it began a line of its own, which the build carried out."""
    text = TEXT.replace('"www.example.org"', '"www\\nRUN touch /tmp/owned"').replace('"0.0.0.0:80"', '"127.0.0.1:8080"')
    text = text.replace("process-group", 'server-name = "www.example.org"\nprocess-group')
    said = rendered("containerfile", configured(text, tmp_path / "groups.toml"), replace(CONTEXT, base=BASE))
    assert "www?RUN touch /tmp/owned: 127.0.0.1:8080 is not reached" in said
    assert not any("owned" in rest for _name, rest in instructions(said))
