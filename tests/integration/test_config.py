"""From files and variables to a `Config`, or to every complaint at once."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from photosortd import config
from photosortd.config.find import default_state
from photosortd.config.schema import Document
from photosortd.errors import ConfigError
from photosortd.records import Limits, PlaceMode

REPOSITORY = Path(__file__).resolve().parents[2]

SMALLEST = "watch: [{path: dcim}]\nlibrary: lib\n"

Load = Callable[..., config.Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """load(text, VARIABLE=value) of a file in a directory of its own."""

    def load(text: str | bytes, **environ: str) -> config.Config:
        file = tmp_path / "config.yaml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return config.load(str(file), {"HOME": str(tmp_path / "home"), **environ})

    return load


def complaints(load: Load, text: str | bytes, **environ: str) -> list[str]:
    """Every complaint, without the directory of the file."""
    with pytest.raises(ConfigError) as caught:
        load(text, **environ)
    return [re.sub(r"^\S*/config\.yaml", "config.yaml", line) for line in caught.value.problems]


# ---- what is accepted


def test_two_keys_suffice(load: Load, tmp_path: Path) -> None:
    settings = load(SMALLEST)
    assert settings.file == str(tmp_path / "config.yaml")
    assert [root.path for root in settings.watch] == [str(tmp_path / "dcim")]
    assert settings.library == str(tmp_path / "lib")
    assert settings.state == str(tmp_path / "home/.local/state/photosortd")
    assert settings.limits == Limits()
    assert settings.unsure_margin == 0.1 == config.Config.default_margin()
    assert settings.scan_interval is settings.workers is settings.unsorted is settings.model is None
    assert (settings.settle.quiet, settings.settle.group_wait) == (2.0, 600.0)
    assert settings.settle.give_up == 86400.0
    assert settings.place.mode is PlaceMode.AUTO
    assert settings.place.mode_add == 0o640


def test_every_key_is_understood(load: Load, tmp_path: Path) -> None:
    settings = load(
        """
watch:
  - {path: ~/DCIM, ignore: ['*.gif', '!keep.gif'], scan_interval: 90s, events: false}
  - path: /srv/x/../phone/
library: ~/Sorted
state: state
model: run/bundle
thresholds: {default: 0.5, food: 0.7, no: null, 2024: 1}
unsure_margin: 0
unsorted: no
ignore: ['Screenshots/']
scan_interval: 2h
settle: {quiet: 5s, group_wait: 1m, give_up: 2d}
place:
  {mode: hardlink, layout: '{category}/{taken:%Y}/{name}', companions: none, mode_add: 0664,
   keep_free: 2G}
workers: 3
threads: 2
limits: {time: 1m, memory: 1G, pixels: 50M, file_size: 1M}
"""
    )
    first, second = settings.watch
    assert first.path == str(tmp_path / "home/DCIM")
    assert (first.ignore, first.scan_interval) == (("*.gif", "!keep.gif"), 90.0)
    assert first.events is False
    assert second.path == "/srv/phone"
    assert settings.library == str(tmp_path / "home/Sorted")
    assert settings.state == str(tmp_path / "state")
    assert settings.model == str(tmp_path / "run/bundle")
    # Names that YAML 1.1 would take for something else are the user's category names.
    assert settings.thresholds == {"default": 0.5, "food": 0.7, "no": None, "2024": 1.0}
    assert settings.unsorted == "no"
    assert settings.scan_interval == 7200.0
    assert settings.settle.give_up == 172800.0
    assert settings.place.mode is PlaceMode.HARDLINK
    assert (settings.place.mode_add, settings.place.keep_free) == (0o664, 2 << 30)
    assert settings.place.companions == "none"
    assert (settings.workers, settings.threads) == (3, 2)
    assert settings.limits == Limits(60.0, 1 << 30, 50_000_000, 1 << 20)


def test_a_section_whose_lines_are_all_commented_out_has_its_defaults(load: Load) -> None:
    settings = load(
        SMALLEST + "settle:\n  #quiet: 9s\nthresholds:\nplace: {mode: }\nworkers: auto\n"
    )
    assert settings.settle.quiet == 2.0
    assert settings.thresholds == {}
    assert settings.place.mode is PlaceMode.AUTO


def test_nothing_that_is_named_needs_to_exist(load: Load, tmp_path: Path) -> None:
    load(SMALLEST)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(load: Load) -> None:
    text = b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode()
    assert load(text).library.endswith("/lib")


def test_a_config_does_not_change(load: Load) -> None:
    settings = load(SMALLEST)
    with pytest.raises(AttributeError):
        settings.library = "/elsewhere"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.settle.quiet = 1.0


# ---- what is refused


def test_all_complaints_come_at_once_with_their_lines_and_the_nearest_names(load: Load) -> None:
    assert complaints(
        load,
        """\
wacth: [{path: dcim}]
watch:
  - {pth: dcim, scan_interval: 0}
library: 5
settle: {quiet: 5x, wait: 1h}
place:
  mode: cpoy
  layout: '{category}/x'
  mode_add: '0999'
mode: copy
thresholds: {food: 1.5, cat: true}
unsorted: ../x
workers: 0
unsure_margin: '0.1'
limits:
  memory: 1M
ignore: '*.gif'
threads: 1.5
""",
    ) == [
        "config.yaml:1: wacth: unknown key; did you mean watch?",
        "config.yaml:3: watch[0].path: needed: the directory to watch",
        "config.yaml:3: watch[0].scan_interval: must be at least 1s",
        "config.yaml:3: watch[0].pth: unknown key; did you mean path?",
        "config.yaml:4: library: must be a text (put quotes around it)",
        "config.yaml:5: settle.quiet: must be a duration such as 30s, 10m, 24h or 7d",
        "config.yaml:5: settle.wait: unknown key; valid here: quiet, group_wait, give_up",
        "config.yaml:7: place.mode: must be one of auto, reflink, hardlink, copy, symlink; "
        "did you mean copy?",
        "config.yaml:8: place.layout: must end with '/{name}', as in '{category}/{name}'",
        "config.yaml:9: place.mode_add: must be permissions in octal such as '0640' "
        "(at most '0777')",
        "config.yaml:10: mode: unknown key; did you mean place.mode?",
        "config.yaml:11: thresholds.food: must be a number from 0 to 1, or null for never",
        "config.yaml:11: thresholds.cat: must be a number from 0 to 1, or null for never",
        "config.yaml:12: unsorted: '../x' is no name for a directory: it contains a slash",
        "config.yaml:13: workers: must be a whole number from 1 to 64, or auto",
        "config.yaml:14: unsure_margin: must be a number",
        "config.yaml:16: limits.memory: must be at least 256M",
        "config.yaml:17: ignore: must be a list, such as ['*.gif']",
        "config.yaml:18: threads: must be a whole number",
    ]


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ("library: again\n", "config.yaml:3: library: is there twice, first in line 2"),
        ("settle: {quiet: 2d}\n", "config.yaml:3: settle: give_up must not be shorter than quiet"),
        ("settle: 5s\n", "settle: must be a mapping with the keys quiet, group_wait, give_up"),
        ("thresholds: 0.5\n", "thresholds: must be a mapping, such as {default: 0.5}"),
        ("unsure_margin: 2\n", "unsure_margin: must be at most 1.0"),
        ("unsure_margin: .nan\n", "unsure_margin: must be a number"),
        ("threads: 0\n", "threads: must be at least 1"),
        ("unsorted: none\n", "unsorted: 'none' is no name for a directory: it is reserved"),
        ("unsorted: .x\n", "it starts with a dot"),
        ("ignore: ['!']\n", "config.yaml:3: ignore[0]: is no gitignore pattern"),
        ("model: ''\n", "config.yaml:3: model: must not be empty"),
        ("model: ~nobody-of-that-name/x\n", "there is no user nobody-of-that-name"),
        ('state: "a\\0b"\n', "contains a null character"),
        ("model: !!python/name:os.system x\n", "is not known here"),
        ("model: !secret x\n", "config.yaml:3: model: the tag !secret is not known here"),
        ("? [a, b]\n: c\n", "config.yaml:3: a key must be one word"),
        ("ignore: &x [*x]\n", "config.yaml:3: is not valid YAML: an alias that refers to itself"),
        ("place: {companions: some}\n", "place.companions: must be one of all, none"),
        ("Library: x\n", "config.yaml:3: Library: unknown key; did you mean library?"),
        ("zzz: 1\n", "zzz: unknown key; valid here: watch, library, state,"),
    ],
)
def test_a_single_mistake_gives_a_single_complaint(load: Load, extra: str, complaint: str) -> None:
    (found,) = complaints(load, SMALLEST + extra)
    assert complaint in found


def test_events_must_be_a_truth_value(load: Load) -> None:
    found = complaints(load, "watch: [{path: a, events: maybe}]\nlibrary: b\n")
    assert found == ["config.yaml:1: watch[0].events: must be true or false"]


def test_an_odd_key_stays_on_one_line(load: Load) -> None:
    (found,) = complaints(load, SMALLEST + '"a\\nb": 1\n')
    assert found.startswith("config.yaml:3: a\\nb: unknown key; valid here: watch,")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"watch:\n\t- path: x\n", "config.yaml:2: is not valid YAML: a tab at the start"),
        (b"watch: [\n", "config.yaml:2: is not valid YAML"),
        (b"watch: a: b\n", "config.yaml:1: is not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "config.yaml:2: is not valid YAML"),
        (b"a: \x01\n", "config.yaml:1: is not valid YAML: a character that YAML does not allow"),
        (b"a: *nowhere\n", "undefined alias"),
        (b"[" * 3000, "config.yaml: is not valid YAML: is nested too deeply"),
        (b"library: f\xfcr\n", "config.yaml:1: is not UTF-8"),
        (SMALLEST.encode("utf-16"), "config.yaml:1: is not UTF-8"),
        (b"just words\n", "config.yaml:1: must be a mapping"),
        (b"\n- a\n- b\n", "config.yaml:2: must be a mapping"),
        (b"#" * (1 << 20) + b"#", "larger than 1 MB"),
    ],
)
def test_what_is_no_configuration_is_said_to_be_none(
    load: Load, text: bytes, complaint: str
) -> None:
    (found,) = complaints(load, text)
    assert complaint in found


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}\n", "watch:\nlibrary: ~\n"])
def test_an_empty_file_is_told_what_it_needs(load: Load, text: str) -> None:
    found = complaints(load, text)
    assert [re.sub(r":\d", "", line) for line in found] == [
        "config.yaml: watch: needed: the directories to watch, such as [{path: ~/DCIM}]",
        "config.yaml: library: needed: the directory that holds the categories, "
        "such as ~/Pictures/sorted",
    ]


def test_an_empty_list_of_roots_is_refused(load: Load) -> None:
    assert complaints(load, "watch: []\nlibrary: x\n") == [
        "config.yaml:1: watch: must not be empty"
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, complaint in [(tmp_path, "Is a directory"), (tmp_path / "x", "No such file")]:
        with pytest.raises(ConfigError, match=f"{path}: cannot be read: {complaint}"):
            config.load(str(path), {})


def test_a_file_of_somebody_else_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(SMALLEST)
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("needs a user who is not root")
    with pytest.raises(ConfigError, match="Permission denied"):
        config.load(str(file), {})


# ---- where it is looked for


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), **more}


def test_the_search_goes_from_the_nearest_to_the_farthest(
    tmp_path: Path, make_tree: Callable[..., Path]
) -> None:
    places = {
        "given": "given.yaml",
        "variable": "variable.yaml",
        "instance": "etc/x.yaml",
        "etc": "etc/config.yaml",
        "etc_yml": "etc/config.yml",
        "xdg": "xdg/photosortd/config.yaml",
        "xdg_yml": "xdg/photosortd/config.yml",
        "home": "home/.config/photosortd/config.yaml",
    }
    make_tree(dict.fromkeys(places.values(), SMALLEST))
    variables = {
        "PHOTOSORTD_CONFIG": str(tmp_path / "variable.yaml"),
        "PHOTOSORTD_INSTANCE": "x",
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
    }
    etc = str(tmp_path / "etc")

    def found(explicit: str | None = None) -> str:
        path = config.find(explicit, environ(tmp_path, **variables), etc)
        return os.path.relpath(path, tmp_path)

    assert found(str(tmp_path / "given.yaml")) == "given.yaml"
    assert found() == "variable.yaml"
    variables["PHOTOSORTD_CONFIG"] = ""
    assert found() == "etc/x.yaml"
    del variables["PHOTOSORTD_INSTANCE"]
    for place in ("etc", "etc_yml", "xdg", "xdg_yml"):
        assert found() == places[place]
        (tmp_path / places[place]).unlink()
    variables["XDG_CONFIG_HOME"] = "relative/is/ignored"
    assert found() == places["home"]


def test_without_a_file_it_is_said_where_one_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(None, environ(tmp_path), etc=str(tmp_path / "etc"))
    assert f"{tmp_path}/etc/config.yaml" in str(caught.value)
    assert f"{tmp_path}/home/.config/photosortd/config.yaml" in str(caught.value)


def test_a_file_that_was_asked_for_is_not_replaced_by_another(
    tmp_path: Path, make_tree: Callable[..., Path]
) -> None:
    make_tree({"etc/config.yaml": SMALLEST})
    for variable, value in [("PHOTOSORTD_CONFIG", "/nowhere/c.yaml"), ("PHOTOSORTD_INSTANCE", "x")]:
        with pytest.raises(ConfigError, match="No such file"):
            config.load(None, environ(tmp_path, **{variable: value}), etc=str(tmp_path / "etc"))


@pytest.mark.parametrize("name", ["../x", "a/b", "config", "models", "a b", ".x", "x\n"])
def test_an_instance_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="PHOTOSORTD_INSTANCE"):
        config.find(None, environ(tmp_path, PHOTOSORTD_INSTANCE=name))


def test_an_instance_may_be_a_yml_file(tmp_path: Path, make_tree: Callable[..., Path]) -> None:
    make_tree({"etc/x.yml": SMALLEST})
    settings = config.load(
        None,
        environ(tmp_path, PHOTOSORTD_INSTANCE="x"),
        etc=str(tmp_path / "etc"),
        var=str(tmp_path / "var"),
    )
    assert settings.state == str(tmp_path / "var/x")


@pytest.mark.parametrize(
    ("file", "variables", "state"),
    [
        ("/etc/photosortd/config.yaml", {}, "/var/lib/photosortd"),
        ("/etc/photosortd/config.yml", {}, "/var/lib/photosortd"),
        ("/etc/elsewhere/p.yaml", {}, "/var/lib/photosortd"),
        ("/etc/photosortd/x.yaml", {}, "/var/lib/photosortd/x"),
        ("/etc/photosortd/x.yaml", {"PHOTOSORTD_INSTANCE": "x"}, "/var/lib/photosortd/x"),
        ("/etc/photosortd/config.yaml", {"STATE_DIRECTORY": "/s/a:/s/b"}, "/s/a"),
        ("/home/me/c.yaml", {"XDG_STATE_HOME": "/x"}, "/x/photosortd"),
        ("/home/me/c.yaml", {"XDG_STATE_HOME": "x"}, "/home/me/.local/state/photosortd"),
        (None, {}, "/home/me/.local/state/photosortd"),
    ],
)
def test_the_state_goes_with_the_configuration(
    file: str | None, variables: Mapping[str, str], state: str
) -> None:
    assert default_state(file, {"HOME": "/home/me", **variables}) == state


# ---- settings from the environment


def test_variables_override_the_file_and_are_read_as_yaml(load: Load, tmp_path: Path) -> None:
    settings = load(
        SMALLEST + "settle:\nplace: {mode: reflink, keep_free: 2G}\n",
        PHOTOSORTD__place__mode="copy",
        PHOTOSORTD__SETTLE__QUIET="5s",
        PHOTOSORTD__thresholds__Food="0.7",
        PHOTOSORTD__watch__0__ignore="['*.gif']",
        PHOTOSORTD__ignore="[a, b]",
        PHOTOSORTD__limits="{time: 10s, memory: 1G}",
        PHOTOSORTD__limits__time="20s",
    )
    assert settings.place.mode is PlaceMode.COPY
    assert settings.place.keep_free == 2 << 30
    assert settings.settle.quiet == 5.0
    assert settings.thresholds == {"Food": 0.7}
    assert settings.watch[0].ignore == ("*.gif",)
    assert settings.ignore == ("a", "b")
    assert (settings.limits.seconds, settings.limits.memory) == (20.0, 1 << 30)


def test_the_environment_alone_can_be_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    variables = {"PHOTOSORTD__watch": "[{path: /dcim}]", "PHOTOSORTD__library": "lib"}
    settings = config.load(None, environ(tmp_path, **variables), etc=str(tmp_path / "etc"))
    assert settings.file is None
    assert settings.library == str(tmp_path / "lib")


def test_complaints_about_variables_name_them(load: Load) -> None:
    assert complaints(
        load,
        SMALLEST + "unsure_margin: 5\n",
        PHOTOSORTD__place__mode="cpoy",
        PHOTOSORTD__plase__mode="copy",
        PHOTOSORTD__watch__7__path="x",
        PHOTOSORTD__threads="[1",
        PHOTOSORTD__place="",
        PHOTOSORTD__settle__quiet="1s",
        photosortd__SETTLE__quiet="2s",
        PHOTOSORTD__library__x="1",
        PHOTOSORTD__="1",
    ) == [
        "config.yaml:3: unsure_margin: must be at most 1.0",
        "PHOTOSORTD__: names no key: write PHOTOSORTD__place__mode, for example",
        "PHOTOSORTD__threads: cannot be read: expected ',' or ']', but got '<stream end>' "
        "(while parsing a flow sequence)",
        "PHOTOSORTD__library__x: names a place that is not there: give the whole list or mapping",
        "photosortd__SETTLE__quiet: says the same as PHOTOSORTD__settle__quiet: remove one of them",
        "PHOTOSORTD__watch__7__path: names a place that is not there: "
        "give the whole list or mapping",
        "PHOTOSORTD__place__mode: place.mode: must be one of auto, reflink, hardlink, copy, "
        "symlink; did you mean copy?",
        "PHOTOSORTD__plase__mode: plase: unknown key; did you mean place?",
    ]


# ---- output that would be taken for input


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("watch: [{path: a}]\nlibrary: a\n", ["2: library: {}/a is the same as the watched {}/a"]),
        ("watch: [{path: a}]\nlibrary: a/b\n", ["2: library: {}/a/b lies in the watched {}/a"]),
        (
            "watch: [{path: a}]\nlibrary: a/.hidden/b\n",
            ["2: library: {}/a/.hidden/b lies in the watched {}/a"],
        ),
        ("watch: [{path: a/b}]\nlibrary: a\n", ["2: library: {}/a contains the watched {}/a/b"]),
        (
            "watch: [{path: /}]\nlibrary: l\nstate: s\n",
            ["2: library: {}/l lies in the watched /", "3: state: {}/s lies in the watched /"],
        ),
        (
            "watch: [{path: a}, {path: a/b}]\nlibrary: l\n",
            ["1: watch[1].path: {}/a/b lies in {}/a"],
        ),
        ("watch: [{path: a}, {path: a/}]\nlibrary: l\n", ["1: watch[1].path: {}/a is the same as"]),
        (
            "watch: [{path: a}]\nlibrary: l\nstate: a/s\n",
            ["3: state: {}/a/s lies in the watched {}/a"],
        ),
        ("watch: [{path: a}]\nlibrary: l\nstate: l\n", ["3: state: {}/l is the library"]),
    ],
)
def test_directories_that_overlap_are_refused(
    load: Load, tmp_path: Path, text: str, found: list[str]
) -> None:
    got = complaints(load, text)
    assert len(got) == len(found)
    for line, start in zip(got, found, strict=True):
        assert line.startswith("config.yaml:" + start.replace("{}", str(tmp_path)))


def test_names_that_only_begin_alike_are_no_overlap(load: Load) -> None:
    load("watch: [{path: photos}, {path: photos-2}]\nlibrary: photos-sorted\n")


def test_overlaps_are_said_together_with_other_mistakes(load: Load) -> None:
    found = complaints(load, "watch: [{path: a, x: 1}]\nlibrary: a/b\nworkers: 0\n")
    assert [line.split(": ")[1] for line in found] == ["watch[0].x", "library", "workers"]


def test_symbolic_links_are_looked_through(load: Load, tmp_path: Path) -> None:
    (tmp_path / "dcim/inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "dcim/inner")
    (found,) = complaints(load, "watch: [{path: dcim}]\nlibrary: link/not/there/yet\n")
    assert "library: " in found
    assert "overlaps, through a link or a bind mount, with the watched" in found


@pytest.fixture
def bind() -> Iterator[Callable[[Path, Path], None]]:
    """bind(what, where) mounts a directory at a second place, until the test ends."""
    mounted: list[Path] = []

    def bind(what: Path, where: Path) -> None:
        done = subprocess.run(
            ["mount", "--bind", what, where], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"needs to be allowed to mount: {done.stderr.strip()}")
        mounted.append(where)

    yield bind
    for where in reversed(mounted):
        subprocess.run(["umount", where], check=True)


@pytest.mark.root
@pytest.mark.parametrize(
    ("what", "where", "library"),
    [
        ("dcim", "other", "other"),  # the root itself, elsewhere
        ("dcim/inner", "other", "other/sorted"),  # a part of the root
        ("outer", "other", "other"),  # a parent of the root's own place
        ("sorted", "dcim/inner", "sorted"),  # the library, mounted into the root
        ("sorted/food", "dcim/inner", "sorted"),  # a part of the library
        ("dcim", "sorted/food", "sorted"),  # the root, mounted into the library
    ],
)
def test_bind_mounts_are_looked_through(
    load: Load,
    tmp_path: Path,
    bind: Callable[[Path, Path], None],
    what: str,
    where: str,
    library: str,
) -> None:
    for name in ("outer/dcim/inner", "other", "sorted/food"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "dcim").symlink_to("outer/dcim")
    bind((tmp_path / what).resolve(), (tmp_path / where).resolve())
    (found,) = complaints(load, f"watch: [{{path: dcim}}]\nlibrary: {library}\n")
    assert "overlaps, through a link or a bind mount, with the watched" in found


@pytest.mark.root
def test_a_bind_mount_of_something_else_is_no_overlap(
    load: Load, tmp_path: Path, bind: Callable[[Path, Path], None]
) -> None:
    for name in ("dcim/a", "elsewhere", "sorted/b"):
        (tmp_path / name).mkdir(parents=True)
    bind(tmp_path / "elsewhere", tmp_path / "dcim/a")
    load("watch: [{path: dcim}]\nlibrary: sorted\n")


# ---- what is shipped


def uncommented() -> str:
    """The example with every commented setting made real: `#` with a letter behind it."""
    text = (REPOSITORY / "config.example.yaml").read_text(encoding="utf-8")
    return re.sub(r"(?m)^(\s*)#(?=[a-z])", r"\1", text)


def plain(settings: config.Config) -> dict[str, Any]:
    return {
        name: value.model_dump() if isinstance(value, BaseModel) else value
        for name in config.Config.__slots__
        if name not in ("file", "watch") and (value := getattr(settings, name)) is not Ellipsis
    }


def test_the_example_is_valid_and_shows_the_real_defaults(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    shipped = config.load(str(REPOSITORY / "config.example.yaml"), home)
    full = tmp_path / "full.yaml"
    full.write_text(uncommented())
    shown = config.load(str(full), home)
    smallest = tmp_path / "smallest.yaml"
    smallest.write_text("watch: [{path: ~/DCIM}]\nlibrary: ~/Pictures/Sorted\n")
    defaults = config.load(str(smallest), home)
    assert plain(shipped) == plain(shown) == plain(defaults)
    assert shipped.watch == shown.watch == defaults.watch


def test_the_example_shows_every_key() -> None:
    from photosortd.config.tree import parse

    def keys(model: type[BaseModel]) -> dict[str, Any]:
        return dict.fromkeys(model.model_fields)

    document = parse(uncommented()).value
    assert document.keys() == keys(Document).keys()
    assert document["watch"][0].keys() == keys(config.Root).keys()
    assert document["settle"].keys() == keys(config.Settle).keys()
    assert document["place"].keys() == keys(config.Place).keys()
    assert (
        document["limits"].keys() == Document.model_fields["limits"].annotation.model_fields.keys()
    )  # type: ignore[union-attr]


def test_the_json_schema_for_editors_is_current() -> None:
    file = REPOSITORY / "docs" / "config.schema.json"
    assert json.loads(file.read_text(encoding="utf-8")) == config.json_schema(), (
        "write it anew: photosortd schema > docs/config.schema.json"
    )


def test_every_key_of_the_json_schema_is_described() -> None:
    schema = config.json_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, key in section.get("properties", {}).items():
            assert "description" in key or "anyOf" in key, name
