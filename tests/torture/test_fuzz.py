"""Bytes from strangers, chosen by what they make the code do: no crash, no hang, no flood.

Four parsers that run in the daemon or before anything is known of a file: the checks of
containers, the bundle's manifest, the configuration, ignore files. Each is fuzzed by atheris in a
process of its own, from seeds that are drawn here; an input that breaks a promise is printed.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from drawing import RED, draw_photo
from tiny import TINY
from torture.conftest import Effort, Figures

PROGRAM = Path(__file__).parent / "fuzzing.py"
LONGEST = {"containers": 16_384, "bundle": 8192, "config": 2048, "patterns": 2048}
SECONDS_AN_INPUT = 10
MEGABYTES = 1024  # of the whole process; instrumented, it begins with a hundred

SMALL = {"color": RED, "size": (24, 16)}

CONFIG = """\
watch:
  - {path: ~/DCIM, ignore: ["*.gif", "[a-z]*"], scan_interval: 5m, events: true}
library: /srv/sorted
state: ./state
model: "/srv/\\u00fc"
thresholds: &t {red: 0.5, default: null}
unsure_margin: 0.1
unsorted: _review
settle: {quiet: 2s, group_wait: 10m, give_up: 1d}
place: {mode: auto, layout: "{category}/{taken:%Y/%m}/{name}", mode_add: '0640', keep_free: 1G}
workers: auto
threads: 2
limits: {time: 60s, memory: 2G, pixels: 100M, file_size: 512M}
ignore: !!seq [*t, "a/**/b"]
"""

IGNORE = [
    "*.gif\n!keep.gif\n/a/b/*\nc.jpg",
    "**/x/**/y*[!a-c]?\n\\#z\na.png",
    "*a*b*c*\naaaaaaaaaa",
    "a*??????????*b",
]


def containers() -> Iterator[bytes]:
    pillow_heif.register_heif_opener()
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "HEIF", "AVIF", "MPO"):
        yield draw_photo(**SMALL, format=kind)
    yield draw_photo(**SMALL, format="TIFF", compression="tiff_lzw")
    yield draw_photo(**SMALL, xmp=b'<x:xmpmeta><rdf:li Item:Length="9" Item:Padding="1"/>')
    stream = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    frames[0].save(stream, "MPO", save_all=True, append_images=frames[1:])
    yield stream.getvalue()
    yield b"\0\0\0\x10ftypqt  \0\0\0\0\0\0\0\x08moov\0\0\0\x10mdat" + b"x" * 8
    yield b'<?xml version="1.0"?>\n<plist version="1.0"><dict/></plist>\n'
    yield b'{"photoTakenTime": {"timestamp": "1"}}\n'


def seeds(target: str) -> Iterator[bytes]:
    if target == "containers":
        yield from containers()
    elif target == "bundle":
        manifest = (TINY / "bundle.json").read_bytes()
        yield manifest
        yield json.dumps(json.loads(manifest)).encode()
    elif target == "config":
        yield CONFIG.encode()
        yield from (line.encode() for line in CONFIG.splitlines())
        yield b'a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b, "\\x41\\u00fc"]\n'
    else:
        yield from (each.encode() for each in IGNORE)


WORDS = {
    "containers": "containers (JPEG, PNG, HEIF, TIFF, movies, sidecars, …)",
    "bundle": "model bundles",
    "config": "configurations",
    "patterns": "ignore files",
}


def test_no_input_breaks_a_promise(tmp_path: Path, effort: Effort, figures: Figures) -> None:
    if find_spec("atheris") is None:
        pytest.skip("needs atheris, which has no wheel for every Python")
    seconds = effort.of(1, 120)
    running = {target: start(target, tmp_path / target, seconds) for target in WORDS}
    output = {}
    try:
        for target, process in running.items():
            output[target] = process.communicate(timeout=5 * seconds + 120)[0]
    finally:
        for process in running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    for target, process in running.items():
        said = output[target].decode(errors="replace")
        found = [each.read_bytes() for each in (tmp_path / target).glob("*-*") if each.is_file()]
        assert process.returncode == 0, f"{target}: {said[-4000:]}\n{found!r}"
        runs = re.search(r"number_of_executed_units: *(\d+)", said)
        assert runs is not None, said
        figures.add(
            "hostile", f"inputs invented for the parser of {WORDS[target]}", int(runs[1]), 0
        )


def start(target: str, directory: Path, seconds: int) -> "subprocess.Popen[bytes]":
    corpus, scratch = directory / "corpus", directory / "scratch"
    corpus.mkdir(parents=True)
    scratch.mkdir()
    for number, seed in enumerate(seeds(target)):
        (corpus / str(number)).write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST[target],
        "timeout": SECONDS_AN_INPUT,
        "rss_limit_mb": MEGABYTES,
        "seed": 2024,
        "print_final_stats": 1,
    }
    given = (f"-{key}={value}" for key, value in options.items())
    command = [sys.executable, str(PROGRAM), target, str(scratch), str(corpus), *given]
    # A shell between: the kernel counts the most memory that a process had from before its exec,
    # and that was ours.
    return subprocess.Popen(
        ["sh", "-c", '"$@"; exit $?', "sh", *command],
        cwd=directory,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
