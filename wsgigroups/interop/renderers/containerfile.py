"""A configuration as a Containerfile: an image that runs these groups, the same one each time it is built. Pure.

https://github.com/containers/common/blob/main/docs/Containerfile.5.md. The directory of the build is the one where the
command was called: the files of the configuration are in it, with requirements.txt and the wheels in wheelhouse/.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.config.kinds import is_stream
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.renderers.deadlines import stop_deadlines
from wsgigroups.interop.renderers.first_moment import waiting
from wsgigroups.interop.renderers.unsaid import in_a_comment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.context import ManagerStart, RenderContext

UID = 10001
_HERE = "/app"
_VENV = "/opt/wsgigroups"
# registry, port, path, tag, digest: https://github.com/distribution/reference
_NAME, _TAG = r"[a-zA-Z0-9][a-zA-Z0-9._/-]*(?::[0-9]+/[a-zA-Z0-9._/-]+)?", r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_IMAGE = re.compile(rf"{_NAME}(?::{_TAG})?(?:@sha256:[0-9a-f]{{64}})?")
_FIRST_FREE_PORT = 1024
_HEAD = (
    "# Made by `wsgigroups render containerfile`. It needs beside it:",
    "#   requirements.txt  with a hash for each wheel, wsgigroups among them (pip-compile --generate-hashes)",
    "#   wheelhouse/       with those wheels (pip download --require-hashes --only-binary :all: -d wheelhouse)",
    "# Two builds are one image, by the digest: podman build --timestamp 0 -f Containerfile .",
)


def containerfile(configuration: Configuration, context: RenderContext) -> str:
    """Return the text. context.base: the image, by digest or not as the caller allows. Raises WsgigroupsError."""
    if _IMAGE.fullmatch(context.base) is None:
        raise WsgigroupsError(
            f"cannot render containerfile: {context.base!r} names no image",
            hint="--base docker.io/library/python:3.13-slim@sha256:…",
            exit_code=ExitCode.USAGE,
        )
    waits = waiting(context.base)
    command = [*waits, "wsgigroups", "run", *(_inside(path, context.manager) for path in context.manager.files)]
    for name in context.manager.profiles:
        command += ["--profile", name]
    stop_s = math.ceil(stop_deadlines(configuration).service_s)
    lines = [
        *_HEAD,
        *(f"# {in_a_comment(note)}" for note in _notes(configuration)),
        f"# Give it time to stop: podman stop --time {stop_s}, terminationGracePeriodSeconds: {stop_s}.",
        f"FROM {context.base}",
        "ENV PYTHONDONTWRITEBYTECODE=1",
        f"RUN python3 -m venv --without-pip {_VENV}",
        "RUN --mount=type=bind,target=/tmp/build \\",
        f"    python3 -m pip --python {_VENV}/bin/python install --no-index --find-links /tmp/build/wheelhouse \\",
        "    --require-hashes --no-cache-dir --no-compile --requirement /tmp/build/requirements.txt",
        "# bytecode without the time of its source; some packages bring files that are no Python of this version",
        f"RUN python3 -m compileall -qq --invalidation-mode unchecked-hash {_VENV}/lib || true",
        f"ENV PATH={_VENV}/bin:$PATH",
        f"WORKDIR {_HERE}",
        "# whatever modes the files have here: the user below has to read them, and two builds are to be the same",
        f"COPY --chmod=755 . {_HERE}",
        "ENV WSGIGROUPS_RUN_DIR=/tmp/run WSGIGROUPS_STATE_DIR=/tmp/state WSGIGROUPS_LOG_DIR=/tmp/log",
        f"USER {UID}:{UID}",
        *(f"EXPOSE {port}" for port in _ports(configuration)),
        *_checked(waits),
        "STOPSIGNAL SIGTERM",
        f"ENTRYPOINT {json.dumps(command)}",
    ]
    return "\n".join(lines) + "\n"


def _checked(waits: list[str]) -> Iterator[str]:
    """Have the build fail, not the start, where the base has another env."""
    if waits:
        yield "# A stop in the first moment waits until process 1 listens to it, instead of being lost. The env of"
        yield "# coreutils does that since 8.31; where the base has another one, leave it out here and in ENTRYPOINT."
        yield f"RUN {' '.join(waits)} true"


def _inside(path: str, manager: ManagerStart) -> str:
    """Where a file of the configuration is in the image. Raises WsgigroupsError for one that is not copied there."""
    relative = posixpath.relpath(path, manager.directory)
    if relative.startswith("../"):
        raise WsgigroupsError(
            f"cannot render containerfile: {path} is not below {manager.directory}, which becomes {_HERE} of the image",
            hint="call the command in the directory that the image is built from",
            exit_code=ExitCode.USAGE,
        )
    return posixpath.join(_HERE, relative)


def _listens(configuration: Configuration) -> Iterator[tuple[str, str]]:
    for name, group in configuration.all_groups().items():
        yield from ((f"group {name}", text) for text in group.listen)
    for key, site in configuration.sites.items():
        yield from ((f"site {key}", text) for text in site.listen)


def _ports(configuration: Configuration) -> list[int]:
    found = [parse(text) for _about, text in _listens(configuration)]
    return sorted({item.port for item in found if item.port and item.is_wildcard})


def _notes(configuration: Configuration) -> Iterator[str]:
    """What will not be in a container as it is outside."""
    for about, text in _listens(configuration):
        address = parse(text)
        if not address.is_wildcard:
            yield f'{about}: {text} is not reached from outside the container; listen = ["0.0.0.0:8000"] is.'
        elif (address.port or 0) < _FIRST_FREE_PORT:
            yield f"{about}: uid {UID} may listen on port {address.port} only where the container has it allowed."
    for name, group in configuration.all_groups().items():
        log = group.error_log or configuration.server.error_log
        if log is None or not is_stream(log):
            yield f'group {name}: its log is a file; error-log = "/dev/stdout" in [server] sends it to the container.'
