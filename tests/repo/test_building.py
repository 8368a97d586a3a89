"""The package as an installation builds it, with a compiler and without one; an editable one; what an index gets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from support.interpreters import ALL_VERSIONS, Accessible, find, present
from support.tree import ROOT

from tools.environment import PACKAGED

HELLO = b"GET /a HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"
READS = f"""
import sys
sys.path.insert(0, sys.argv[1])
from wsgigroups.runtime import accelerator
from wsgigroups.runtime.protocol import heads, limits, names
found = heads.parse(b"{HELLO.decode()}", {{"A": 1}}, names.UNTRUSTED, limits.DEFAULT)
assert found.environ["PATH_INFO"] == "/a" and found.environ["A"] == 1 and found.ordinary, vars(found)
assert vars(found) == vars(heads.plainly(b"{HELLO.decode()}", {{"A": 1}}, names.UNTRUSTED, limits.DEFAULT))
print(accelerator.IN_USE is not None)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a copy of what a build reads, and nothing that an earlier one has left."""
    place = tmp_path / "clone"
    place.mkdir()
    for name in PACKAGED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copyfile(ROOT / name, place / name)
    return place


def build(clone: Path, **environ: str) -> tuple[str, str]:
    """Build a wheel; return its name, and what was said meanwhile. It is unpacked into `unpacked`, beside the clone."""
    if not environ:
        environ = {"CC": "cc"}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(clone.parent / "wheels")],
        cwd=clone, capture_output=True, text=True, timeout=120, env={**os.environ, **environ}, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    (wheel,) = (clone.parent / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(clone.parent / "unpacked")
    return wheel.name, said


def reads(place: Path, python: Path | str = sys.executable) -> str:
    """Return whether a Python that uses what was built has an accelerator, after it has read a head."""
    done = subprocess.run(
        [str(python), "-I", "-S", "-B", "-c", READS, str(place)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.needs("cc")
def test_one_file_for_every_interpreter(clone: Path, interpreters: Accessible) -> None:
    name, said = build(clone)
    assert "left out" not in said
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert name.endswith(f"-cp38-abi3-{platform}.whl")
    assert not list(clone.rglob("*.so"))
    for version in present():
        assert reads(clone.parent / "unpacked", interpreters.get(version)) == "True", version


@pytest.mark.needs("cc")
@pytest.mark.parametrize("version", present(ALL_VERSIONS))
def test_sizes_are_read_as_such_whichever_headers_it_is_built_with(version: str) -> None:
    """Those of 3.13 and later name functions that read an int in an interpreter before 3.13."""
    ask = "import sysconfig; print(sysconfig.get_path('include'))"
    include = subprocess.run([str(find(version)), "-I", "-c", ask], capture_output=True, text=True, check=True).stdout
    if not (Path(include.strip()) / "Python.h").exists() and version != sysconfig.get_python_version():
        return  # a distribution's, without its headers
    source = ROOT / "wsgigroups" / "runtime" / "_accelerator.c"
    command = ["cc", "-E", "-P", f"-I{include.strip()}", str(source)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    code = text.partition("LONGEST_NAME")[2]
    called = set(re.findall(r"\b_?Py\w*(?:ParseTuple|BuildValue)\w*(?=\()", code))
    assert called == {"_PyArg_ParseTuple_SizeT", "_Py_BuildValue_SizeT"}


@pytest.mark.parametrize("compiler", ["/bin/false", "/nonexistent/cc", ""])
def test_no_compiler_is_no_obstacle(clone: Path, compiler: str) -> None:
    stale = clone / "wsgigroups" / "runtime" / "_accelerator.abi3.so"  # as an editable install leaves it
    stale.write_bytes(b"")
    name, said = build(clone, CC=compiler)
    assert not list((clone.parent / "unpacked").rglob("*.so"))
    assert name.endswith("-py3-none-any.whl")
    (line,) = [line for line in said.splitlines() if "accelerator is left out" in line]
    assert compiler in line
    assert reads(clone.parent / "unpacked") == "False"


def test_a_source_that_does_not_compile_is_no_obstacle(clone: Path) -> None:
    source = clone / "wsgigroups" / "runtime" / "_accelerator.c"
    source.write_text(source.read_text() + "\n#error no\n")
    name, said = build(clone)
    assert name.endswith("-py3-none-any.whl")
    assert "#error" in said


@pytest.mark.needs("cc")
def test_an_editable_install_has_it_in_the_tree(clone: Path) -> None:
    code = "import hatchling.build as b; print(b.build_editable('.'))"
    for compiler, works in (
        ("cc", "True"),
        ("/bin/false", "False"),
    ):  # the second takes away what does not fit any more
        subprocess.run(
            [sys.executable, "-c", code], cwd=clone, env={**os.environ, "CC": compiler},
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        assert reads(clone) == works


@pytest.fixture
def sdist(clone: Path) -> Path:
    """Build the sdist, and return it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(clone.parent / "sdist")]
    subprocess.run(command, cwd=clone, check=True, capture_output=True, timeout=120)
    (found,) = (clone.parent / "sdist").iterdir()
    return found


def unpacked(sdist: Path) -> Path:
    """Return the tree that is in an sdist."""
    subprocess.run(["tar", "-xzf", str(sdist)], cwd=sdist.parent, check=True)
    return sdist.with_name(sdist.name.removesuffix(".tar.gz"))


def test_an_sdist_builds_the_same_wheel(clone: Path, sdist: Path) -> None:
    tree = unpacked(sdist)
    for number, directory in enumerate((clone, tree)):
        name, _said = build(directory, CC="")
        shutil.move(directory.parent / "wheels" / name, clone.parent / f"{number}.whl")
    ours, theirs = (zipfile.ZipFile(clone.parent / f"{number}.whl") for number in range(2))
    with ours, theirs:
        assert {item.filename: item.CRC for item in ours.infolist()} == {
            item.filename: item.CRC for item in theirs.infolist()
        }


def test_an_index_takes_it_and_its_links_lead_somewhere(sdist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", str(sdist)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    metadata = message_from_bytes((unpacked(sdist) / "PKG-INFO").read_bytes())
    urls = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL", []))
    assert {"Documentation", "Source", "Issues", "Changelog"} <= urls.keys()
    assert metadata["Description-Content-Type"] == "text/markdown"
    links = re.findall(r"\]\(([^)]*)\)", metadata.get_payload())
    assert links
    for link in links:
        assert link.startswith("https://"), link
        if link.startswith(urls["Source"]):
            kind, revision, path = link.removeprefix(urls["Source"] + "/").split("/", 2)
            assert kind in ("blob", "raw")
            assert revision == f"v{metadata['Version']}"
            assert (ROOT / path.partition("#")[0]).exists(), link
