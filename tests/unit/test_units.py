"""Durations, sizes, counts and permissions as people write them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosortd.config import units


@pytest.mark.parametrize(
    ("parse", "written", "value"),
    [
        (units.duration, "5s", 5.0),
        (units.duration, "10m", 600.0),
        (units.duration, "1h", 3600.0),
        (units.duration, "1.5h", 5400.0),
        (units.duration, "7d", 604800.0),
        (units.duration, "30", 30.0),
        (units.duration, 2, 2.0),
        (units.duration, 0.5, 0.5),
        (units.duration, 0, 0.0),
        (units.duration, "10 m", 600.0),
        (units.size, "512M", 512 << 20),
        (units.size, "1G", 1 << 30),
        (units.size, "1.5k", 1536),
        (units.size, 4096, 4096),
        (units.count, "100M", 100_000_000),
        (units.count, "20k", 20_000),
        (units.permissions, "0640", 0o640),
        (units.permissions, 640, 0o640),
        (units.permissions, "0o664", 0o664),
        (units.permissions, "0", 0),
    ],
)
def test_what_is_written_is_what_is_meant(
    parse: Callable[[object], float], written: object, value: float
) -> None:
    assert parse(written) == value


@pytest.mark.parametrize(
    ("parse", "written"),
    [
        *((units.duration, bad) for bad in ("", "s", "5x", "-5s", "5M5", "1:30", None, True, [])),
        *((units.duration, bad) for bad in (-1, float("nan"), float("inf"), "4000d", "٣s")),
        *((units.size, bad) for bad in ("1X", "512MB", "-1", -1, False, {}, 1e30)),
        *((units.count, bad) for bad in ("many", None)),
        *((units.permissions, bad) for bad in ("0888", "rw-", 1777, 0.5, True, None, "01000")),
    ],
)
def test_anything_else_is_refused(parse: Callable[[object], float], written: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse(written)


@given(st.integers(0, 3650 * 86400), st.sampled_from("smhd"))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    seconds = number * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    if seconds <= units.LONGEST:
        assert units.duration(f"{number}{unit}") == seconds
