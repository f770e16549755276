"""What is in this photo? Shared by the daemon and the trainer, so that both see with the same eyes.

Imports nothing itself: the daemon's parent process reads bundles and decides, and must not
load NumPy, Pillow or LiteRT, which only the worker processes need.
"""

DECODE_VERSION = 1
"""Which pixels `decode` makes of given bytes. A bundle names the one that it was trained with;
count up with every change that moves scores, because such a bundle must be trained anew."""

MAX_THUMBNAIL = 24 << 10
"""Bytes of a small JPEG that a worker may send beside its answer; most have a third of that."""
