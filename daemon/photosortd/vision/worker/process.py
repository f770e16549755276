"""One worker process, seen from the parent: started, spoken to, listened to, ended."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from photosortd.vision.worker.protocol import MAX_PACKET, Hello, ProtocolError, hello_packet, unpack

_ENVIRONMENT = {
    # Address space is limited: a second thread would reserve 64 MB for a heap of its own,
    # and OpenBLAS a stack for each core.
    "MALLOC_ARENA_MAX": "2",
    "OPENBLAS_NUM_THREADS": "1",
}


class Process:
    """A child and its socket. `start` may raise OSError; the others treat errors as its death."""

    _spare: ClassVar[tuple[int, "Process"] | None] = None
    """A prepared one, and the user as whom it was started."""

    def __init__(self, popen: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._popen = popen
        self._channel = channel

    @classmethod
    def start(cls, hello: Hello) -> "Process":
        """Must be called from a thread that outlives the child (PR_SET_PDEATHSIG follows it)."""
        process = cls._take_spare() or cls._spawn()
        process.send(hello_packet(hello))  # if it is gone already, that is heard of next
        return process

    @classmethod
    def prepare(cls) -> None:
        """Start one for whoever asks next: it loads its libraries while the caller does others."""
        if cls._spare is None:
            with suppress(OSError):  # told by `start`, which tries again
                cls._spare = os.geteuid(), cls._spawn()

    @classmethod
    def discard(cls) -> None:
        """End the prepared one if nobody asked for it."""
        if cls._spare is not None:
            _, process = cls._spare
            cls._spare = None
            process.kill()
            process.ended(timeout=2.0)

    @classmethod
    def _take_spare(cls) -> "Process | None":
        if cls._spare is None or cls._spare[0] != os.geteuid():
            cls.discard()  # none that has more rights than we have now
            return None
        (_, process), cls._spare = cls._spare, None
        return process

    @classmethod
    def _spawn(cls) -> "Process":
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                ours.setblocking(False)
                popen = subprocess.Popen(
                    _command(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env={**os.environ, **_ENVIRONMENT},
                    process_group=0,  # Ctrl-C is the parent's to handle
                )
            except BaseException:
                ours.close()
                raise
        return cls(popen, ours)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def fileno(self) -> int:
        return self._channel.fileno()

    def send(self, packet: bytes, descriptors: Sequence[int] = ()) -> bool:
        """False if it cannot be reached any more; `messages` will tell its end."""
        try:
            if descriptors:
                socket.send_fds(self._channel, [packet], list(descriptors))
            else:
                self._channel.send(packet)
        except (BrokenPipeError, ConnectionResetError, BlockingIOError):
            return False
        return True

    def messages(self) -> tuple[list[dict[str, object]], bool]:
        """All that it has said since the last call, and whether it is still there."""
        said: list[dict[str, object]] = []
        while True:
            try:
                packet = self._channel.recv(MAX_PACKET)
            except BlockingIOError:
                return said, True
            except ConnectionResetError:
                return said, False
            if not packet:
                return said, False
            try:
                said.append(unpack(packet))
            except ProtocolError:
                return said, False

    def kill(self) -> None:
        """End it and forget its socket. It may take a while to die if it waits for a disk."""
        if self._channel.fileno() >= 0:
            self._channel.close()
        self._popen.kill()

    def ended(self, timeout: float = 0.0) -> bool:
        """Whether it is gone and reaped."""
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def was_killed(self) -> bool:
        """Whether it has ended as only others end a process."""
        return self._popen.poll() == -signal.SIGKILL

    def epitaph(self, timeout: float) -> str:
        """How it ended, for a person. Waits up to `timeout` seconds for it to end by itself."""
        if not self.ended(timeout):
            return "the worker closed its connection"
        code = self._popen.returncode
        if code >= 0:
            return f"the worker ended with exit code {code}"
        try:
            return f"the worker was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"the worker was ended by signal {-code}"


def _command(descriptor: int) -> list[str]:
    # -P: nothing in the current directory may pose as a module.
    module = "photosortd.vision.worker.child"
    return [sys.executable, "-P", "-m", module, str(descriptor), str(os.getpid())]
