"""Bytes to upright sRGB pixels at the network's size, and when the photo was taken.

The only decoder of daemon and trainer, so that both see with the same eyes. Owns Pillow and
pillow-heif (with `samples`). What a file is, its content decides, never its name. Every
malformed file ends as PhotoError; the same bytes always give the same pixels.
"""

from photosortd.vision import DECODE_VERSION
from photosortd.vision.decode.decoding import Picture, Pixels, decode
from photosortd.vision.decode.thumbnail import thumbnail

__all__ = ["DECODE_VERSION", "Picture", "Pixels", "decode", "thumbnail"]
