"""One photo on the sheet: the picture, its name, how it was decided, its scores."""

import base64
from collections.abc import Sequence

from photosortd.vision.sheet import words
from photosortd.vision.sheet.bars import bars
from photosortd.vision.sheet.markup import Html, chip, listed, tag
from photosortd.vision.sheet.values import Frame, Sheet


def cards(sheet: Sheet, frames: Sequence[Frame], under: str | None = None) -> Html:
    """`under` is the category whose section this is: the others of a photo are named."""
    return tag("div", *(_card(sheet, frame, under) for frame in frames), class_="photos")


def _card(sheet: Sheet, frame: Frame, under: str | None) -> Html:
    return tag(
        "figure",
        _picture(frame),
        tag(
            "figcaption",
            tag("p", frame.name, class_="file"),
            tag("p", frame.about, class_="about") if frame.about else None,
            _also(sheet, frame, under),
            *_judged(sheet, frame),
        ),
    )


def _picture(frame: Frame) -> Html:
    if frame.picture is None:
        return tag("div", "no picture", class_="gone")
    data = base64.b64encode(frame.picture).decode("ascii")
    where = listed(list(frame.verdict.categories)) if frame.verdict else ""
    says = f"Photo in {where}" if where else "Photo in no category"
    return tag("img", src=f"data:image/jpeg;base64,{data}", alt=says, decoding="async")


def _also(sheet: Sheet, frame: Frame, under: str | None) -> Html | None:
    names = sheet.bundle.names
    others = [name for name in (frame.verdict.categories if frame.verdict else ()) if name != under]
    if not others:
        return None
    chips = (chip(name, names.index(name)) for name in others)
    return tag("p", "also in ", *chips, class_="also")


def _judged(sheet: Sheet, frame: Frame) -> tuple[Html | None, ...]:
    reason = tag("p", frame.reason, class_="reason") if frame.reason else None
    if frame.verdict is None:
        return (reason,)
    said = words.decision(frame.verdict, frame.scores, sheet.thresholds, sheet.margin)
    return (reason, tag("p", said, class_="decision"), bars(sheet, frame))
