"""The tiny bundle, and others made from it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from photosortd.vision.bundle import read_bundle, write_bundle

TINY = Path(__file__).resolve().parent / "assets" / "tiny-bundle"


def other_bundle(
    directory: Path, card: str = "# Another\n", names: Mapping[str, str] | None = None
) -> str:
    """A bundle like the tiny one with an id of its own; `names` renames categories."""
    tiny = read_bundle(TINY)
    renamed = names or {}
    categories = [replace(each, name=renamed.get(each.name, each.name)) for each in tiny.categories]
    made = write_bundle(
        directory,
        model=(TINY / "model.tflite").read_bytes(),
        categories=categories,
        height=tiny.height,
        width=tiny.width,
        backbone=tiny.backbone,
        recipe={},
        metrics={},
        golden={},
        model_card=card,
    )
    return made.id
