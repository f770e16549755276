"""The worker process itself: `python -m photosortd.vision.worker.child DESCRIPTOR PARENT`.

One thread receives jobs and decodes, the main thread infers, so that the next photo is decoded
while one is inferred. Never touches a path but the bundle's: photos come as open descriptors.
"""

import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from queue import Queue
from typing import NoReturn

from photosortd.errors import BundleError, PhotoError
from photosortd.records import printable
from photosortd.vision.bundle import Bundle, read_bundle
from photosortd.vision.classify import Classifier
from photosortd.vision.decide import decide
from photosortd.vision.decode import decode
from photosortd.vision.worker.confine import confine, give_way, limit_memory, silence
from photosortd.vision.worker.look import Look, look
from photosortd.vision.worker.protocol import (
    MAX_COMPANIONS,
    MAX_PACKET,
    Hello,
    answer_packet,
    hello_of,
    job_of_packet,
    pack,
    ready_packet,
)

TOLERANCE = 0.02  # how far a golden image's score may differ on another machine


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    confine(parent=int(sys.argv[2]))
    packet = channel.recv(MAX_PACKET)
    if not packet:  # prepared, and not needed
        return
    hello = hello_of(packet)
    give_way(hello.nice)
    limit_memory(hello.limits.memory)
    try:
        bundle = read_bundle(hello.bundle)  # hashed: it may have changed since it was tested
        classifier = Classifier(bundle, hello.threads)
        if hello.golden:
            check_golden(bundle, classifier, hello)
    except BundleError as error:
        channel.send(pack({"say": "refused", "reason": str(error)[:4000]}))
        return
    except MemoryError:
        reason = f"{printable(hello.bundle)}: the model needs more memory than limits.memory allows"
        channel.send(pack({"say": "refused", "reason": reason}))
        return
    if hello.golden:
        channel.send(ready_packet(len(bundle.categories)))
    else:
        _Worker(channel, bundle, classifier, hello).run()


def check_golden(bundle: Bundle, classifier: Classifier, hello: Hello) -> None:
    """Raises BundleError if this machine does not see what the training machine saw."""
    for golden in bundle.golden:
        data = (bundle.path / golden.file).read_bytes()
        try:
            picture = decode(data, bundle.height, bundle.width, hello.limits)
        except PhotoError as error:
            raise BundleError(f"{golden.file}: {error}") from error
        found = classifier.scores(picture.pixels)
        for name, here, there in zip(bundle.names, found, golden.scores, strict=True):
            if abs(here - there) > TOLERANCE:
                raise BundleError(
                    f"{golden.file}: scores {here:.3f} for {name} here, {there:.3f} when trained"
                )
        if _labels(bundle, found) != _labels(bundle, golden.scores):
            raise BundleError(f"{golden.file}: gets other labels here than when trained")


def _labels(bundle: Bundle, scores: tuple[float, ...]) -> tuple[str, ...]:
    by_name = dict(zip(bundle.names, scores, strict=True))
    return decide(by_name, bundle.thresholds, margin=0.0).categories


class _Worker:
    """The two threads and the queue of one between them."""

    def __init__(
        self, channel: socket.socket, bundle: Bundle, classifier: Classifier, hello: Hello
    ) -> None:
        self._channel = channel
        self._classifier = classifier
        self._ready = ready_packet(len(bundle.categories))
        self._size = (bundle.height, bundle.width)
        self._limits = hello.limits
        self._decoded: Queue[Look | None] = Queue(1)
        # Our own last words still reach the journal; C libraries write to descriptor 2.
        self._stderr = os.fdopen(os.dup(2), "w")

    def run(self) -> None:
        silence()
        try:
            threading.Thread(target=self._guarded, args=(self._receive,), daemon=True).start()
        except RuntimeError as error:  # as many tasks as the service manager allows
            self._channel.send(pack({"say": "starved", "reason": f"the worker: {error}"}))
            os._exit(70)
        self._guarded(self._infer)

    def _infer(self) -> None:
        self._channel.send(self._ready)  # not before both threads are there
        while (done := self._decoded.get()) is not None:
            assert done.pixels is not None
            scores = self._classifier.scores(done.pixels)
            self._channel.send(answer_packet(done.answered(scores)))

    def _receive(self) -> None:
        while True:
            packet, descriptors, _, _ = socket.recv_fds(
                self._channel, MAX_PACKET, MAX_COMPANIONS + 1
            )
            if not packet:  # the parent is gone, or done with us
                self._decoded.put(None)
                return
            try:
                self._look(packet, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _look(self, packet: bytes, descriptors: list[int]) -> None:
        job = job_of_packet(packet, descriptors)
        self._channel.send(pack({"say": "begin", "job": job.id}))
        done = look(job, self._size, self._limits)
        if done.pixels is None:
            self._channel.send(answer_packet(done.answered()))
        else:
            self._decoded.put(done)

    def _guarded(self, work: Callable[[], None]) -> None:
        """An error that nobody expected ends the process, not one of its threads."""
        try:
            work()
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)
        except BaseException as error:  # noqa: BLE001  whatever it is, it is told and fatal
            self._die(error)

    def _die(self, error: BaseException) -> NoReturn:
        traceback.print_exception(error, file=self._stderr)
        self._stderr.flush()
        reason = f"the worker failed: {type(error).__name__}: {error}"[:2000]
        self._channel.send(pack({"say": "dying", "reason": reason}))
        os._exit(70)


if __name__ == "__main__":
    main()
