"""What the numbers mean to the owner of the photos, and what would help most. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from photosort_trainer.findings import PLENTY, UNEVEN
from photosort_trainer.report import tally
from photosort_trainer.report.markup import counted, listed
from photosort_trainer.results import Results

GOOD = 0.8
VERY_GOOD = 0.9
_USABLE = 0.65
_JUDGES = 10  # photos of a category below which its F1 hangs on one or two of them
_MOST = 7


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do."""

    weight: float  # what helps most comes first
    what: str
    why: str


def grade(macro_f1: float) -> str:
    if macro_f1 >= VERY_GOOD:
        return "Very good"
    if macro_f1 >= GOOD:
        return "Good"
    return "Usable, with mistakes" if macro_f1 >= _USABLE else "Not good enough yet"


def next_steps(found: Results) -> list[Advice]:
    """The most helpful first."""
    every = [
        *_weak(found),
        *_promises(found),
        *_confused(found),
        *_negatives(found),
        *_suspects(found),
        *_uneven(found),
        *_untested(found),
    ]
    return sorted(every, key=lambda each: -each.weight)[:_MOST]


def _weak(found: Results) -> Iterator[Advice]:
    broken = {each["category"] for each in found.promises if not each["kept"]}
    for name in found.categories:
        if name in broken:
            continue  # `_promises` says what would help
        quality, photos = found.shipped[name], tally.photos_of(found, name)
        f1 = quality["f1"]
        if quality["threshold"] is None:
            yield Advice(
                2.0,
                f"Add more and clearer photos of {name}",
                "No threshold was good enough, so nothing is filed there by itself.",
            )
        elif f1 < VERY_GOOD and photos < PLENTY:
            yield Advice(
                1.5 - f1,
                f"Add about {PLENTY - photos} photos of {name}",
                f"It has {photos} in all, and an F1 of {f1:.2f}. {_side(quality)} "
                "Take them from several days, places and cameras.",
            )
        elif f1 < GOOD:
            yield Advice(
                1.4 - f1,
                f"Look at what goes wrong with {name}",
                f"It has {photos} photos, and yet an F1 of {f1:.2f}. {_side(quality)} "
                "Is everything in its folder of one kind, and labelled alike?",
            )


def _side(quality: dict[str, Any]) -> str:
    if quality["recall"] < quality["precision"] - 0.05:
        return "It is missed more often than it is filed wrongly."
    if quality["precision"] < quality["recall"] - 0.05:
        return "It is filed wrongly more often than it is missed."
    return ""


def _promises(found: Results) -> Iterator[Advice]:
    for each in found.promises:
        if not each["kept"]:
            more = each["more"]
            what = f"about {more} more" if more else "clearer"
            yield Advice(
                1.2,
                f"Add {what} photos of {each['category']}, to keep its promise",
                f"A precision of {each['precision']:g} was asked for and cannot be kept yet, so "
                "nothing is filed there by itself."
                + (
                    ""
                    if more
                    else " More of the same would not do: look at what it is confused with."
                ),
            )


def _confused(found: Results) -> Iterator[Advice]:
    pairs = tally.confusion(found)
    for (label, into), count in sorted(pairs.items(), key=lambda each: (-each[1], each[0])):
        if label == into or tally.NONE in (label, into) or count < 2:
            continue
        yield Advice(
            0.3 + count / max(1, sum(label in shot.labels for shot in found.shots)),
            f"Show the difference between {label} and {into}",
            f"{counted(count, 'test photo')} of {label} went into {into}, too or instead. If they "
            f"are both, put them into both folders; if not, add photos of {label} that look like "
            f"{into}.",
        )


def _negatives(found: Results) -> Iterator[Advice]:
    nothing = [shot for shot in found.shots if not shot.labels]
    wrong = sum(bool(shot.filed) for shot in nothing)
    if not tally.photos_of(found, tally.NONE):
        yield Advice(
            0.7,
            "Add photos of nothing in particular to the folder none",
            "It has never seen what it is to leave alone: documents, screenshots, walls, shoes. "
            "50 of them are a good beginning.",
        )
    elif wrong and wrong / len(nothing) > 0.1:
        yield Advice(
            0.3 + wrong / len(nothing),
            "Add more photos of nothing in particular to the folder none",
            f"{wrong} of {len(nothing)} test photos of no category were filed somewhere.",
        )


def _suspects(found: Results) -> Iterator[Advice]:
    if count := len(found.suspects):
        photos = len({each["path"] for each in found.suspects})
        yield Advice(
            0.45 + min(0.3, count / 100),
            f"Look at {counted(photos, 'photo')} whose labels may be wrong",
            "They are shown below. A wrong label costs more than a missing photo.",
        )


def _uneven(found: Results) -> Iterator[Advice]:
    counts = {name: tally.photos_of(found, name) for name in found.categories}
    largest = max(counts, key=lambda name: counts[name], default="")
    rare = [name for name in counts if 0 < counts[name] * UNEVEN < counts[largest]]
    if rare:
        yield Advice(
            0.35,
            f"Let the small categories grow: {listed(rare)}",
            f"{largest} has {counts[largest]} photos, "
            + listed([f"{name} {counts[name]}" for name in rare])
            + ". Training makes up for some of that, more photos for more.",
        )


def _untested(found: Results) -> Iterator[Advice]:
    few = [name for name in found.categories if 0 < found.shipped[name]["photos"] < _JUDGES]
    if few:
        yield Advice(
            0.25,
            f"Take the numbers of {listed(few)} with care",
            f"Fewer than {_JUDGES} test photos judge each: one photo more or less moves "
            "the F1 by several hundredths.",
        )
