"""Dates of HTTP, beside the standard library's."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.gateway import http_dates

SECONDS = st.integers(0, 253402300799)  # up to the end of the year 9999


@given(SECONDS)
def test_written_as_others_write_it_and_read_again(second: int) -> None:
    text = http_dates.written(second)
    assert text == formatdate(second, usegmt=True)
    assert http_dates.read(text) == second
    moment = datetime.fromtimestamp(second, timezone.utc)
    assert http_dates.read(moment.strftime("%a %b ") + f"{moment.day:2} {moment:%H:%M:%S} {moment.year:04}") == second


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_formats_of_the_specification(text: str) -> None:
    assert http_dates.read(text) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=7",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 06 Nov 0٣94 08:49:37 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert http_dates.read(text) is None


def test_leap_days_and_seconds() -> None:
    assert http_dates.read("Tue, 29 Feb 2000 00:00:00 GMT") == 951782400
    assert http_dates.read("Sat, 31 Dec 2016 23:59:60 GMT") == http_dates.read("Sun, 01 Jan 2017 00:00:00 GMT")


def test_a_year_of_five_digits_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="four digits"):
        http_dates.written(253402300800)
