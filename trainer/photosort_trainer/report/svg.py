"""Small drawings. Colours and letters come from the page's style, to follow its scheme."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from photosort_trainer.report.markup import Html, tag

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where data stands on the paper: from `xs` and `ys` to pixels."""

    xs: tuple[float, float] = (0.0, 1.0)
    ys: tuple[float, float] = (0.0, 1.0)
    width: float = 320.0
    height: float = 210.0
    left: float = 34.0
    right: float = 10.0
    top: float = 10.0
    bottom: float = 36.0

    def x(self, value: float) -> float:
        return self.left + _part(value, self.xs) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        return (
            self.height
            - self.bottom
            - _part(value, self.ys) * (self.height - self.top - self.bottom)
        )


def _part(value: float, span: tuple[float, float]) -> float:
    low, high = span
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5


def drawing(frame: Frame, says: str, *marks: Html) -> Html:
    """`says` is read aloud instead of it."""
    box = f"0 0 {frame.width:g} {frame.height:g}"
    return tag("svg", *marks, viewBox=box, role="img", aria_label=says)


def figure(picture: Html, caption: str | Html, class_: str = "") -> Html:
    return tag("figure", picture, tag("figcaption", caption), class_=class_ or None)


def text(x: float, y: float, said: str, class_: str = "") -> Html:
    return tag("text", said, x=_number(x), y=_number(y), class_=class_ or None)


def line(frame: Frame, points: Points, class_: str = "", stepped: bool = False) -> Html:
    """`stepped`: the value holds until the next point."""
    if not points:
        return Html()
    placed = [(_number(frame.x(x)), _number(frame.y(y))) for x, y in points]
    path = [f"M{placed[0][0]} {placed[0][1]}"]
    for x, y in placed[1:]:
        path.append(f"H{x}V{y}" if stepped else f"L{x} {y}")
    return tag("path", d="".join(path), class_=f"line {class_}".strip())


def dot(
    frame: Frame, x: float, y: float, radius: float = 3.0, class_: str = "", says: str = ""
) -> Html:
    at = {"cx": _number(frame.x(x)), "cy": _number(frame.y(y)), "r": _number(radius)}
    return tag("circle", tag("title", says) if says else None, class_=f"dot {class_}".strip(), **at)


def bar(x: float, y: float, width: float, height: float, class_: str = "") -> Html:
    """On the paper itself."""
    at = {"x": _number(x), "y": _number(y), "width": _number(max(0.0, width))}
    return tag("rect", class_=f"bar {class_}".strip(), rx=1.5, height=height, **at)


def across(frame: Frame, y: float, class_: str = "") -> Html:
    return line(frame, [(frame.xs[0], y), (frame.xs[1], y)], class_)


def upright(frame: Frame, x: float, class_: str = "") -> Html:
    return line(frame, [(x, frame.ys[0]), (x, frame.ys[1])], class_)


def axes(
    frame: Frame, xs: Sequence[float], ys: Sequence[float], below: str = "", beside: str = ""
) -> Html:
    """Grid lines at `ys`, numbers at both, and what they mean; `beside` stands above."""
    floor = frame.height - frame.bottom
    parts = [
        *(across(frame, y, "grid") for y in ys),
        *(text(frame.left - 5, frame.y(y) + 4, f"{y:g}", "end") for y in ys),
        *(text(frame.x(x), floor + 14, f"{x:g}", "middle") for x in xs),
    ]
    if below:
        middle = (frame.left + frame.width - frame.right) / 2
        parts.append(text(middle, frame.height - 5, below, "middle name"))
    if beside:
        parts.append(text(0, frame.top - 10, beside, "name"))
    return tag("g", *parts, class_="axes")


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from `low` to `high`."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def thinned(points: Points, most: int = 240) -> Points:
    """No more points than an eye can see; the ends stay."""
    if len(points) <= most:
        return points
    places = [round(at * (len(points) - 1) / (most - 1)) for at in range(most)]
    return [points[place] for place in places]


def finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
