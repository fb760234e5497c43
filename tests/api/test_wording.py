"""What a text must be is said in words: in the page, and of a request that does not fit."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from abuse.scenes import DOCUMENT
from yunduan.domains.catalog.commands import CreateShop
from yunduan.domains.identity.commands import AddAddress, OpenSession
from yunduan.domains.orders.casepictures import ShowPicture
from yunduan.domains.orders.commands import AddToCart
from yunduan.edges.http.docs import docs_page
from yunduan.edges.http.wording import in_words, plainly


def patterns(part: Any) -> Iterator[str]:
    """Every pattern in a part of the description."""
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        for inner in part.values():
            yield from patterns(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from patterns(inner)


@pytest.mark.parametrize("pattern", sorted(set(patterns(DOCUMENT))))
def test_every_pattern_has_words(pattern: str) -> None:
    """Those of every field that anybody may fill in."""
    assert in_words(pattern, "")


@pytest.mark.parametrize("content", ["AAAA", "AA==", "+/A=", "AAAA\n", "AA==\n", "AA=", "A-_A", "AA==AAAA", "AAAA===="])
def test_base64_is_described_as_it_is_read(content: str) -> None:
    """A picture in a body: what the description allows is decoded, and nothing else, such as a line feed at the end."""
    described = DOCUMENT["components"]["schemas"]["ShowPictureBody"]["properties"]["content"]["pattern"]
    try:
        msgspec.convert({"case_id": "cas_1", "content": content}, ShowPicture)
    except msgspec.ValidationError:
        assert re.search(described, content) is None
    else:
        assert re.search(described, content)


def test_the_page_shows_no_pattern() -> None:
    """Machines find them in the description."""
    page = docs_page(DOCUMENT)
    for mark in ("(?!", "(?=", "[^", "[A-Z]{", "[a-z]{3}"):
        assert mark not in page, page[page.index(mark) - 200 : page.index(mark) + 50]
    assert "an id such as ord_…" in page


class Tags(HTMLParser):
    """Which tags of a page are open; ends with none when each is closed in its place."""

    def __init__(self) -> None:
        """None."""
        super().__init__()
        self.open: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as it is called
        """Some have no end."""
        if tag not in {"meta", "link", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """That of the last one that was opened."""
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        """What is read."""
        self.said += data


def test_the_page_is_whole() -> None:
    """Every tag is closed where it should be, and every path is shown as it is."""
    tags = Tags()
    tags.feed(docs_page(DOCUMENT))
    assert tags.open == []
    assert [path for path in DOCUMENT["paths"] if path not in tags.said] == []


@pytest.mark.parametrize(
    ("message", "body", "name", "words"),
    [
        (AddToCart, {"variant_id": "1"}, "variant_id", "Expected an id such as var_…"),
        (OpenSession, {"challenge_id": "chl_1", "code": "abcdef"}, "code", "Expected six digits"),
        (CreateShop, {"currency": "yuan"}, "currency", "Expected three capital letters such as CNY"),
        (AddAddress, {"address": {"country": "cn"}}, "country", "Expected two capital letters such as CN"),
        (CreateShop, {"owner_id": "me"}, "owner_id", "Expected an id such as per_…"),
    ],
)
def test_what_does_not_fit_is_told_in_words(message: Any, body: Any, name: str, words: str) -> None:
    """Whatever the decoder says with a pattern."""
    with pytest.raises(msgspec.ValidationError, match="matching regex") as error:
        msgspec.convert(body, message)
    assert plainly(str(error.value).rpartition(" - at `")[0], name) == words


@pytest.mark.parametrize("said", ["Expected `int`, got `str`", "Object missing required field `code`", "Expected `str` of length <= 100"])
def test_what_is_in_words_already_stays(said: str) -> None:
    """As the decoder said it."""
    assert plainly(said, "x") == said


def test_a_pattern_without_words_is_not_shown_either() -> None:
    """Of a domain that somebody adds."""
    assert plainly(r"Expected `str` matching regex '^a\\d$'", "x") == "Expected a text of another form"
