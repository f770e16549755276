"""Whose fault is it?

PhotosortdError
 ├ ConfigError   the operator's   settings; every complaint at once; exit 78
 ├ BundleError   the operator's   a model bundle that cannot be used; exit 78
 ├ BusyError     nobody's         another process is the writer; exit 2
 ├ PhotoError    the photo's      recorded; the daemon goes on
 └ WorldError    the world's      disk full, share gone: wait, try again, say it once
anything else    ours             ends the process; systemd starts a fresh one
"""


class PhotosortdError(Exception):
    """Base of every error that has somebody else to blame than our own code."""


class ConfigError(PhotosortdError):
    """The configuration cannot be used. `problems` holds every complaint, one line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class BundleError(PhotosortdError):
    """A model bundle is missing, damaged or not fit for this runtime."""


class BusyError(PhotosortdError):
    """Another process holds the lock of the state directory or of the library."""


class PhotoError(PhotosortdError):
    """This file cannot be read as a photo. The message is kept as the recorded reason."""


class WorldError(PhotosortdError):
    """The surroundings fail: disk full, mount gone, permission lost. Worth another try later."""
