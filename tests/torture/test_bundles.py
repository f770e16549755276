"""Bundles from an enemy: models with flipped bytes, and names and files that lead out."""

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outside import guarded
from photosortd.errors import BundleError
from photosortd.records import Limits
from photosortd.vision.bundle import manifest, read_bundle
from photosortd.vision.worker import selftest
from running import House
from tiny import TINY
from torture.conftest import Effort, Figures


def forged(directory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The tiny bundle with a changed manifest, whose hashes and id fit, as an enemy's would."""
    document = json.loads((directory / "bundle.json").read_bytes())
    for entry in document["files"]:
        data = (directory / entry["name"]).read_bytes()
        entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    change(document)
    files = [manifest.File(each["name"], 0, each["sha256"]) for each in document["files"]]
    document["id"] = manifest.identity(document, files)
    (directory / "bundle.json").write_text(json.dumps(document))
    return directory


def nothing(document: dict[str, Any]) -> None:
    """Only the hashes and the id."""


def mutated(model: bytes, dice: random.Random) -> bytes:
    """Flipped, swapped, repeated and missing bytes; the magic is mostly left alone."""
    data = bytearray(model)
    for _ in range(dice.choice((1, 1, 4, 40))):
        at = dice.randrange(8 if dice.random() < 0.95 else 0, len(data))
        match dice.randrange(4):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at : at + 4] = dice.choice((b"\xff\xff\xff\x7f", bytes(4), b"\xff" * 4))
            case 2:
                data[at : at + 4] = data[dice.randrange(len(data)) :][:4].ljust(4, b"\0")
            case _:
                if dice.random() < 0.1:
                    del data[at:]
    return bytes(data) + bytes(8)


def test_a_model_with_flipped_bytes_harms_nobody_but_itself(
    tmp_path: Path, effort: Effort, figures: Figures
) -> None:
    dice, model = random.Random(31), (TINY / "model.tflite").read_bytes()
    limits = Limits(seconds=5.0, memory=1 << 30)
    ends: Counter[str] = Counter()
    for number in range(effort.of(4, 300)):
        bundle = Path(shutil.copytree(TINY, tmp_path / str(number)))
        (bundle / "model.tflite").write_bytes(mutated(model, dice))
        forged(bundle, nothing)
        try:
            selftest(str(bundle), limits)
            ends["harmless"] += 1
        except BundleError as error:
            assert str(error)
            ends["refused"] += 1
        shutil.rmtree(bundle)
    figures.add(
        "hostile",
        "models with flipped bytes, whose hashes fit, put to their test",
        sum(ends.values()),
        0,
        ", ".join(f"{count} {how}" for how, count in sorted(ends.items())),
    )


def test_a_bundle_that_leads_out_is_refused(house: House, effort: Effort, figures: Figures) -> None:
    outside = house.base / "outside"
    outside.mkdir()
    shutil.copy(TINY / "model.tflite", outside / "model.tflite")
    data = house.photo("a.jpg")
    assert house.once()["code"] == 0
    before = (house.state / "models" / "current").readlink()

    def named(name: str) -> Callable[[dict[str, Any]], None]:
        return lambda document: document["categories"][0].update(name=name)

    def with_file(name: str) -> Callable[[dict[str, Any]], None]:
        return lambda document: document["files"].append(
            {"name": name, "size": 1, "sha256": "0" * 64}
        )

    changes = [
        *map(named, ("..", "a/b", "/etc", ".", ".hidden", "a\0b", "a\x1b[2Jb", "none", "x" * 9999)),
        *map(with_file, ("../outside/model.tflite", "/etc/passwd", "a/../../x", "bundle.json")),
        lambda document: document.update(golden=[{"file": "golden/x", "scores": [0.5] * 10**5}]),
        lambda document: document["input"].update(height=1 << 30),
    ]  # fmt: skip
    bundles = []
    for number, change in enumerate(changes):
        bundles.append(Path(shutil.copytree(TINY, house.base / f"bundle-{number}")))
        forged(bundles[-1], change)
    bundles.append(Path(shutil.copytree(TINY, house.base / "linked")))
    (bundles[-1] / "model.tflite").unlink()
    (bundles[-1] / "model.tflite").symlink_to(outside / "model.tflite")
    with guarded(outside):
        for bundle in bundles:
            with pytest.raises(BundleError) as refused:
                read_bundle(bundle)
            assert str(refused.value).isprintable(), bundle
        for bundle in bundles if effort.long else bundles[6:7]:
            done = house.run("model", "install", str(bundle))
            assert done.returncode == 78, (bundle, done.stdout)
            house.configure(model=str(bundle))
            ended = house.once()  # the last one that worked stays in use
            assert ended["code"] in (0, 1), (bundle, ended)
            said = done.stderr + ended["stderr"]
            assert all(line.isprintable() for line in said.splitlines()), said
    assert (house.state / "models" / "current").readlink() == before
    house.assert_filed_once({"red/a.jpg": data})
    figures.add("hostile", "bundles whose names or files lead out: refused", len(bundles), 1)
