"""What each threshold would come to, and whether the scores mean what they say."""

from collections.abc import Mapping, Sequence
from typing import Any

from photosort_trainer.report import tally
from photosort_trainer.report.markup import (
    Html,
    chip,
    colour,
    counted,
    paragraph,
    percent,
    quiet,
    section,
    share,
    tag,
)
from photosort_trainer.report.svg import (
    Frame,
    axes,
    dot,
    drawing,
    figure,
    line,
    text,
    thinned,
    upright,
)
from photosort_trainer.results import Results

_QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def curves(found: Results) -> Html:
    cards = [
        _card(found, place, name, found.held_out[name])
        for place, name in enumerate(found.categories)
        if found.held_out.get(name, {}).get("scores")
    ]
    title = "Every threshold there could be"
    if not cards:
        return section("curves", title, paragraph("No scores were kept."))
    return section(
        "curves",
        title,
        quiet(
            "From photos that the networks which scored them had not learned from. Left: the more "
            "is found, the more is wrong. Right: F1 (bold), precision (dashed) and recall (dotted) "
            "at every threshold; the one that was chosen is marked. A broad hill means that the "
            "threshold may be moved in the configuration without harm."
        ),
        tag("div", *cards, class_="pairs"),
    )


def _card(found: Results, place: int, name: str, curve: Mapping[str, Any]) -> Html:
    points = list(tally.levels(curve))
    threshold = found.shipped[name]["threshold"]
    chosen = None if threshold is None else tally.at(curve, threshold)
    count = sum(map(bool, curve["labels"]))
    said = f"{counted(count, 'photo')} of {len(curve['labels'])}"
    if chosen:
        said += (
            f"; at {share(chosen.threshold)} precision {share(chosen.precision)}, "
            f"recall {share(chosen.recall)}, F1 {share(chosen.f1)}"
        )
    else:
        said += "; no threshold was chosen"
    return tag(
        "figure",
        tag("figcaption", chip(name, place), " ", tag("span", said, class_="quiet")),
        _precision_recall(name, points, chosen),
        _by_threshold(name, points, chosen),
        style=colour(place),
    )


def _precision_recall(name: str, points: Sequence[tally.At], chosen: tally.At | None) -> Html:
    frame = Frame(width=240, height=176, left=28, right=6, top=24, bottom=34)
    curve = [(each.recall, each.precision) for each in points]
    begins = [(0.0, curve[0][1]), *curve] if curve else []
    says = f"Precision against recall of {name}"
    return drawing(
        frame,
        says if chosen is None else f"{says}; chosen: {_said(chosen)}",
        axes(frame, _QUARTERS, _QUARTERS, "recall", "precision"),
        line(frame, thinned(begins), "own"),
        _mark(frame, chosen.recall, chosen.precision, chosen) if chosen else Html(),
    )


def _by_threshold(name: str, points: Sequence[tally.At], chosen: tally.At | None) -> Html:
    frame = Frame(width=240, height=176, left=28, right=6, top=24, bottom=34)
    few = thinned([(float(at), 0.0) for at in range(len(points))])
    kept = [points[int(at)] for at, _ in few]
    says = f"F1 of {name} at every threshold"
    return drawing(
        frame,
        says if chosen is None else f"{says}; chosen: {_said(chosen)}",
        axes(frame, _QUARTERS, _QUARTERS, "threshold", "F1"),
        upright(frame, chosen.threshold, "mark") if chosen else Html(),
        line(frame, [(each.threshold, each.precision) for each in kept], "thin dashed"),
        line(frame, [(each.threshold, each.recall) for each in kept], "thin dotted"),
        line(frame, [(each.threshold, each.f1) for each in kept], "own"),
        _mark(frame, chosen.threshold, chosen.f1, chosen) if chosen else Html(),
    )


def _mark(frame: Frame, x: float, y: float, chosen: tally.At) -> Html:
    return dot(frame, x, y, 5, "chosen own", _said(chosen))


def _said(chosen: tally.At) -> str:
    return (
        f"threshold {share(chosen.threshold)}, precision {share(chosen.precision)}, "
        f"recall {share(chosen.recall)}, F1 {share(chosen.f1)}"
    )


def reliability(found: Results) -> Html:
    bins = tally.reliability(found.shots)
    title = "Do the scores mean what they say?"
    if not bins:
        return section("reliability", title, paragraph("There were no test photos."))
    frame = Frame(width=360, height=290, top=26)
    most = max(each.count for each in bins)
    marks = [
        dot(
            frame,
            each.score,
            each.share,
            3 + 5 * (each.count / most) ** 0.5,
            "ours see-through",
            f"{counted(each.count, 'score')} about {share(each.score)}: "
            f"{percent(each.share)} were right",
        )
        for each in bins
    ]
    said = "; ".join(
        f"about {share(each.score)}: {share(each.share)} of {each.count}" for each in bins
    )
    error = tally.calibration_error(bins)
    return section(
        "reliability",
        title,
        figure(
            drawing(
                frame,
                f"Share that is right against score. {said}",
                axes(frame, _QUARTERS, _QUARTERS, "score", "share that is right"),
                line(frame, [(0, 0), (1, 1)], "mark"),
                *(line(frame, _sure(each), "whisker") for each in bins),
                *marks,
                text(frame.x(0.98), frame.y(0.04), "on the line: as sure as right", "end"),
            ),
            "Of the scores about 0.8, eight in ten should be right: then the circles lie on the "
            "line. All categories, on test photos; the larger the circle, the more scores, and the "
            "shorter the stroke within which the share lies 95 times out of 100. The scores are "
            f"off by {share(error, 3)} on average.",
        ),
    )


def _sure(each: tally.Bin) -> list[tuple[float, float]]:
    low, high = tally.interval(each.share, each.count)
    return [(each.score, low), (each.score, high)]
