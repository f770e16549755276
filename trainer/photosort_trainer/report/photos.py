"""Photos to look at: what it said of test photos, and whose label may be wrong."""

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from photosort_trainer.report import thumbnails
from photosort_trainer.report.markup import (
    Html,
    colour,
    counted,
    listed,
    paragraph,
    percent,
    quiet,
    section,
    share,
    tag,
)
from photosort_trainer.report.overview import chips
from photosort_trainer.report.thumbnails import Thumbnails
from photosort_trainer.results import Results, Shot

_MOST = 24  # of the worst, of the best, and of the suspects
_BARS = 8  # of one photo


def worst(found: Results) -> Sequence[Shot]:
    """Never the same as `best` shows."""
    return found.shots[: min(_MOST, -(-len(found.shots) // 2))]


def best(found: Results) -> Sequence[Shot]:
    """Those with the smallest loss, of each category in turn."""
    waiting: dict[tuple[str, ...], list[Shot]] = {}
    for shot in found.shots[len(worst(found)) :]:
        waiting.setdefault(tuple(shot.labels[:1]), []).append(shot)  # the best of them last
    chosen: list[Shot] = []
    while waiting and len(chosen) < _MOST:
        for key in sorted(waiting):
            chosen.append(waiting[key].pop())
        waiting = {key: shots for key, shots in waiting.items() if shots}
    return chosen[:_MOST]


def suspects(found: Results) -> Sequence[tuple[str, list[dict[str, Any]]]]:
    """By photo, the most suspicious first."""
    by_path: dict[str, list[dict[str, Any]]] = {}
    for each in found.suspects:
        by_path.setdefault(each["path"], []).append(dict(each))
    return list(by_path.items())[:_MOST]


def paths(found: Results) -> Iterator[str]:
    """Of everything that is shown."""
    yield from (shot.path for shot in (*worst(found), *best(found)))
    yield from (path for path, _ in suspects(found))


def judged(found: Results, small: Thumbnails) -> Html:
    title = "Test photos, which it had never seen"
    if not found.shots:
        return section("shots", title, paragraph("There were none."))
    return section(
        "shots",
        title,
        quiet(
            "A bar for each category is its score; the stroke across it is the threshold. At or "
            "beyond it the photo is filed there."
        ),
        tag("h3", "Where it was most wrong, or least sure"),
        tag("div", *(_shot(found, small, each) for each in worst(found)), class_="photos"),
        tag("h3", "Where it was right and sure, of each category in turn"),
        tag("div", *(_shot(found, small, each) for each in best(found)), class_="photos"),
    )


def _shot(found: Results, small: Thumbnails, shot: Shot) -> Html:
    labels = listed(list(shot.labels)) or "nothing"
    return tag(
        "figure",
        thumbnails.shown(small, shot.path, f"Photo labelled {labels}"),
        tag(
            "figcaption",
            tag("p", chips(found, shot.labels), class_="labels"),
            _outcome(shot),
            tag("ul", *_bars(found, shot), class_="scores"),
            tag("code", PurePath(shot.path).name, class_="file", title=shot.path),
        ),
    )


def _outcome(shot: Shot) -> Html:
    missed = [name for name in shot.labels if name not in shot.filed]
    wrong = [name for name in shot.filed if name not in shot.labels]
    if not missed and not wrong:
        said = "right" if shot.filed else "right: left alone"
        return tag("p", said, class_="outcome well")
    parts = [f"missed: {listed(missed)}"] if missed else []
    parts += [f"wrongly: {listed(wrong)}"] if wrong else []
    return tag("p", "; ".join(parts), class_="outcome badly")


def _bars(found: Results, shot: Shot) -> Iterator[Html]:
    names = list(found.categories)
    if len(names) > _BARS:
        high = sorted(names, key=lambda name: (name not in shot.labels, -shot.scores.get(name, 0)))
        names = [name for name in names if name in high[:_BARS]]
    for name in names:
        score = min(1.0, max(0.0, shot.scores.get(name, 0.0)))
        threshold = found.shipped[name]["threshold"]
        over = threshold is not None and score >= threshold
        yield tag(
            "li",
            tag("span", name, title=name),
            tag(
                "span",
                tag("i", style=f"width:{100 * score:.1f}%"),
                tag("b", style=f"left:{100 * min(1.0, threshold):.1f}%")
                if threshold is not None
                else None,
                class_="track",
            ),
            tag("span", share(score)),
            class_="over" if over else None,
            style=colour(found.categories.index(name)),
        )


def doubtful(found: Results, small: Thumbnails) -> Html:
    title = "Labels that may be wrong"
    if not found.suspects:
        return section("suspects", title, quiet("None stands out."))
    shown = suspects(found)
    photos = len({each["path"] for each in found.suspects})
    more = f" The {len(shown)} most doubtful are shown." if photos > len(shown) else ""
    return section(
        "suspects",
        title,
        quiet(
            f"{counted(photos, 'photo')} that the networks, without having learned from them, see "
            f"otherwise than their labels say.{more} Put a photo into the folder where it belongs "
            "and train again; if the label is right, leave it. ",
            tag("code", "photosort-train check FOLDER --run RUN"),
            " lists them.",
        ),
        tag("div", *(_suspect(found, small, *each) for each in shown), class_="photos"),
    )


def _suspect(found: Results, small: Thumbnails, path: str, doubts: list[dict[str, Any]]) -> Html:
    labels = [each["category"] for each in doubts if each["labelled"]]
    lines = (
        tag(
            "p",
            f"labelled {each['category']}, and its score is {percent(each['score'])}"
            if each["labelled"]
            else f"not labelled {each['category']}, and its score is {percent(each['score'])}",
            class_="outcome badly",
        )
        for each in doubts
    )
    says = (
        f"Photo labelled {listed(labels)}" if labels else "Photo with a label that may be missing"
    )
    where = PurePath(path)
    return tag(
        "figure",
        thumbnails.shown(small, path, says),
        tag(
            "figcaption",
            tag("p", chips(found, tuple(each["category"] for each in doubts)), class_="labels"),
            *lines,
            tag("code", f"{where.parent.name}/{where.name}", class_="file", title=path),
        ),
    )
