"""Sidecars: XMP, AAE and JSON are texts that end as they began."""

import re

from photosortd.vision.whole.view import Data

_ENDS = 64 << 10  # XMP is padded at its end, by some kilobytes
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ROOT = re.compile(rb"<([A-Za-z_][\w:.-]*)")


def missing(data: Data) -> str | None:
    start = data[:_ENDS].removeprefix(b"\xef\xbb\xbf").lstrip()
    end = data[max(0, len(data) - _ENDS) :].rstrip(b" \t\r\n\0")
    if start.startswith((b"{", b"[")):
        closed = end.endswith(b"}" if start.startswith(b"{") else b"]")
        return None if closed and _balanced(data) else "JSON without its end"
    if not start.startswith((b"<?xml", b"<?xpacket", b"<x:xmpmeta", b"<rdf:RDF", b"<plist")):
        return None
    root = _ROOT.search(start)
    if root is None or not end.endswith(b">"):
        return "XML without its end"
    if b"</" + root[1] in end:
        return None
    alone = re.search(rb"<" + re.escape(root[1]) + rb"[^<]*/>", start)
    return None if alone else "XML without its end"


def _balanced(data: Data) -> bool:
    """Whether every bracket outside a string is closed; not judged in what is no sidecar's size."""
    if len(data) > _ENDS:
        return True
    bare = _STRING.sub(b"", data[:])
    return bare.count(b"{") == bare.count(b"}") and bare.count(b"[") == bare.count(b"]")
