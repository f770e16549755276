"""Said once, however often it happens."""

import logging
import re
from collections import Counter
from collections.abc import Callable

MOST = 20
"""How often a line is said within an hour."""

FORMS = 50
"""Lines with the same message, each about something else, that are said within an hour."""

HOUR = 3600.0

MESSAGES = 1000  # that are remembered


class Condition:
    """Something that holds for a while, such as a full disk: logged when it begins and ends.

    A change of its description counts as a beginning, one of its numbers does not.
    """

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        self._log = log
        self._level = level
        self._said: str | None = None

    def holds(self, description: str) -> None:
        gist = _gist(description)
        if gist != self._said:
            self._log.log(self._level, "%s", description)
            self._said = gist

    def over(self, description: str) -> None:
        """Says so only if it held before."""
        if self._said is not None:
            self._log.info("%s", description)
            self._said = None


class Flood(logging.Filter):
    """Lets a line through so often an hour, its numbers aside, and counts the rest.

    The last resort against what begins and ends for ever: a disk with a loose cable, a worker
    that is killed again and again. The same message about something else is another line, up to
    a bound: there are few folders and many photos. Exempt are errors, which somebody has to act
    on, and lines about one photo: whoever writes them counts them himself. `clock` is monotonic
    seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._hours: dict[tuple[str, str], _Hour] = {}  # by logger and message

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR or hasattr(record, "PHOTOSORTD_PHOTO"):
            return True
        now, message = self._clock(), (record.name, str(record.msg))
        hour = self._hours.get(message)
        if hour is None or now - hour.since >= HOUR:
            if hour is not None and hour.withheld:
                record.msg = f"{record.msg} (and {hour.withheld} more like it since the last)"
            if len(self._hours) >= MESSAGES:
                self._hours.clear()
            hour = self._hours[message] = _Hour(now)
        gist = _gist(str(record.args))
        if not hour.takes(gist):
            return False
        if hour.is_last(gist):
            record.msg = f"{record.msg} (more like it are only counted, for an hour)"
        return True


class _Hour:
    """What was said with one message, by the gist of its arguments."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.withheld = 0
        self._said: Counter[str] = Counter()

    def takes(self, gist: str) -> bool:
        """Whether one more may be said; it is counted either way."""
        if self._said[gist] >= MOST or (gist not in self._said and len(self._said) >= FORMS):
            self.withheld += 1
            return False
        self._said[gist] += 1
        return True

    def is_last(self, gist: str) -> bool:
        """Whether the next one would be withheld, or one about something new."""
        return self._said[gist] == MOST or (self._said[gist] == 1 and len(self._said) == FORMS)


def _gist(text: str) -> str:
    return re.sub(r"\d+", "#", text)
