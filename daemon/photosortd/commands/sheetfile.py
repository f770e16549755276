"""The contact sheet as a file: whole or not there, and never over anything else."""

import os
import stat

from photosortd import files
from photosortd.errors import ConfigError
from photosortd.records import printable
from photosortd.vision.sheet import MARK, Sheet, html

_BEGINNING = 1024  # bytes within which a sheet says that it is one


def check(path: str) -> None:
    """Raises ConfigError if the sheet may not or cannot be written there. Writes nothing."""
    shown, directory = printable(path), os.path.dirname(path) or "."
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.isdir(directory):
            raise ConfigError(f"{shown}: there is no directory {printable(directory)}") from None
    except OSError as error:
        raise ConfigError(f"{shown}: {error.strerror}") from error
    else:
        if not stat.S_ISREG(mode) or not _is_sheet(path):
            raise ConfigError(
                f"{shown} is there and is no contact sheet of ours: it stays. Give another name"
            )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f"{shown}: no permission to write into {printable(directory)}")


def _is_sheet(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return MARK.encode("ascii") in stream.read(_BEGINNING)
    except OSError:
        return False


def write(path: str, sheet: Sheet) -> None:
    """Raises WorldError if it cannot be written: then what was there before is there still."""
    check(path)  # photos took their time, and somebody may have put something there
    with files.world_errors(f"{printable(path)} was not written"):
        files.write_atomically(path, html(sheet), mode=0o666 & ~_umask())


def _umask() -> int:
    """Photos of people: who may read the page is for the user to say."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
