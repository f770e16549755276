"""What the two services call things: a search → photos, page by page.

Openverse: https://api.openverse.org (20 results a page and no more than 12 pages without an
account). Wikimedia Commons: https://commons.wikimedia.org/w/api.php, the search generator with
the properties of each file.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from photosort_trainer.gather.fetching import Fetcher
from photosort_trainer.gather.values import Found

OPENVERSE = "https://api.openverse.org/v1/images/"
COMMONS = "https://commons.wikimedia.org/w/api.php"

_PER_PAGE = 20
_PAGES = 12
_WIDE = 1280  # pixels to which Commons scales a picture for us: photos are learned from small


def openverse(
    fetch: Fetcher, query: str, licenses: Collection[str], address: str = OPENVERSE
) -> Iterator[Found]:
    """Photographs under one of these licences. Raises TrainerError."""
    for page in range(1, _PAGES + 1):
        said = fetch.json(
            address,
            {
                "q": query,
                "license": ",".join(sorted(licenses)),
                "category": "photograph",
                "page": str(page),
                "page_size": str(_PER_PAGE),
            },
        )
        for result in _mappings(said.get("results")):
            found = Found(
                provider="openverse",
                id=str(result.get("id") or ""),
                url=str(result.get("url") or ""),
                page=str(result.get("foreign_landing_url") or ""),
                author=str(result.get("creator") or ""),
                license=str(result.get("license") or "").lower(),
                license_url=str(result.get("license_url") or ""),
            )
            if found.id and found.url and found.license in licenses:
                yield found
        if page >= int(said.get("page_count") or 0):
            return


def commons(
    fetch: Fetcher, query: str, licenses: Collection[str], address: str = COMMONS
) -> Iterator[Found]:
    """Pictures under one of these licences. Raises TrainerError."""
    params = {
        "action": "query",
        "format": "json",
        "formatversion": "2",
        "maxlag": "5",
        "generator": "search",
        "gsrsearch": f"filetype:bitmap {query}",
        "gsrnamespace": "6",
        "gsrlimit": str(_PER_PAGE),
        "prop": "imageinfo",
        "iiprop": "url|mime|extmetadata",
        "iiextmetadatafilter": "License|LicenseUrl|Artist",
        "iiurlwidth": str(_WIDE),
    }
    going_on: Mapping[str, str] = {}
    for _ in range(_PAGES):
        said = fetch.json(address, {**params, **going_on})
        query_part = said.get("query")
        pages = _mappings(query_part.get("pages") if isinstance(query_part, dict) else None)
        for page in sorted(pages, key=lambda each: int(each.get("index") or 0)):
            found = _of_commons(page)
            if found is not None and found.license in licenses:
                yield found
        ahead = said.get("continue")
        if not isinstance(ahead, dict):
            return
        going_on = {str(key): str(value) for key, value in ahead.items()}


def _of_commons(page: Mapping[str, Any]) -> Found | None:
    info = next(iter(_mappings(page.get("imageinfo"))), None)
    if info is None or info.get("mime") not in ("image/jpeg", "image/png", "image/webp"):
        return None
    more = info.get("extmetadata")
    said = {
        key: str(value.get("value") or "")
        for key, value in (more.items() if isinstance(more, dict) else ())
        if isinstance(value, dict)
    }
    url = str(info.get("thumburl") or info.get("url") or "")
    if not url or not page.get("pageid"):
        return None
    return Found(
        provider="commons",
        id=str(page["pageid"]),
        url=url,
        page=str(info.get("descriptionurl") or ""),
        author=_text(said.get("Artist", "")),
        license=_short(said.get("License", "")),
        license_url=said.get("LicenseUrl", ""),
    )


def _short(license: str) -> str:
    """`cc-by-sa-4.0` → `by-sa`; '' for one that is not Creative Commons' or public domain."""
    plain = license.lower().strip()
    if plain in ("cc0", "cc-zero"):
        return "cc0"
    if plain == "pd" or plain.startswith("pd-"):
        return "pdm"
    found = re.fullmatch(r"cc-(by(?:-nc)?(?:-sa|-nd)?)-[\d.]+(?:-\w+)?", plain)
    return found[1] if found else ""


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _text(markup: str) -> str:
    """What a reader sees of it, on one line."""
    parser = _Text()
    parser.feed(markup)
    parser.close()
    return " ".join("".join(parser.parts).split())


def _mappings(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
