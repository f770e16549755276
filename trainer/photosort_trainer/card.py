"""MODEL_CARD.md: what a bundle was trained on, how well it does, and for whom it is not."""

from collections.abc import Mapping
from typing import Any

from photosort_trainer.recipe import SCRATCH, SMALL_SCRATCH
from photosort_trainer.results import Photos, Results

_HEADER = (
    "| category | learned from | thresholds from | tested on | threshold | precision | recall "
    "| F1 |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
)


def write(found: Results) -> str:
    """Markdown, from the facts alone."""
    macro = found.shipped_macro
    size = found.recipe["size"]
    counts = {each.category: each for each in found.photos}
    return "\n".join(
        (
            "# Model card",
            "",
            f"Sorts photos into {len(found.categories)} categories. {_origin(found)} The input is "
            f"stretched to {size}×{size}.",
            "",
            "## How well it does",
            "",
            "On test photos that neither the weights nor the thresholds have seen, through the "
            "decoder and the classifier of the daemon:",
            "",
            *_HEADER,
            *(_row(name, counts[name], found) for name in found.categories),
            "",
            f"Macro-F1: {macro['macro_f1']:.3f} (with other photos of the same kind between "
            f"{macro['low']:.3f} and {macro['high']:.3f}, 95 times out of 100). "
            f"{_negatives(counts)} photos of no category took part.",
            "",
            "The test photos are of the same collections as the others. On photos of another "
            "camera, place or season expect less.",
            "",
            *_limits(found),
            "",
            *_file(_shipped(found), found.versions),
            "",
        )
    )


def _shipped(found: Results) -> Mapping[str, Any]:
    return next(each for each in found.exports if each["form"] == found.form)


def _negatives(counts: Mapping[str, Photos]) -> int:
    none = counts["none"]
    return none.training + none.validation + none.test


def _origin(found: Results) -> str:
    recipe = found.recipe
    if found.distilled:
        return _taught(found)
    if found.winner == SMALL_SCRATCH:
        return (
            "A small residual network, trained from random weights on these photos alone, with "
            f"{recipe['epochs']} random versions of each."
        )
    if found.winner == SCRATCH:
        return "A network of four convolutions, trained from random weights on these photos alone."
    tuned = ", whose last blocks learned too" if recipe["unfreeze"] else ""
    return (
        f"A head of {recipe['layers']} × {recipe['hidden']} nodes on the pooled features of "
        f"{found.winner}, with weights from ImageNet{tuned}, and {recipe['augment']} random "
        "versions of each photo."
    )


def _taught(found: Results) -> str:
    """Of a student."""
    said = found.distilled
    teacher, student = said["compared"]["rows"]
    return (
        f"A small network ({found.winner}), trained from {said['from']}. It learned to say what a "
        f"larger one ({teacher['network']}, macro-F1 {teacher['macro_f1']:.3f} on the same test "
        f"photos) says of {said['labelled']} photos with labels, which counted too, and "
        f"{said['unlabelled']} without. It takes {student['milliseconds']:.1f} ms for a photo on "
        f"one core where that one takes {teacher['milliseconds']:.1f} ms."
    )


def _row(name: str, counts: Photos, found: Results) -> str:
    quality = found.shipped[name]
    threshold = "none" if quality["threshold"] is None else f"{quality['threshold']:.3f}"
    both = counts.training + counts.validation
    learned, set_by = (both, both) if found.plan["folds"] else (counts.training, counts.validation)
    return (
        f"| {_escaped(name)} | {learned} | {set_by} | {counts.test} | {threshold} "
        f"| {quality['precision']:.3f} | {quality['recall']:.3f} | {quality['f1']:.3f} |"
    )


def _escaped(name: str) -> str:
    return name.replace("|", "\\|")


def _file(export: Mapping[str, Any], versions: Mapping[str, str]) -> tuple[str, ...]:
    return (
        "## The file",
        "",
        f"TFLite, {export['form']}, {export['bytes']} bytes. Against the trained network: "
        f"{export['agreement']:.2%} of the labels of validation photos agree, and the largest "
        f"difference of a score is {export['largest_gap']}.",
        *(("", f"Made with {_made_with(versions)}.") if versions else ()),
    )


def _made_with(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _limits(found: Results) -> list[str]:
    lines = [
        "## What it is not for",
        "",
        "It knows only the categories above, as the photos showed them, and says nothing about who "
        "somebody is. A photo of something else may look like one of them: check before relying "
        "on it.",
    ]
    mute = [name for name in found.categories if found.shipped[name]["threshold"] is None]
    if mute:
        lines += [
            "",
            f"Nothing is filed into {', '.join(mute)} by itself: no threshold kept what was asked "
            "for. Name one in the configuration to use it all the same.",
        ]
    if found.winner == SMALL_SCRATCH:
        lines += [
            "",
            "A network this small that has seen so few photos is for demonstrations and tests. "
            f"Its thresholds keep a precision of {found.plan['precision']:.0%} on the photos that "
            "set them, at the price of recall. To sort a collection, train on a pretrained "
            "network.",
        ]
    return lines
