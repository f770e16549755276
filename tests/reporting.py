"""The facts of a training that never was, for tests of what is told of it."""

from collections.abc import Sequence
from typing import Any

from photosort_trainer.results import CandidateResult, Photos, Results, Shot


def results(
    names: Sequence[str] = ("animal", "food"), paths: Sequence[str] = (), **changed: Any
) -> Results:
    """Of so many categories; every path a test photo, of each category and none in turn."""
    facts: dict[str, Any] = {
        "categories": tuple(names),
        "photos": tuple(Photos(name, 30, 10, 10) for name in (*names, "none")),
        "left_out": (("b/broken.jpg", "cannot be decoded: it is cut off"),),
        "candidates": (_candidate("mobilenet_v2", names), _candidate("scratch", names)),
        "winner": "mobilenet_v2",
        "recipe": {
            "backbone": "mobilenet_v2", "size": 256, "epochs": 60, "layers": 1, "hidden": 256,
            "augment": 20, "unfreeze": 0,
        },
        "plan": {"candidates": [], "folds": 5, "precision": 0.0, "promises": {}},
        "trials": tuple(
            {"number": at, "settings": {"layers": 1 + at % 2, "dropout": at / 10}, "macro_f1": f1}
            for at, f1 in enumerate((0.7, 0.9, 0.8))
        ),
        "refined": {"dropout": 0.1},
        "shipped": {name: _quality(0.4) for name in names},
        "shipped_macro": {"macro_f1": 0.85, "low": 0.75, "high": 0.95},
        "classic": {name: _quality(0.1) for name in names},
        "classic_macro": {"macro_f1": 0.3, "low": 0.2, "high": 0.4},
        "promises": (),
        "exports": (_export("float32", 4_000_000), _export("int8", 1_100_000)),
        "form": "int8",
        "held_out": {
            name: {"scores": [0.1, 0.3, 0.35, 0.6, 0.9], "labels": [False, False, True, True, True]}
            for name in names
        },
        "shots": tuple(_shot(at, path, names) for at, path in enumerate(paths)),
        "suspects": (),
        "bundle": "ab" * 32,
        "versions": {"photosortd": "0.1.0"},
    }  # fmt: skip
    return Results(**{**facts, **changed})


def _candidate(name: str, names: Sequence[str]) -> CandidateResult:
    estimate = {"macro_f1": 0.85, "low": 0.75, "high": 0.95}
    return CandidateResult(
        name=name,
        note="a network",
        cost=0.3,
        epochs=3,
        best=2,
        losses=((0.9, 0.8), (0.6, 0.7), (0.4, 0.75)),
        validation=estimate,
        test=estimate,
        by_category=dict.fromkeys(names, 0.85),
        seconds=75.0,
    )


def _quality(threshold: float) -> dict[str, Any]:
    return {"threshold": threshold, "photos": 10, "precision": 0.9, "recall": 0.8, "f1": 0.847}


def _export(form: str, size: int) -> dict[str, Any]:
    return {
        "form": form, "bytes": size, "agreement": 0.999, "macro_f1_fall": 0.001,
        "largest_gap": 0.02, "milliseconds": 2.5, "passes": True, "error": "",
    }  # fmt: skip


def _shot(at: int, path: str, names: Sequence[str]) -> Shot:
    """Every third of the photos of a category is missed."""
    label = (*names, None)[at % (len(names) + 1)]
    found = label is not None and at % 3 != 2
    scores = {name: 0.9 if found and name == label else 0.05 for name in names}
    return Shot(
        path, (label,) if label else (), scores, (label,) if found and label else (), 1 / (at + 1)
    )
