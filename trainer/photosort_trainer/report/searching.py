"""What the search for a better recipe came to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from photosort_trainer.report.markup import (
    Html,
    colour,
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
    dot,
    drawing,
    figure,
    finite,
    line,
    ticks,
)
from photosort_trainer.results import Results

_BEST = 8  # trials that are named


def searched(found: Results) -> Html:
    title = "The search for a better recipe"
    epochs = counted(found.plan.get("trial_epochs", 1), "epoch")
    if not found.trials:
        return section("search", title, paragraph("There was none: the recipe is the usual one."))
    return section(
        "search",
        title,
        _kept(found.refined),
        figure(
            _history(found.trials),
            f"{counted(len(found.trials), 'combination')}, each trained for {epochs}, in the "
            "order in which they were tried, by macro-F1 on validation photos. The line is the "
            "best so far; the best ones were then trained to their end.",
            "wide",
        ),
        _leading(found.trials),
        _mattered(found.trials),
    )


def _kept(refined: Mapping[str, Any]) -> Html:
    if not refined:
        return paragraph("Nothing did better than the recipe that it began with, which was kept.")
    said = (tag("code", f"{name} = {value}") for name, value in refined.items())
    return paragraph("Kept, because it did better: ", *_apart(said))


def _apart(codes: Iterator[Html]) -> Iterator[Html]:
    for place, each in enumerate(codes):
        yield tag("span", ", ") if place else Html()
        yield each


def _history(trials: Sequence[Mapping[str, Any]]) -> Html:
    ordered = sorted(trials, key=lambda each: each["number"])
    values = finite(each["macro_f1"] for each in ordered) or [0.0]
    space = (max(values) - min(values)) * 0.08 or 0.02
    ys = (max(0.0, min(values) - space), min(1.0, max(values) + space))
    frame = Frame(xs=(0, max(1, len(ordered) - 1)), ys=ys, width=480, height=200, left=40)
    best, marks, running = max(values), [], []
    so_far = 0.0
    for at, each in enumerate(ordered):
        value = each["macro_f1"]
        if not finite([value]):
            continue
        so_far = max(so_far, value)
        running.append((float(at), so_far))
        class_ = "chosen" if value == best else "soft"
        marks.append(dot(frame, at, value, 3.2, class_, f"{share(value, 3)}: {_said(each)}"))
    return drawing(
        frame,
        f"Macro-F1 of {counted(len(ordered), 'combination')}: from {share(min(values))} to "
        f"{share(best)}",
        axes(frame, ticks(*frame.xs, 6), ticks(*ys), "combination"),
        line(frame, running, "thin", stepped=True),
        *marks,
    )


def _said(trial: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in trial["settings"].items())


def _leading(trials: Sequence[Mapping[str, Any]]) -> Html:
    names = list(dict.fromkeys(name for each in trials for name in each["settings"]))
    rows = [
        [
            str(place),
            share(each["macro_f1"], 3),
            *(str(each["settings"].get(name, "–")) for name in names),
        ]
        for place, each in enumerate(trials[:_BEST], 1)
    ]
    heads = ("place", "macro-F1", *(name.replace("_", " ") for name in names))
    return table(f"The best {len(rows)}", heads, rows)


def _mattered(trials: Sequence[Mapping[str, Any]]) -> Html:
    """The mean of all combinations with a value: what a setting is worth, whatever the others."""
    held: dict[tuple[str, str], list[float]] = {}
    for each in trials:
        for name, value in each["settings"].items():
            held.setdefault((name, str(value)), []).extend(finite([each["macro_f1"]]))
    means = {key: sum(all_) / len(all_) for key, all_ in held.items() if all_}
    names = list(dict.fromkeys(name for name, _ in means))
    groups = [_worth(name, {v: m for (n, v), m in means.items() if n == name}) for name in names]
    return tag(
        "div",
        quiet("What each setting was worth: the mean macro-F1 of all combinations that have it."),
        tag("div", *groups, class_="cards small"),
        style=colour(None),
    )


def _worth(name: str, values: Mapping[str, float]) -> Html:
    best = max(values.values())
    items = (
        tag(
            "li",
            tag("span", value),
            tag("span", tag("i", style=f"width:{100 * mean:.1f}%"), class_="track"),
            tag("span", share(mean, 3)),
            class_="best" if mean == best else None,
        )
        for value, mean in sorted(values.items(), key=lambda each: _order(each[0]))
    )
    return tag("div", tag("h3", name.replace("_", " ")), tag("ul", *items, class_="meters"))


def _order(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return 0.0, value
