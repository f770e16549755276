"""Asking politely: one request after another, no more often than allowed, with our name, and when
told to wait we wait."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from photosort_trainer.errors import TrainerError
from photosortd import __version__
from photosortd.records import printable

PAUSE = 1.0
"""Seconds between two requests to one host: Openverse's limit for those without an account."""

PATIENCE = 120.0
"""Seconds that we wait at most when a server asks us to; longer: come back another time."""

LARGEST = 30 << 20
"""Bytes of a picture. Larger ones are left alone."""

_TRIES = 4
_BUSY = frozenset({429, 502, 503, 504})


class Refused(Exception):
    """One address cannot be had; others may. `for_good`: nor will it be another time."""

    def __init__(self, reason: str, for_good: bool = True) -> None:
        super().__init__(reason)
        self.for_good = for_good


@dataclass(slots=True)
class Fetcher:
    """One client for all hosts. `sleep` and `clock` are seconds."""

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _asked: dict[str, float] = field(default_factory=dict)
    _client: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            timeout=30.0,
            follow_redirects=True,
            headers={"User-Agent": f"photosort-train/{__version__} (personal photo categories)"},
        )
    )

    def close(self) -> None:
        self._client.close()

    def json(self, url: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Raises TrainerError if the service cannot be asked, or answers something else."""
        try:
            said = self._get(url, params).json()
        except (Refused, ValueError) as error:
            raise TrainerError(f"{printable(url)}: {error}") from error
        if not isinstance(said, dict):
            raise TrainerError(f"{printable(url)}: answers something that is not its API")
        return said

    def picture(self, url: str) -> bytes:
        """Raises Refused."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise Refused("not an address of the web")
        return self._get(url, {}).content

    def _get(self, url: str, params: Mapping[str, str]) -> httpx.Response:
        waited = 0.0
        for attempt in range(_TRIES):
            self._wait_for_our_turn(urlsplit(url).netloc)
            try:
                answer = self._ask(url, params)
            except httpx.HTTPError as error:
                if attempt + 1 == _TRIES:
                    raise Refused(str(error) or type(error).__name__, for_good=False) from error
                pause = 2.0**attempt
            else:
                if answer.status_code not in _BUSY:
                    if answer.is_error:
                        reason = f"HTTP {answer.status_code} {answer.reason_phrase}"
                        raise Refused(reason, for_good=answer.is_client_error)
                    return answer
                pause = _told(answer) or 2.0**attempt
            waited += pause
            if waited > PATIENCE:
                break
            self.sleep(pause)
        raise Refused("busy: try again later, what was fetched is kept", for_good=False)

    def _ask(self, url: str, params: Mapping[str, str]) -> httpx.Response:
        with self._client.stream("GET", url, params=dict(params) or None) as answer:
            parts, size = [], 0
            for part in answer.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise Refused(f"larger than {LARGEST >> 20} MB")
        return httpx.Response(
            answer.status_code,
            headers=[(k, v) for k, v in answer.headers.items() if k.lower() in _PLAIN],
            content=b"".join(parts),
            request=answer.request,
        )

    def _wait_for_our_turn(self, host: str) -> None:
        since = self.clock() - self._asked.get(host, -PAUSE)
        if since < PAUSE:
            self.sleep(PAUSE - since)
        self._asked[host] = self.clock()


_PLAIN = frozenset({"content-type", "retry-after"})  # the body is decoded by now


def _told(answer: httpx.Response) -> float | None:
    """The seconds that a server asks us to wait."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None
