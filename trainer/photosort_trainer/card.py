"""MODEL_CARD.md: what a bundle was trained on, how well it does, and for whom it is not."""

from collections.abc import Mapping, Sequence

from photosort_trainer.metrics import Quality, macro_f1
from photosort_trainer.recipe import SCRATCH, Recipe
from photosortd.vision.bundle import Category

_HEADER = (
    "| category | learned from | thresholds from | tested on | threshold | precision | recall "
    "| F1 |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
)


def write(
    recipe: Recipe,
    categories: Sequence[Category],
    counts: Mapping[str, tuple[int, int, int]],
    negatives: int,
    found: Mapping[str, Quality],
    export: Mapping[str, object],
) -> str:
    """Markdown. `counts` are photos to learn from, to set thresholds with and to test with."""
    return "\n".join(
        (
            "# Model card",
            "",
            f"Sorts photos into {len(categories)} categories. {_origin(recipe)} The input is "
            f"stretched to {recipe.size}×{recipe.size}.",
            "",
            "## How well it does",
            "",
            "On test photos that neither the weights nor the thresholds have seen, through the "
            "decoder and the classifier of the daemon:",
            "",
            *_HEADER,
            *(_row(c, counts[c.name], found[c.name]) for c in categories),
            "",
            f"Macro-F1: {macro_f1(found):.3f}. {negatives} photos of no category took part.",
            "",
            "The test photos are of the same collections as the others. On photos of another "
            "camera, place or season expect less.",
            "",
            *_limits(recipe, categories),
            "",
            *_file(export),
            "",
        )
    )


def _file(export: Mapping[str, object]) -> tuple[str, ...]:
    return (
        "## The file",
        "",
        f"TFLite, {export['form']}, {export['bytes']} bytes. Against the trained network: "
        f"{export['agreement']:.2%} of the labels of validation photos agree, the largest "
        f"difference of a score is {export['largest_gap']}.",
    )


def _origin(recipe: Recipe) -> str:
    if recipe.backbone == SCRATCH:
        return (
            "A small residual network, trained from random weights on these photos alone, with "
            f"{recipe.epochs} random versions of each."
        )
    return (
        f"A head of {recipe.hidden} nodes on the pooled features of {recipe.backbone}, whose "
        f"weights stay as they came from ImageNet, with {recipe.augment} random versions of each "
        "photo."
    )


def _row(category: Category, counts: tuple[int, int, int], quality: Quality) -> str:
    threshold = "none" if category.threshold is None else f"{category.threshold:.3f}"
    name = category.name.replace("|", "\\|")
    numbers = " | ".join(str(count) for count in counts)
    return (
        f"| {name} | {numbers} | {threshold} | {quality.precision:.3f} "
        f"| {quality.recall:.3f} | {quality.f1:.3f} |"
    )


def _limits(recipe: Recipe, categories: Sequence[Category]) -> list[str]:
    lines = [
        "## What it is not for",
        "",
        "It knows only the categories above, as the photos showed them, and says nothing about who "
        "somebody is. A photo of something else may look like one of them: check before relying "
        "on it.",
    ]
    mute = [category.name for category in categories if category.threshold is None]
    if mute:
        lines += [
            "",
            f"Nothing is filed into {', '.join(mute)} by itself: no threshold kept what was asked "
            "for. Name one in the configuration to use it all the same.",
        ]
    if recipe.backbone == SCRATCH:
        lines += [
            "",
            "A network this small that has seen so few photos is for demonstrations and tests. "
            f"Its thresholds keep a precision of {recipe.precision:.0%} on the photos that set "
            "them, at the price of recall. To sort a collection, train on a pretrained network.",
        ]
    return lines
