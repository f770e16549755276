"""A bundle on the disk: written, read back, and refused for whatever is wrong with it."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photosortd.errors import BundleError
from photosortd.vision.bundle import Calibration, Category, read_bundle, write_bundle
from photosortd.vision.bundle import manifest as manifest_module

TINY = Path(__file__).resolve().parents[1] / "assets" / "tiny-bundle"
CATEGORIES = [
    Category("food", 0.5, Calibration("platt", 1.5, -0.25)),
    Category("Été", None, Calibration("isotonic", xs=(0.0, 0.5, 1.0), ys=(0.0, 0.25, 0.75))),
    Category("me", 0.125),
]


def write(directory, **changes):
    values = {
        "model": b"not a real model",
        "categories": CATEGORIES,
        "height": 224,
        "width": 192,
        "backbone": "mobilenet_v2",
        "recipe": {"seed": 7, "layers": [256], "dropout": 0.4},
        "metrics": {"macro_f1": 0.86},
        "golden": {"a.png": (b"png", (0.1, 0.2, 0.3)), "b.png": (b"gnp", (1.0, 0.0, 0.5))},
        "model_card": "# Card\n",
    }
    return write_bundle(directory, **{**values, **changes})


@pytest.fixture
def tiny(tmp_path):
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def rewrite(directory, change):
    """Change the manifest as an attacker would, with an id that fits."""
    path = directory / "bundle.json"
    document = json.loads(path.read_bytes())
    change(document)
    files = [manifest_module.File(f["name"], 0, f["sha256"]) for f in document.get("files", [])]
    document["id"] = manifest_module.identity(document, files)
    path.write_text(json.dumps(document))


def test_what_is_written_is_read_back(tmp_path):
    written = write(tmp_path / "run" / "bundle")
    assert read_bundle(tmp_path / "run" / "bundle") == written
    assert written.categories == tuple(CATEGORIES)
    assert written.names == ("food", "Été", "me")
    assert written.thresholds == {"food": 0.5, "Été": None, "me": 0.125}
    assert (written.height, written.width) == (224, 192)
    assert written.recipe == {"seed": 7, "layers": [256], "dropout": 0.4}
    assert [golden.file for golden in written.golden] == ["golden/a.png", "golden/b.png"]
    assert written.model.read_bytes() == b"not a real model"
    assert os.listdir(tmp_path / "run") == ["bundle"]


def test_the_id_is_of_the_content_alone(tmp_path):
    first = write(tmp_path / "1", created=datetime(2024, 1, 1, tzinfo=UTC))
    second = write(tmp_path / "2", created=datetime(2025, 6, 1, tzinfo=UTC))
    assert first.id == second.id
    assert first.created != second.created
    assert write(tmp_path / "3", model=b"another").id != first.id
    assert write(tmp_path / "4", recipe={"seed": 8}).id != first.id


def test_an_older_bundle_is_replaced_and_nothing_else(tmp_path):
    write(tmp_path / "bundle")
    assert write(tmp_path / "bundle", model=b"new").model.read_bytes() == b"new"
    other = tmp_path / "photos"
    other.mkdir()
    (other / "a.jpg").write_bytes(b"mine")
    with pytest.raises(BundleError, match="something else than a bundle"):
        write(other)
    assert os.listdir(other) == ["a.jpg"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"categories": [Category("../x", 0.5)], "golden": {}}, "slash"),
        ({"categories": [Category("a", 0.5), Category("A", 0.5)], "golden": {}}, "share"),
        ({"categories": [Category("none", 0.5)], "golden": {}}, "reserved"),
        ({"categories": [Category("a", 1.5)], "golden": {}}, r"categories\[0\].threshold"),
        ({"categories": [], "golden": {}}, "categories is empty"),
        ({"height": 15}, "input.height"),
        ({"width": 1025}, "input.width"),
        ({"golden": {"../../x.png": (b"", (0.1, 0.2, 0.3))}}, "plain relative path"),
        ({"golden": {"a.png": (b"", (0.1,))}}, "1 numbers for 3 categories"),
        ({"metrics": {"f1": float("nan")}}, "no JSON"),
        ({"recipe": {"x": object()}}, "no JSON"),
    ],
)
def test_what_no_daemon_would_accept_is_not_written(tmp_path, changes, complaint):
    with pytest.raises(BundleError, match=complaint):
        write(tmp_path / "bundle", **changes)
    assert os.listdir(tmp_path) == []


def test_a_link_to_a_bundle_is_followed_but_none_inside(tmp_path, tiny):
    (tmp_path / "current").symlink_to("tiny")
    assert read_bundle(tmp_path / "current").id == read_bundle(tiny).id
    (tiny / "model.tflite").rename(tmp_path / "elsewhere")
    (tiny / "model.tflite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"model.tflite: a link"):
        read_bundle(tiny)


def test_a_linked_golden_directory_is_refused(tmp_path, tiny):
    (tiny / "golden").rename(tmp_path / "golden")
    (tiny / "golden").symlink_to(tmp_path / "golden")
    with pytest.raises(BundleError, match=r"golden/grey.png: a link"):
        read_bundle(tiny)


@pytest.mark.parametrize("name", ["model.tflite", "golden/red.png", "MODEL_CARD.md"])
def test_a_flipped_byte_is_found_in_any_file(tiny, name):
    content = bytearray((tiny / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tiny / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name}: damaged"):
        read_bundle(tiny)
    assert read_bundle(tiny, hashes=False)


@pytest.mark.parametrize("key", ["backbone", "categories", "recipe", "golden"])
def test_an_edited_manifest_does_not_match_its_id(tiny, key):
    document = json.loads((tiny / "bundle.json").read_bytes())
    document[key] = "x" if key == "backbone" else [] if key == "golden" else document[key]
    if key == "categories":
        document[key][0]["threshold"] = 0.9
    if key == "recipe":
        document[key]["more"] = 1
    (tiny / "bundle.json").write_text(json.dumps(document))
    with pytest.raises(BundleError, match="id does not match"):
        read_bundle(tiny)


def test_files_that_are_missing_short_or_extra(tiny):
    (tiny / "notes.txt").write_text("mine")
    assert read_bundle(tiny)
    (tiny / "golden" / "red.png").write_bytes(b"")
    with pytest.raises(BundleError, match=r"golden/red.png: has 0 bytes"):
        read_bundle(tiny, hashes=False)
    (tiny / "golden" / "red.png").unlink()
    with pytest.raises(BundleError, match=r"golden/red.png: No such file"):
        read_bundle(tiny)


def test_a_fifo_or_a_directory_in_place_of_a_file(tiny):
    (tiny / "MODEL_CARD.md").unlink()
    os.mkfifo(tiny / "MODEL_CARD.md")
    with pytest.raises(BundleError, match=r"MODEL_CARD.md: not a regular file"):
        read_bundle(tiny)
    (tiny / "bundle.json").unlink()
    (tiny / "bundle.json").mkdir()
    with pytest.raises(BundleError, match=r"bundle.json"):
        read_bundle(tiny)


def test_no_bundle_at_all(tmp_path):
    with pytest.raises(BundleError, match="nowhere: no bundle"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"bundle.json: No such file"):
        read_bundle(tmp_path)


def _set(key, value):
    def change(document):
        *path, last = key.split(".")
        for step in path:
            document = document[int(step) if step.isdigit() else step]
        document[int(last) if last.isdigit() else last] = value

    return change


PLATT = {"kind": "platt", "a": -1, "b": 0}
ISOTONIC = {"kind": "isotonic", "xs": [0.5, 0.5], "ys": [0.1, 0.2]}


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("format", 2, "format is 2, this version reads 1: update"),
        ("format", True, "format must be a whole number"),
        ("decode_version", 99, "decode_version is 99.*train again"),
        ("categories.0.name", "../x", "slash"),
        ("categories.0.name", "a\nb", "control"),
        ("categories.0.name", 7, r"categories\[0\].name must be a text"),
        ("categories.1.name", "RED", "share a directory"),
        ("categories.0.threshold", "0.5", r"categories\[0\].threshold must be a number"),
        ("categories.0.threshold", 10**400, r"categories\[0\].threshold must be a number"),
        ("categories.0.calibration", PLATT, r"calibration.a must be a number, 0"),
        ("categories.0.calibration", ISOTONIC, r"calibration.xs must ascend"),
        ("categories.0.calibration.kind", "beta", "must be 'none', 'platt' or 'isotonic'"),
        ("input.resize", "crop", "must be 'stretch'"),
        ("input.height", 4096, "16 to 1024"),
        ("files.0.name", "../../etc/passwd", "plain relative path"),
        ("files.0.name", "/etc/passwd", "plain relative path"),
        ("files.0.name", "bundle.json", "manifest itself"),
        ("files.0.sha256", "0" * 63, "64 lower-case hex"),
        ("files.0.size", 1 << 40, r"files\[0\].size"),
        ("golden.0.file", "model.tflite", "not a file of golden/"),
        ("golden.0.scores", [0.1, 0.2], "2 numbers for 3"),
        ("golden.0.scores.0", 1.01, r"golden\[0\].scores\[0\]"),
        ("recipe", [], "recipe must be a mapping"),
        ("created", None, "created must be a text"),
    ],
)
def test_each_complaint_names_its_key(tiny, key, value, complaint):
    rewrite(tiny, _set(key, value))
    with pytest.raises(BundleError, match=complaint) as caught:
        read_bundle(tiny)
    assert str(caught.value).startswith(str(tiny))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "not valid JSON"),
        (b"[]", "must be a mapping"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"format": 1, "backbone": "\\ud800"}', "not UTF-8"),
        (b'{"format": 1, "recipe": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"format": NaN}', "NaN is not a number"),
        (b'{"format": 1, "format": 1}', "occurs twice"),
        (b"[" * 100_000, "too deeply"),
        (b" " * ((4 << 20) + 1), "larger than 4 MB"),
        (b"{}", "format must be a whole number"),
    ],
)
def test_a_manifest_that_is_no_manifest(tiny, text, complaint):
    (tiny / "bundle.json").write_bytes(text)
    with pytest.raises(BundleError, match=complaint):
        read_bundle(tiny)


def test_too_many_categories(tmp_path):
    many = [Category(f"c{i}", 0.5) for i in range(201)]
    with pytest.raises(BundleError, match="201 entries, the limit is 200"):
        write(tmp_path / "bundle", categories=many, golden={})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), value=json_values)
def test_any_value_anywhere_is_read_or_refused_but_never_crashes(tmp_path, data, value):
    directory = tmp_path / "bundle"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(TINY, directory)
    key = data.draw(st.sampled_from(sorted(json.loads((TINY / "bundle.json").read_bytes()))))
    document = json.loads((directory / "bundle.json").read_bytes())
    document[key] = value
    (directory / "bundle.json").write_text(json.dumps(document))
    try:
        names, reason = read_bundle(directory).names, ""
    except BundleError as error:
        names, reason = None, str(error)
    assert names == ("red", "green", "blue") or reason.startswith(str(directory))
