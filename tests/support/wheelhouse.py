"""A directory of wheels without a package index: the project's own, and what its environment has, packed again.

Runs in pytest's process. Wheels as the binary distribution format has them:
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import Path

from packaging.requirements import Requirement
from support.tree import ROOT

HUNG_S = 120.0
_OF_AN_INSTALLATION = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}


def needed(name: str) -> dict[str, Distribution]:
    """Return what an installation of a package brings, itself included, by the names of wheels."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    wanted = [Requirement(name)]
    while wanted:
        requirement = wanted.pop()
        installed = distribution(requirement.name)
        wheel_name = re.sub(r"[-_.]+", "_", installed.metadata["Name"])
        found[wheel_name] = installed
        for extra in {"", *requirement.extras} - {extra for other, extra in seen if other == wheel_name}:
            seen.add((wheel_name, extra))
            further = map(Requirement, installed.requires or ())
            wanted += [item for item in further if item.marker is None or item.marker.evaluate({"extra": extra})]
    return found


def extensions(name: str) -> list[Path]:
    """Return the compiled files of a package and of what it needs."""
    every = (installed for wheel, installed in needed(name).items() if wheel != name)
    return [Path(str(file.locate())) for installed in every for file in _files(installed) if file.suffix == ".so"]


def fill(directory: Path) -> str:
    """Put the wheels of this project there; return the lines of requirements.txt, a hash for each."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=HUNG_S)
    for name, installed in needed("wsgigroups").items():
        if name != "wsgigroups":
            _pack(name, installed, directory)
    return "".join(f"{_requirement(wheel)}\n" for wheel in sorted(directory.iterdir()))


def _requirement(wheel: Path) -> str:
    name, version, *_tags = wheel.name.split("-")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def _files(installed: Distribution) -> Iterator[PackagePath]:
    """What lies beside the package itself: programs are made again where a wheel is installed."""
    for file in installed.files or ():
        if (
            not file.is_absolute()
            and not {"..", "__pycache__"} & {*file.parts}
            and file.name not in _OF_AN_INSTALLATION
        ):
            yield file


def _pack(name: str, installed: Distribution, directory: Path) -> None:
    tag = re.search(r"^Tag: (\S+)", installed.read_text("WHEEL") or "", re.MULTILINE)
    assert tag, f"{name} was not installed from a wheel"
    records, metadata = [], ""
    with zipfile.ZipFile(directory / f"{name}-{installed.version}-{tag[1]}.whl", "w") as wheel:
        for file in _files(installed):
            data = file.read_binary()
            wheel.writestr(str(file), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            records.append(f"{file},sha256={digest},{len(data)}\n")
            metadata = str(file.parent) if file.name == "METADATA" and file.parent.suffix == ".dist-info" else metadata
        wheel.writestr(f"{metadata}/RECORD", "".join(records) + f"{metadata}/RECORD,,\n")
