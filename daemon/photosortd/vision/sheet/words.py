"""How one photo was decided, in words. Pure."""

from collections.abc import Mapping

from photosortd.records import Outcome, Verdict
from photosortd.vision.sheet.markup import listed

Thresholds = Mapping[str, float | None]


def decision(
    verdict: Verdict, scores: Mapping[str, float], thresholds: Thresholds, margin: float
) -> str:
    """'reaches food (0.93, from 0.40)', or by how much it misses what."""
    if verdict.outcome is Outcome.NONE:
        return _nothing(scores, thresholds)
    missed = listed([_missed(name, scores, thresholds) for name in verdict.near])
    if not verdict.categories:
        return f"misses {missed}: within the margin of {margin:.2f}"
    reached = listed([_reached(name, scores, thresholds) for name in verdict.categories])
    return f"reaches {reached}" + (f"; misses {missed}" if missed else "")


def _reached(name: str, scores: Mapping[str, float], thresholds: Thresholds) -> str:
    return f"{name} ({scores[name]:.2f}, from {thresholds[name] or 0.0:.2f})"


def _missed(name: str, scores: Mapping[str, float], thresholds: Thresholds) -> str:
    return f"{name} by {_gap(thresholds[name] or 0.0, scores[name])}"


def _nothing(scores: Mapping[str, float], thresholds: Thresholds) -> str:
    gaps = [
        (threshold - scores[name], name)
        for name, threshold in thresholds.items()
        if threshold is not None and name in scores
    ]
    if not gaps:
        return "no category files on its own"
    name = min(gaps)[1]
    short = _gap(thresholds[name] or 0.0, scores[name])
    return f"reaches nothing; nearest is {name}, {short} short"


def _gap(threshold: float, score: float) -> str:
    """How much is missing; never 0.00, or it would not be missing."""
    return f"{max(0.01, threshold - score):.2f}"
