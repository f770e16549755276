"""From scores to categories. Pure: owns the rule, knows neither model nor configuration file."""

from collections.abc import Mapping

from photosortd.records import Verdict

DEFAULT = "default"
"""The configured name that stands for every category without a threshold of its own."""


def thresholds(
    bundle_thresholds: Mapping[str, float | None], configured: Mapping[str, float | None]
) -> dict[str, float | None]:
    """The threshold of each category of the bundle, in the bundle's order.

    A category named in `configured` wins over its `default`, which wins over the bundle's. The
    bundle's None (the trainer's promise could not be kept) yields only to a named category.
    None in the result: never file into that category.
    """
    default = configured.get(DEFAULT)
    return {
        name: configured[name] if name in configured else _unnamed(own, default)
        for name, own in bundle_thresholds.items()
    }


def _unnamed(own: float | None, default: float | None) -> float | None:
    return own if own is None or default is None else default


def decide(
    scores: Mapping[str, float], thresholds: Mapping[str, float | None], margin: float
) -> Verdict:
    """Every category whose score reaches its threshold, and those that miss it by `margin` at most.

    `scores` are calibrated, 0…1, in the bundle's order, which the verdict keeps. A category
    without a threshold is in neither list.
    """
    reached: list[str] = []
    near: list[str] = []
    for name, score in scores.items():
        threshold = thresholds.get(name)
        if threshold is None:
            continue
        if score >= threshold:
            reached.append(name)
        elif score >= threshold - margin:
            near.append(name)
    return Verdict(tuple(reached), tuple(near))
