"""Syncthing brings new, changed and renamed photos; the one that receives is killed meanwhile."""

import random
import time
from pathlib import Path

import pytest

from auditing import Audit
from clients import needs
from deliveries import STALL, Lookout, draw_all
from running import House, eventually
from syncing import Syncthing, connected, pair
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.faults


def temporary(house: House) -> set[str]:
    """What Syncthing has begun and not renamed yet."""
    return {path.name for path in house.dcim.glob(".syncthing.*.tmp")}


def interrupted(house: House, there: Syncthing, dice: random.Random) -> bool:
    """Kill the receiver, if possible in the middle of a photo; whether one was left behind."""
    moment = time.monotonic() + dice.uniform(0.05, 0.8)
    while time.monotonic() < moment + 1.5 and not (time.monotonic() > moment and temporary(house)):
        time.sleep(0.01)
    there.kill()
    left = bool(temporary(house))
    time.sleep(STALL)
    there.start()
    return left


def same(one: Path, other: Path) -> bool:
    names = {path.name for path in one.glob("[!.]*")}
    return names == {path.name for path in other.glob("[!.]*")} and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


def test_new_changed_and_renamed_photos_come_by_syncthing(
    house: House, audit: Audit, effort: Effort, figures: Figures, tmp_path: Path
) -> None:
    needs("syncthing")
    count, faults = effort.of(6, 200), effort.of(1, 12)
    dice, lookout = random.Random(8), Lookout(house, audit)
    phone = tmp_path / "phone"
    photos = draw_all("sync", count, 3)
    news = draw_all("sync", count // 3, 3 + 13 * 1000)  # the same kinds under the same names
    audit.expected |= {f"red/{name}": data for name, data in photos.items()}
    pace = max(200, sum(map(len, photos.values())) // (1 + faults) >> 10)
    here, there = pair(tmp_path / "syncthing", phone, house.dcim, pace)
    left = 0

    def filed() -> bool:
        lookout.glance()
        return len(house.names()) == len(audit.expected)

    with here, there, house.daemon():
        connected(here, there)
        for name, data in photos.items():
            (phone / name).write_bytes(data)
        here.scan()
        for _ in range(faults):
            left += interrupted(house, there, dice)
            lookout.glance()
        eventually(filed, 60 + count, "every new photo is filed")
        for name, data in news.items():
            (phone / name).write_bytes(data)
            stem, ending = name.split(".")
            audit.expected[f"red/{stem}-1.{ending}"] = data
        for name in list(photos)[-count // 3 :]:
            (phone / name).rename(phone / f"renamed-{name}")
        here.scan()
        for _ in range(faults):
            left += interrupted(house, there, dice)
            lookout.glance()
        eventually(filed, 60 + count, "every changed photo is filed")
        eventually(lambda: same(phone, house.dcim), 120, "both have the same")
        here.kill()
        there.kill()
        audit.look_again()
        eventually(house.is_idle, 60)
    lookout.glance()
    lookout.of_the_ledger()
    audit.settled()
    note = f"killed {2 * faults:,} times, {left:,} times with a photo half received"
    figures.add(
        "writers", "Syncthing: new, changed, renamed", 1, count + len(news) + count // 3, note
    )
