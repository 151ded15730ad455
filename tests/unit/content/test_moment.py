"""A moment as apps write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.moment import moment, shown

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
TIMES = st.datetimes(datetime(1970, 1, 3), datetime(2099, 1, 1), timezones=OFFSETS).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-01T00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01 00:00:00Z"),
        *("2026-01-01T01:00:00+01:00", "2025-12-31T19:30:00-04:30"),
        *("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00-00:00"),
        *("1767225600", "1767225600.0", " 1767225600 "),
        "Thu, 01 Jan 2026 00:00:00 +0000",
        "Thu, 1 Jan 2026 00:00 -0000",
        "1 Jan 2026 01:00:00 +0100 (CET)",
        "Thu, 01 Jan 2026 00:00:00 GMT",
        "Wed, 31 Dec 2025 19:00:00 EST",
        "thu, 01 jan 2026 00:00:00 utc",
    ],
)
def test_the_three_ways_to_write_a_moment(text: str) -> None:
    assert moment(text) == NEW_YEAR


@pytest.mark.parametrize(
    "text",
    [
        *("", "tomorrow", "-5", "1e9", "0x10", "١٢٣", "inf", "1" * 200),
        *("2026-01-01T00:00:00", "2026-01-01", "2026-13-01T00:00:00Z"),
        *("2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+24:00"),
        *("2026-01-01T00:00:00+00:60", "2026-01-01T00:00:61Z", "20260101T000000Z"),
        "0000-01-01T00:00:00Z",
        "Thu, 01 Jan 2026 00:00:00",
        "Thu, 01 Jan 2026 00:00:00 CEST",
        "Thu, 32 Jan 2026 00:00:00 GMT",
        "Thu, 01 Foo 2026 00:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:00 +9999",
        "2026-01-01T00:00:00Z and more",
    ],
)
def test_what_is_no_moment_or_names_no_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - nothing of it is shown
        moment(text)


def test_a_leap_second_is_the_one_before_it() -> None:
    assert moment("2016-12-31T23:59:60Z") == moment("2016-12-31T23:59:59Z")


@given(TIMES)
def test_each_moment_is_the_same_in_each_form(at: datetime) -> None:
    whole = at.replace(microsecond=0).timestamp()
    assert moment(at.isoformat(timespec="milliseconds")) == pytest.approx(
        at.timestamp(), abs=1e-6
    )
    assert moment(format_datetime(at)) == whole
    assert moment(f"{whole:.0f}") == whole
    assert moment(shown(whole)) == whole


@given(st.text(max_size=60))
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    try:
        assert moment(text) >= -(10**12)
    except ValueError:
        pass
