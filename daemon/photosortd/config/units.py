"""Durations, sizes, counts and permissions as people write them: 10m, 512M, '0640'. Pure."""

import math
import re

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)\Z", re.ASCII)
_OCTAL = re.compile(r"(?:0o)?0*([0-7]{1,4})\Z", re.ASCII)

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_THINGS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}

LONGEST = 3650 * 86400.0
"""Ten years, in seconds: longer waits are a slip of the finger."""

_MOST = 1 << 60


def duration(value: object) -> float:
    """Seconds from '5s', '10m', '1h', '1d' or a plain number of seconds. Raises ValueError."""
    seconds = _amount(value, _SECONDS)
    if seconds is None or seconds > LONGEST:
        raise ValueError("must be a duration such as 30s, 10m, 24h or 7d")
    return seconds


def size(value: object) -> int:
    """Bytes from '512M', '1.5G' or a plain number of bytes; powers of 1024. Raises ValueError."""
    number = _amount(value, _BYTES)
    if number is None:
        raise ValueError("must be a size such as 512M or 1G")
    return int(number)


def count(value: object) -> int:
    """A number from '100M' (a hundred million) or plain digits; powers of 1000. ValueError."""
    number = _amount(value, _THINGS)
    if number is None:
        raise ValueError("must be a number such as 100M")
    return int(number)


def permissions(value: object) -> int:
    """Mode bits from octal digits, quoted or not: '0640' and 640 are the same. ValueError."""
    match = _OCTAL.match(str(value)) if _is_plain(value, str, int) else None
    if match is None or (mode := int(match[1], 8)) > 0o777:
        raise ValueError("must be permissions in octal such as '0640' (at most '0777')")
    return mode


def _amount(value: object, units: dict[str, int]) -> float | None:
    """The number, or None for what is none, is negative, or is beyond all reason."""
    if _is_plain(value, int, float):
        number = float(value)  # type: ignore[arg-type]
    elif isinstance(value, str) and (match := _NUMBER.match(value.strip())):
        factor = units.get(match[2], units.get(match[2].upper()))
        number = float(match[1]) * factor if factor is not None else math.nan
    else:
        return None
    return number if 0 <= number <= _MOST else None


def _is_plain(value: object, *types: type) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)
