"""Dates as HTTP has them (RFC 9110 section 5.6.7), written and read. Pure; any thread."""

from __future__ import annotations

import re
from typing import Optional, Tuple

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY_S = 86400
_EPOCH_DAY = 719468  # days from 0000-03-01 to 1970-01-01
_ERA_DAYS = 146097  # of 400 years
_MONTH = "(" + "|".join(_MONTHS) + ")"
_TIME = "([0-9]{2}):([0-9]{2}):([0-9]{2})"
# Senders use the first; recipients understand all three.
_IMF = re.compile("(?:%s), ([0-9]{2}) %s ([0-9]{4}) %s GMT" % ("|".join(_DAYS), _MONTH, _TIME))
_RFC_850 = re.compile("(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, ([0-9]{2})-%s-([0-9]{2}) %s GMT" % (_MONTH, _TIME))
_ASCTIME = re.compile("(?:%s) %s ([ 0-9][0-9]) %s ([0-9]{4})" % ("|".join(_DAYS), _MONTH, _TIME))
_CENTURY = 70  # years of two digits from here on are of the 20th century: no file is older than the epoch


def written(second: int) -> str:
    """Return seconds since the epoch as an IMF-fixdate. Years have four digits: what is beyond them is an error.

    Raises ValueError.
    """
    days, rest = divmod(second, _DAY_S)
    year, month, day = _civil(days)
    if not 0 <= year <= 9999:
        raise ValueError("%d seconds since the epoch have no year of four digits" % second)
    hour, rest = divmod(rest, 3600)
    return "%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[(days + 3) % 7],
        day,
        _MONTHS[month - 1],
        year,
        hour,
        rest // 60,
        rest % 60,
    )


def read(text: str) -> Optional[int]:
    """Return seconds since the epoch, None for what is no date. The day of the week is not compared."""
    match = _IMF.fullmatch(text)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        return _seconds(int(year), month, int(day), int(hour), int(minute), int(second))
    match = _RFC_850.fullmatch(text)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        century = 1900 if int(year) >= _CENTURY else 2000
        return _seconds(century + int(year), month, int(day), int(hour), int(minute), int(second))
    match = _ASCTIME.fullmatch(text)
    if match is not None:
        month, day, hour, minute, second, year = match.groups()
        return _seconds(int(year), month, int(day), int(hour), int(minute), int(second))
    return None


def _seconds(year: int, month_name: str, day: int, hour: int, minute: int, second: int) -> Optional[int]:
    month = _MONTHS.index(month_name) + 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 28 if month == 2 and not leap else _LENGTHS[month - 1]
    if not 1 <= day <= last or hour > 23 or minute > 59 or second > 60:
        return None
    return _days(year, month, day) * _DAY_S + hour * 3600 + minute * 60 + second


def _days(year: int, month: int, day: int) -> int:
    """Return days since the epoch, in the Gregorian calendar; its years begin in March here, so a leap day is last."""
    year -= month <= 2
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - _EPOCH_DAY


def _civil(days: int) -> Tuple[int, int, int]:
    era, day_of_era = divmod(days + _EPOCH_DAY, _ERA_DAYS)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year_of_era + era * 400 + (month <= 2), month, day
