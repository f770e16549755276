"""A page of HTML as a browser would read it."""

import re
from html.parser import HTMLParser

_VOID = {"img", "meta", "br"}


class Page(HTMLParser):
    """What a browser would make of it; complains of tags that are not closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.said += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    def section(self, key: str) -> "Page":
        """One section of it alone."""
        (inside,) = re.findall(rf'<section id="{key}"[^>]*>.*?</section>', self.text, re.DOTALL)
        return Page(inside)

    def sections(self) -> list[str]:
        return [str(each["id"]) for each in self.all("section")]

    def assert_alone(self) -> None:
        """It asks nothing of anybody, and no name has become markup."""
        assert "script" not in {tag for tag, _ in self.found}
        for _, attributes in self.found:
            assert not any(name.startswith("on") for name in attributes)
            for name in ("src", "href", "srcset", "action", "data"):
                assert (attributes.get(name) or "#").startswith(("#", "data:image/jpeg;base64,"))
        assert "url(" not in self.text
        assert "@import" not in self.text
