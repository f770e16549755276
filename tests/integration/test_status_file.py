"""The status file is whole at any moment, and a writer that was killed leaves nothing for ever."""

import json
import os
from pathlib import Path

from photosortd.status import StatusFile


def test_what_a_killed_writer_left_goes_with_the_first_write(tmp_path: Path) -> None:
    for name in ("status.json.1.new", "status.json.22.new", "status.json.new", "other.1.new"):
        (tmp_path / name).write_bytes(b"{")
    StatusFile(str(tmp_path / "status.json")).update({"state": "idle"}, 0.0)
    assert sorted(os.listdir(tmp_path)) == ["other.1.new", "status.json", "status.json.new"]
    assert json.loads((tmp_path / "status.json").read_text())["state"] == "idle"
