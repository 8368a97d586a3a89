"""Durations and sizes: what is read, what is refused, and that printing loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsgigroups.config.units import (
    MAXIMUM_SIZE_BYTES,
    approximate_bytes,
    format_bytes,
    format_duration,
    parse_bytes,
    parse_duration,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0),
        (90, 90.0),
        (0.25, 0.25),
        ("0", 0.0),
        ("60", 60.0),
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("1d2h3m4s5ms", 93784.005),
        (" 5m ", 300.0),
        ("0.1s", 0.1),
    ],
)
def test_durations_are_read(written: float | str, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "abc",
        "-1",
        -1,
        "1s1m",
        "1m1m",
        "1 m",
        "1mm",
        "m",
        ".5s",
        "1e3",
        "५s",
        True,
        None,
        [],
        "1" * 80,
        float("nan"),
        float("inf"),
        float("-inf"),
        10**10,
        10**400,
        "2000000000s",
    ],
)
def test_durations_that_are_not_understood_are_refused(written: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (0, 0),
        (1000, 1000),
        ("7", 7),
        ("512K", 524288),
        ("256M", 268435456),
        ("1GiB", 2**30),
        ("1.5G", 3 * 2**29),
        ("9B", 9),
    ],
)
def test_sizes_are_read(written: int | str, size: int) -> None:
    assert parse_bytes(written) == size


@pytest.mark.parametrize(
    "written", ["", "1KB", "1MB", "x", "1.0001K", 1.5, -1, True, None, "-1K", "1k", "8388608T", 2**63]
)
def test_sizes_that_are_not_understood_are_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"size|bytes"):
        parse_bytes(written)  # type: ignore[arg-type]


@given(st.floats(min_value=0, max_value=1e9))
@example(0.1 + 0.2)
@example(5e-324)
@example(1e9)
def test_every_duration_prints_and_reads_back(seconds: float) -> None:
    text = format_duration(seconds)
    if len(text) <= 64:
        assert parse_duration(text) == seconds


@given(st.integers(min_value=0, max_value=10**12))
def test_every_duration_in_milliseconds_prints_with_units(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=MAXIMUM_SIZE_BYTES))
def test_every_size_prints_and_reads_back(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size


def test_sizes_for_people() -> None:
    assert approximate_bytes(12_345_678) == "11.8 MiB"
    assert approximate_bytes(10) == "10 B"
