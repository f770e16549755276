"""Configurations that PyYAML chokes on, or that grow when they are read, are complaints."""

import pytest

from photosortd.config.tree import NotYaml, parse


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)
    ]
    return "\n".join(lines)


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    with pytest.raises(NotYaml, match="more than 50,000 values"):
        parse(bomb(9))
    assert len(parse(bomb(3)).value["a2"]) == 9


@pytest.mark.parametrize("escape", ["\\UFFFFFFFF", "\\U00110000", "\\uD800", "\\udcff"])
@pytest.mark.parametrize("text", ['library: "{}"', '"{}": 1', '- ["{}"]'])
def test_an_escape_that_stands_for_no_character_is_named_with_its_line(
    escape: str, text: str
) -> None:
    with pytest.raises(NotYaml, match="stands for no character") as found:
        parse("\n\n" + text.format(escape))
    assert found.value.line == 3


@pytest.mark.parametrize("text", ["!!int ten", "!!float x", "!!int"])
def test_a_tag_does_not_make_a_number_of_a_word(text: str) -> None:
    assert parse(f"threads: {text}").value == {"threads": text.partition(" ")[2]}
