"""Templates of the library: what they give, and what they refuse."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosortd import layout

DAY = datetime(2024, 5, 7, 18, 30, 1)


@pytest.mark.parametrize(
    ("template", "directory"),
    [
        ("{category}/{name}", "food"),
        ("{category}/{taken:%Y/%m}/{name}", "food/2024/05"),
        ("{taken:%Y}/{category}/{name}", "2024/food"),
        ("Sorted/{category} {taken:%y-%m-%d}/{name}", "Sorted/food 24-05-07"),
        ("{category}/{{x}}/{name}", "food/{x}"),
        ("{category}/{taken:100%%-%Y}/{name}", "food/100%-2024"),
    ],
)
def test_a_template_gives_a_directory(template: str, directory: str) -> None:
    assert layout.parse(template).directory("food", DAY) == directory


def test_the_default_is_a_valid_template() -> None:
    assert layout.parse(layout.DEFAULT).directory("food", DAY) == "food"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("", "must end with '/{name}'"),
        ("{category}", "must end with '/{name}'"),
        ("{category}/{name}.jpg", "must end with '/{name}'"),
        ("{taken:%Y}/{name}", "must contain {category}"),
        ("{categroy}/{name}", "did you mean {category}?"),
        ("{iso}/{name}", "there are {category}, {taken}, {name}"),
        ("{category}/{name}/{name}", "only once"),
        ("{category}/{0}/{name}", "unknown field {0}"),
        ("{category.x}/{name}", "unknown field {category.x}"),
        ("{category!r}/{name}", "takes no such format"),
        ("{category:>9}/{name}", "takes no such format"),
        ("{category}/{taken}/{name}", "needs a date format"),
        ("{category}/{taken:%B}/{name}", "%B cannot be used"),
        ("{category}/{taken:%D}/{name}", "%D cannot be used"),
        ("{category}/{taken:%Y%}/{name}", "% cannot be used"),
        ("{category/{name}", "braces"),
        ("/{category}/{name}", "must be relative"),
        ("{category}//{name}", "slash too many"),
        ("../{category}/{name}", "starts with a dot"),
        ("{category}/../{name}", "starts with a dot"),
        (".{category}/{name}", "'.category' starts with a dot"),
        ("{category}/{taken:.%Y}/{name}", "starts with a dot"),
        ("{category}/{taken:%Y/../..}/{name}", "starts with a dot"),
        ("{category}/{taken:%H:%M}/{name}", "some file systems refuse"),
        ("{category}./{name}", "which some file systems drop"),
        ("a\n{category}/{name}", "control character"),
        ("{category}" + "x" * 200 + "/{name}", "longer than 255 bytes"),
    ],
)
def test_a_bad_template_is_refused_with_a_reason(template: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        layout.parse(template)


@pytest.mark.parametrize("category", ["", "..", ".x", "a/b", "a\0b"])
def test_no_category_leads_out_of_the_library(category: str) -> None:
    with pytest.raises(ValueError, match="no directory name"):
        layout.parse("{category}/{name}").directory(category, DAY)


@given(
    template=st.lists(
        st.sampled_from(
            ["{category}", "{taken:%Y/%m}", "{taken:.%d}", "{taken:/%j}", "/", "..", ".", "a", " "]
        ),
        max_size=6,
    ),
    taken=st.datetimes(),
)
def test_whatever_is_accepted_stays_inside_and_visible(
    template: list[str], taken: datetime
) -> None:
    try:
        accepted = layout.parse("".join(template) + "/{name}")
    except ValueError:
        return
    components = accepted.directory("food", taken).split("/")
    assert all(part and not part.startswith(".") for part in components)
