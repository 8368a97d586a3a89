"""What Apache can be told at all comes back from it as it was, whatever the names of files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.importing import imported, loaded

from wsgigroups.config import Configuration
from wsgigroups.interop.renderers import RENDERERS, RenderContext

CONTEXT = RenderContext(Path("/run/wsgigroups"), {}, "", "", "")
# $ is Apache's own, for variables; a colon separates directories
LETTERS = st.sampled_from("ab7.-_ \"'\\#%é;<>=|()~@,")
NAMES = st.text(LETTERS, min_size=1, max_size=6).filter(lambda text: text.strip() == text and text.strip(".") != "")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
PREFIXES = st.lists(st.sampled_from(["a", "b-c", "x_y"]), max_size=2).map(lambda names: "/" + "/".join(names))
SITES = ("www.example.org", "blog.example.org")
GROUPS = ("shop", "blog_2", "a.b")

groups = st.fixed_dictionaries(
    {},
    optional={
        "threads": st.integers(1, 50),
        "processes": st.integers(1, 9),
        "home": PATHS,
        "python-path": st.lists(PATHS, min_size=1, max_size=3, unique=True),
        "python-home": PATHS,
        "user": st.sampled_from(["alice", "#1000"]),
        "umask": st.sampled_from(["0022", "0077"]),
        "display-name": NAMES,
        "request-timeout": st.integers(1, 3600),
        "maximum-requests": st.integers(1, 10**6),
        "memory-limit": st.integers(2**21, 2**40),
        "supplementary-groups": st.lists(st.sampled_from(["www", "#33", "staff"]), min_size=1, unique=True),
    },
)
everywhere = st.fixed_dictionaries(
    {},
    optional={
        "script-reloading": st.just(True),
        "chunked-bodies": st.just("stream"),
        "limit-request-body": st.integers(1, 2**40),
        "environment": st.dictionaries(st.sampled_from(["KEY", "MODE"]), NAMES, min_size=1),
    },
)
files = st.lists(
    st.tuples(PREFIXES.filter(lambda path: path != "/"), PATHS), max_size=2, unique_by=lambda item: item[0]
)
sites = st.fixed_dictionaries(
    {"mounts": st.lists(st.tuples(PREFIXES, PATHS, st.sampled_from(GROUPS), st.sampled_from(["application", "app"])),
                        min_size=1, max_size=3, unique_by=lambda item: item[0])},
    optional={
        "static": files,
        "aliases": st.just(["*.example.net"]),
        "access-log": PATHS,
        "certificate": PATHS,
        "tls-minimum": st.just("1.3"),
        "hsts": st.integers(1, 10**8),
        "redirect-to-https": st.just(True),
    },
)  # fmt: skip


def document(site: dict[str, Any], port: int) -> dict[str, Any]:
    """A site of a document: no static directory has the path of a mount."""
    taken = {path for path, _script, _group, _name in site["mounts"]}
    table: dict[str, Any] = {name: value for name, value in site.items() if name not in ("mounts", "static")}
    table["listen"] = [f"0.0.0.0:{443 if 'certificate' in site else port}"]
    table["mounts"] = [
        {"path": path, "script": script, "process-group": group, **({"callable-object": name} if name == "app" else {})}
        for path, script, group, name in site["mounts"]
    ]
    static = [{"path": path, "directory": path_of} for path, path_of in site.get("static", []) if path not in taken]
    if static:
        table["static"] = static
    if "certificate" in table:
        table["certificate-key"] = table["certificate"]
        table.pop("redirect-to-https", None)  # of the virtual host that has no TLS
    else:
        table.pop("tls-minimum", None)
        table.pop("hsts", None)
    return table


def comparable(configuration: Configuration) -> dict[str, Any]:
    """What was written: Apache has neither an order of mounts nor a group for several of them."""
    found = configuration.to_document()
    for site in found["sites"].values():
        shared = site.pop("process-group", None)
        for mount in site["mounts"]:
            mount.setdefault("process-group", shared)
        site["mounts"].sort(key=lambda mount: mount["path"])
    return found


@given(
    tables=st.fixed_dictionaries(dict.fromkeys(GROUPS, groups)),
    shared=everywhere,
    first=sites,
    second=st.none() | sites,
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_apache_is_told_comes_back(
    tables: dict[str, dict[str, Any]],
    shared: dict[str, Any],
    first: dict[str, Any],
    second: dict[str, Any] | None,
    tmp_path: Path,
) -> None:
    there = {SITES[0]: document(first, 80)}
    if second is not None:
        there[SITES[1]] = document(second, 8443)
    led_to = {mount["process-group"] for site in there.values() for mount in site["mounts"]}
    of_groups = {name: {**table, **shared} for name, table in tables.items() if name in led_to}
    before = Configuration.from_document({"version": 1, "groups": of_groups, "sites": there})
    text = RENDERERS["apache"].render(before, CONTEXT)
    after = loaded(imported("apache", {"/etc/apache2/rendered.conf": text}), "apache", tmp_path / "groups.toml")
    assert comparable(after) == comparable(before)
    assert RENDERERS["apache"].render(after, CONTEXT) == text
