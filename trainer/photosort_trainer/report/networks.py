"""The networks that were compared, and how they learned."""

from collections.abc import Iterator, Mapping

from photosort_trainer.report.markup import (
    Html,
    chip,
    counted,
    paragraph,
    quiet,
    section,
    share,
    table,
    tag,
)
from photosort_trainer.report.svg import (
    Frame,
    axes,
    bar,
    dot,
    drawing,
    figure,
    finite,
    line,
    text,
    ticks,
    upright,
)
from photosort_trainer.results import CandidateResult, Results

_ROW = 46.0


def compared(found: Results) -> Html:
    if not found.candidates:
        return section("networks", "Networks compared", paragraph("None was noted."))
    return section(
        "networks",
        "Networks compared",
        figure(
            _bars(found),
            "Macro-F1 of each network on validation photos (upper bar, by which the best was "
            "chosen) and on test photos (lower bar). The thin lines are where it would lie with "
            "other photos of the same kind, 95 times out of 100. What is shipped came of the best "
            "of them, after the search below"
            + (" and learned from the validation photos too." if found.plan.get("folds") else "."),
            "wide",
        ),
        _costs(found),
        _by_category(found),
    )


def _bars(found: Results) -> Html:
    rows = found.candidates
    frame = Frame(width=480, height=30 + _ROW * len(rows), left=10, right=14, top=4, bottom=22)
    marks = [
        axes(frame, [0, 0.2, 0.4, 0.6, 0.8, 1], []),
        *(upright(frame, x / 5, "grid") for x in range(6)),
    ]
    for place, each in enumerate(rows):
        top = frame.top + _ROW * place
        name = each.name + (" – the best" if each.name == found.winner else "")
        said = f"{name}: {share(each.validation['macro_f1'])} and {share(each.test['macro_f1'])}"
        chosen = "ours" if each.name == found.winner else "other"
        marks += [
            text(frame.left, top + 12, said, "label strong" if chosen == "ours" else "label"),
            *_bar(frame, top + 18, each.validation, chosen),
            *_bar(frame, top + 29, each.test, f"{chosen} pale"),
        ]
    listed = "; ".join(
        f"{each.name}: {_interval(each.validation)} on validation photos, "
        f"{_interval(each.test)} on test photos"
        for each in rows
    )
    return drawing(frame, f"Macro-F1. {listed}", *marks)


def _bar(frame: Frame, y: float, estimate: Mapping[str, float], class_: str) -> Iterator[Html]:
    zero = frame.x(0)
    yield bar(zero, y, frame.x(estimate["macro_f1"]) - zero, 9, class_)
    if len(finite([estimate["low"], estimate["high"]])) == 2:
        left, right = frame.x(estimate["low"]), frame.x(estimate["high"])
        path = f"M{left:.1f} {y + 1.5:.1f}v6m0 -3H{right:.1f}m0 -3v6"
        yield tag("path", d=path, class_="line whisker")


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{share(estimate['macro_f1'])} ({share(estimate['low'])}–{share(estimate['high'])})"


def _costs(found: Results) -> Html:
    rows = [
        [
            each.name,
            each.note,
            _interval(each.validation),
            _interval(each.test),
            f"{each.cost:.2f}",
            f"{each.best} of {each.epochs}",
            _time(each.seconds),
        ]
        for each in found.candidates
    ]
    heads = ("network", "what it is", "validation", "test", "cost", "its epoch", "took")
    names = [each.name for each in found.candidates]
    marked = names.index(found.winner) if found.winner in names else -1
    return tag(
        "div",
        table("Macro-F1 and cost", heads, rows, marked, words=heads[1]),
        quiet("Cost is in thousand million multiply-adds for one photo of 224×224."),
    )


def _time(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _by_category(found: Results) -> Html:
    if len(found.candidates) < 2:
        return Html()
    heads = ("category", *(each.name for each in found.candidates))
    rows = [
        [chip(name, place), *(share(each.by_category.get(name)) for each in found.candidates)]
        for place, name in enumerate(found.categories)
    ]
    return table("F1 of each category on test photos", heads, rows)


def learning(found: Results) -> Html:
    cards = [_course(each) for each in found.candidates if each.losses]
    title = "How they learned"
    if not cards:
        return section("learning", title, paragraph("No losses were noted."))
    return section(
        "learning",
        title,
        quiet(
            "The loss after each epoch: the lower the better. When the line of validation photos "
            "turns upwards while the other goes on falling, the network begins to learn its photos "
            "by heart. The weights of the marked epoch count: of what learns from labels the best, "
            "of a student the last."
        ),
        tag("div", *cards, class_="cards"),
    )


def _course(each: CandidateResult) -> Html:
    training = _numbered(loss for loss, _ in each.losses)
    validation = _numbered(loss for _, loss in each.losses)
    every = [loss for _, loss in (*training, *validation)]
    low, high = (min(every), max(every)) if every else (0.0, 1.0)
    space = (high - low) * 0.08 or 0.05
    last = max(2, len(each.losses))
    frame = Frame(xs=(1, last), ys=(max(0.0, low - space), high + space), left=40)
    whole = [int(x) for x in ticks(1, last, 5) if x == int(x)]
    picture = drawing(
        frame,
        f"Loss of {each.name} over {counted(len(each.losses), 'epoch')}; epoch {each.best} counts",
        axes(frame, whole, ticks(*frame.ys), "epoch"),
        upright(frame, each.best, "mark"),
        line(frame, training, "thin"),
        line(frame, validation, "strong"),
        *(dot(frame, x, y, 4, "chosen") for x, y in validation if x == each.best),
        *(dot(frame, x, y, 2) for x, y in training if len(training) == 1),
    )
    legend = tag(
        "span",
        tag("b", each.name),
        " ",
        tag("span", "validation", class_="key strong"),
        " ",
        tag("span", "training", class_="key thin"),
        f" epoch {each.best} counts",
    )
    return figure(picture, legend)


def _numbered(losses: Iterator[float | None]) -> list[tuple[float, float]]:
    return [(float(at), loss) for at, each in enumerate(losses, 1) for loss in finite([each])]
