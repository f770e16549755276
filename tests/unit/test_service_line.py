"""What `systemctl status` shows on its one line."""

from typing import Any

from photosortd.service.line import LONGEST, one_line

BUNDLE = "0123456789abcdef" * 4


def state(**changes: Any) -> dict[str, Any]:
    return {
        "state": "idle",
        "trouble": None,
        "warning": None,
        "bundle": {"id": BUNDLE, "warning": None},
        "queue": {"live": 0, "backlog": 0, "in_hand": 0, "settling": 0},
        "recent": [],
        "roots": [{"path": "/srv/DCIM", "watched": "events"}],
        **changes,
    }


def test_at_rest() -> None:
    assert one_line(state()) == "Idle, 0 queued; bundle 0123456789ab; /srv/DCIM by events"


def test_at_work() -> None:
    queue = {"live": 1, "backlog": 20, "in_hand": 2, "settling": 9}
    line = one_line(state(state="sorting", queue=queue, recent=[{"path": "2026/a.jpg"}]))
    assert line.startswith("Sorting, 23 queued; last 2026/a.jpg; bundle 0123456789ab; /srv")


def test_trouble_comes_first_and_then_a_failed_reload() -> None:
    line = one_line(
        state(
            trouble="/srv/library: it is not there",
            warning="kept the old configuration: wacth: no such key",
        )
    )
    assert line == (
        "Waiting: /srv/library: it is not there; kept the old configuration: wacth: no such key; "
        "0 queued; bundle 0123456789ab; /srv/DCIM by events"
    )


def test_a_bundle_that_is_not_the_configured_one_is_said() -> None:
    warned = {"id": BUNDLE, "warning": "/srv/bundle: damaged: bundle 0123 stays in use"}
    assert one_line(state(bundle=warned)).startswith("/srv/bundle: damaged: ")


def test_many_folders_are_counted() -> None:
    roots = [{"path": f"/srv/phone-{n}/DCIM", "watched": "events"} for n in range(5)]
    roots.append({"path": "/srv/tablet/DCIM", "watched": "paused"})
    assert one_line(state(roots=roots)).endswith("; 5 folders by events, 1 folder paused")


def test_it_stays_short_on_one_line() -> None:
    line = one_line(
        state(
            trouble="x" * 500,
            warning="kept the old configuration: two\nlines " + "y" * 500,
            recent=[{"path": "2026/" * 50 + "a.jpg"}],
        )
    )
    assert len(line) <= LONGEST
    assert "\n" not in line
    assert "kept the old configuration: two lines" in line
