"""What prometheus_client writes in several processes is added up as it does that itself; and odd files harm nobody."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from wsgigroups.manager.observing import application_metrics
from wsgigroups.manager.observing.application_metrics import ApplicationMetrics
from wsgigroups.metrics.multiprocess import MAXIMUM_SERIES, Merged, entries, file_of
from wsgigroups.targets.counting import counting_directory

WORKER = """
import sys
from prometheus_client import Counter, Gauge, Histogram, Summary
factor = int(sys.argv[1])
Counter("orders", "Orders\\nof all", ["shop"]).labels('a"b').inc(factor)
for mode in ("all", "liveall", "min", "livemin", "max", "livemax", "sum", "livesum", "mostrecent", "livemostrecent"):
    Gauge("level_" + mode, "A level", multiprocess_mode=mode).set(factor)
times = Histogram("times", "Times", ["of"], buckets=(1, 2, 5))
for value in (0.5, 1.5, 3, 9):
    times.labels("x").observe(value * factor)
Summary("sizes", "Sizes").observe(factor)
print(__import__("os").getpid())
"""
ORACLE = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def run(directory: Path, script: str, *arguments: str) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = counting_directory(tmp_path, "blog")
    found.mkdir(parents=True)
    return found


def test_processes_that_live_are_added_up_as_the_library_does(tmp_path: Path, directory: Path) -> None:
    for factor in ("1", "3"):
        run(directory, WORKER, factor)
    ours = ApplicationMetrics(tmp_path, is_gone=lambda _pid: False).text("blog")
    assert samples(ours) == samples(run(directory, ORACLE))
    assert '# HELP orders_total Orders\\nof all\n# TYPE orders_total counter\norders_total{shop="a\\"b"} 4.0\n' in ours


def test_what_the_dead_have_counted_stays_and_their_files_go(tmp_path: Path, directory: Path) -> None:
    gone = {int(run(directory, WORKER, "1"))}
    counting = ApplicationMetrics(tmp_path, is_gone=gone.__contains__)
    living = int(run(directory, WORKER, "3"))
    whole = samples(run(directory, ORACLE))
    counting.look({"blog"})
    assert {file.pid for path in directory.iterdir() if (file := file_of(path.name))} == {living}
    kept = samples(counting.text("blog"))
    summed = {key: value for key, value in whole.items() if not key[0].startswith(("level_live", "level_all"))}
    assert {key: kept[key] for key in summed} == summed
    assert kept["level_livesum", ()] == 3.0
    assert [key for key in kept if key[0] == "level_all"] == [("level_all", (("pid", str(living)),))]
    following = ApplicationMetrics(tmp_path, is_gone=gone.__contains__)
    assert samples(following.text("blog"))["orders_total", (("shop", 'a"b'),)] == 4.0


def test_a_manager_that_died_before_it_removed_files_counts_them_once(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {int(run(directory, WORKER, "2"))}
    with monkeypatch.context() as killed:
        killed.setattr(ApplicationMetrics, "_remove", lambda *_: None)
        ApplicationMetrics(tmp_path, is_gone=gone.__contains__).look({"blog"})
    assert list(directory.iterdir())
    following = ApplicationMetrics(tmp_path, is_gone=gone.__contains__)
    following.look({"blog"})
    assert samples(following.text("blog"))["orders_total", (("shop", 'a"b'),)] == 2.0
    assert not list(directory.iterdir())


def test_groups_that_are_not_there_any_more_leave_nothing(tmp_path: Path, directory: Path) -> None:
    gone = {int(run(directory, WORKER, "1"))}
    counting = ApplicationMetrics(tmp_path, is_gone=gone.__contains__)
    counting.look({"blog"})
    counting.look({"shop"})
    assert not directory.exists()
    assert counting.text("blog") == ""
    counting.close()
    assert not list(tmp_path.iterdir())


def test_only_small_plain_files_of_the_group_are_read(tmp_path: Path, directory: Path) -> None:
    run(directory, WORKER, "1")
    real = next(directory.glob("counter_*.db"))
    outside = tmp_path / "counter_7.db"
    outside.write_bytes(real.read_bytes())
    real.unlink()
    for path in directory.iterdir():
        path.unlink()
    followed = tmp_path / "counter_6.db"
    followed.write_bytes(outside.read_bytes())
    (directory / "counter_6.db").symlink_to(followed)
    os.mkfifo(directory / "counter_8.db")
    (directory / "counter_9.db").mkdir()
    os.link(outside, directory / "counter_10.db")
    (directory / "counter_x.db").write_bytes(outside.read_bytes())
    counting = ApplicationMetrics(tmp_path, is_gone=lambda _pid: False)
    assert counting.text("blog") == ""
    (directory / "counter_11.db").write_bytes(outside.read_bytes())
    assert "orders_total" in counting.text("blog")


def entry(key: bytes, value: float = 1.0) -> bytes:
    return struct.pack("=i", len(key)) + key + b" " * (8 - (len(key) + 4) % 8) + struct.pack("=dd", value, 0.0)


def written(*found: bytes) -> bytes:
    data = b"".join(found)
    return struct.pack("=ii", 8 + len(data), 0) + data


@pytest.mark.parametrize(
    "key",
    [
        *(b"", b"{", b"[]", b"[1, 2, 3, 4]", b'["a", "b", [], ""]', b"[" * 4000),
        *(b'["a b", "a", {}, ""]', b'["a", "a\\nb 1", {}, ""]', b'["a", "a", {"x y": "1"}, ""]'),
    ],
)
def test_a_key_that_says_nothing_is_left_out(key: bytes) -> None:
    found = Merged()
    good = b'["good", "good_total", {"a": "x"}, "Good"]'
    file = file_of("counter_1.db")
    assert file
    found.add(file, written(entry(good), entry(key), entry(good)))
    assert found.text().count("\n") in (2, 3) or not key
    assert "\nb 1" not in found.text()


def test_a_tenant_cannot_forge_lines_nor_fill_the_memory() -> None:
    file = file_of("counter_1.db")
    assert file
    found = Merged()
    odd = b'["n", "n_total", {"l": "\\"} 1\\nwsgigroups_requests_total 7"}, "h\\nforged 1"]'
    found.add(file, written(entry(odd, float("nan"))))
    assert {sample for sample, _labels in samples(found.text())} == {"n_total"}
    many = (entry(b'["n", "n_total", {"l": "%d"}, ""]' % number) for number in range(MAXIMUM_SERIES + 10))
    found.add(file, written(*many))
    assert len(found.values) == MAXIMUM_SERIES


@given(st.binary(max_size=300), st.integers(-(2**31), 2**31 - 1))
def test_whatever_a_file_holds_is_read_to_an_end(data: bytes, used: int) -> None:
    found = Merged()
    file = file_of("histogram_1.db")
    assert file
    whole = struct.pack("=ii", used, 0) + data
    assert len(list(entries(whole))) <= len(data)
    found.add(file, whole)
    found.text()


@pytest.mark.parametrize("name", ["counter_1.db.x", "gauge_odd_1.db", "gauge_1.db", "../counter_1.db", "counter_-1.db"])
def test_other_names_are_nobodys(name: str) -> None:
    assert file_of(name) is None


def test_the_bounds_hold_together() -> None:
    assert application_metrics.MAXIMUM_BYTES <= application_metrics.MAXIMUM_TOTAL


def test_what_a_group_has_left_that_is_no_file_keeps_no_other_from_being_removed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        counting_directory(tmp_path, name).mkdir(parents=True)
        (counting_directory(tmp_path, name) / "counter_1.db").touch()
    (counting_directory(tmp_path, "b") / "made").mkdir()
    ApplicationMetrics(tmp_path).look(())
    left = counting_directory(tmp_path, "b")
    assert sorted(left.parent.rglob("*")) == [left, left / "made"]
