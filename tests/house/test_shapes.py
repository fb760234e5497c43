"""One shape for every list, one name for every id: what a program that has read one route may take for granted of all (0043)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from yunduan.cloud import DOMAINS
from yunduan.edges.http.openapi import openapi_document
from yunduan.runtime import domain as runtime
from yunduan.runtime.registry import Registry

DOCUMENT = openapi_document(Registry((*DOMAINS, runtime.DOMAIN) if runtime.DOMAIN not in DOMAINS else DOMAINS))
ROUTES = [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods]
LISTS_OF_ONE_SHOP = {"settings": "the settings of a shop are one thing"}
"""Last words of a path that end in `s` and are no list."""
WITHOUT_AN_ID = {
    "StaffMember": "works there by a role: the person's id is all there is",
    "RolesHeld": "the same, after a change",
    "MyReport": "one person's report of one review",
    "ReportKept": "the same, when it is made",
    "ShelfLine": "a variant at a location",
    "BookedNow": "a line of a statement, by the name that its provider has for it",
    "WaitLine": "one person's wait for a variant",
    "QueryAsked": "a text, and nothing besides",
    "PopularQuery": "the same",
    "RecentQuery": "the same",
    "Suggestion": "names a category, a shop or goods, and is nothing by itself",
    "ShopMoney": "what a shop has after a movement",
}
"""What is in lists, or answers a POST, names other records, and has no id of its own."""
OWN = {"id", "seq", "number", "parcel"}
"""A record's own name: among all, or within what it belongs to."""
ID = re.compile(r"\^(\[a-z\]\{3\}|[a-z]{3})_\[[0-9a-z-]+\]\{[0-9,]+\}\(\?!\[\\s\\S\]\)")
"""The pattern of an id, in full."""
IDS = re.compile(r"\^\((\[a-z\]\{3\}_\[0-9a-z\]\{1,40\})\(,\1\)")
OTHER_CURSORS = {"before", "next", "start", "cursor", "offset", "page", "since_id"}


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference stands for."""
    reference = schema.get("$ref")
    return resolved(DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]) if reference else schema


def kinds(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema, or each of those that it may be."""
    schema = resolved(schema)
    if "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from kinds(one)
    else:
        yield schema


def is_id(schema: Mapping[str, Any]) -> bool:
    """Whether it is a record's id, or nothing."""
    return any(ID.fullmatch(str(kind.get("pattern", ""))) for kind in kinds(schema))


def is_ids(schema: Mapping[str, Any]) -> bool:
    """Whether it is a list of ids, or of ids in a query, separated by commas."""
    return any(("items" in kind and is_id(kind["items"])) or IDS.match(str(kind.get("pattern", ""))) for kind in kinds(schema))


def objects(schema: Mapping[str, Any], inside: str, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object within a schema, with the name of the field that it is in."""
    for kind in kinds(schema):
        title = str(kind.get("title", ""))
        if "items" in kind:
            yield from objects(kind["items"], inside, seen)
        if isinstance(kind.get("additionalProperties"), Mapping):
            yield from objects(kind["additionalProperties"], inside, seen)
        if "properties" in kind and (not title or title not in seen):
            yield inside, kind
            for name, field in kind["properties"].items():
                yield from objects(field, inside if name == "items" else name, seen | {title})


class Operation:
    """One route as it is described."""

    def __init__(self, route: str) -> None:
        """Find it by method and path."""
        self.method, self.path = route.split(" ")
        self.said = DOCUMENT["paths"][self.path][self.method.lower()]
        self.parameters = {it["name"]: it["schema"] for it in self.said.get("parameters", ()) if it["in"] != "header"}
        content = self.said["responses"]["200"].get("content", {})
        self.answer = content.get("application/json", {}).get("schema", {})
        asked = self.said.get("requestBody", {}).get("content", {})
        self.body = asked.get("application/json", {}).get("schema", {})

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of the answer."""
        found: Mapping[str, Any] = resolved(self.answer).get("properties", {})
        return found

    @property
    def last(self) -> str:
        """The path's last word."""
        return self.path.rpartition("/")[2]

    @property
    def within(self) -> str:
        """What the answer is of, by the path."""
        return next(word for word in reversed(self.path.split("/")) if not word.startswith("{")).rpartition("-")[2]


def singulars(word: str) -> set[str]:
    """What one of several is called, and the word itself."""
    return {word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"}


@pytest.mark.parametrize("route", ROUTES)
def test_a_list_is_an_object_with_items(route: str) -> None:
    """Never a bare array; and what is a list by its path has its records there."""
    it = Operation(route)
    if not it.answer:
        return  # a paper
    assert all(kind.get("type") != "array" for kind in kinds(it.answer)), "a bare array can never say more than it does"
    named = it.method == "GET" and it.last.endswith("s") and it.last not in LISTS_OF_ONE_SHOP
    if named or "limit" in it.parameters or "after" in it.fields:
        assert any(kind.get("type") == "array" for kind in kinds(it.fields.get("items", {}))), "a list has `items`"


@pytest.mark.parametrize("route", ROUTES)
def test_a_list_in_pages_goes_on_after_what_it_has_said(route: str) -> None:
    """`limit` and `after` are asked with, `after` is answered, and there is no other cursor."""
    it = Operation(route)
    assert not OTHER_CURSORS & {*it.parameters, *(it.fields if "items" in it.fields else ())}
    if it.method == "GET":
        assert ("limit" in it.parameters) == ("after" in it.parameters) == ("after" in it.fields)
    if "after" in it.fields:
        asked, told = ({kind["type"] for kind in kinds(side["after"])} - {"null"} for side in (it.parameters, it.fields))
        assert asked == told, "what was answered can be asked with"


@pytest.mark.parametrize("route", ROUTES)
def test_an_id_is_called_so(route: str) -> None:
    """A record's own id is `id`; another's ends in `_id`, several in `_ids`; nothing else is called so."""
    it = Operation(route)
    found = [("", {"properties": it.parameters}), *objects(it.answer, it.within), *objects(it.body, it.within)]
    for inside, schema in found:
        for name, field in schema["properties"].items():
            if name == "after":
                continue  # a place in a list, whatever it is made of
            where = f"{schema.get('title', '')}.{name}"
            assert is_id(field) == (name == "id" or name.endswith("_id")), f"{where} is {'' if is_id(field) else 'no '}id"
            assert is_ids(field) == name.endswith("_ids"), f"{where}: several ids end in `_ids`, and nothing else does"
            assert not (name.endswith("_id") and name[:-3] in singulars(inside)), f"{where}: its own id is `id`"


@pytest.mark.parametrize("route", ROUTES)
def test_what_has_an_id_says_it_as_its_own(route: str) -> None:
    """The record that a path names, each of a list, and what a POST has made or moved."""
    it = Operation(route)
    if it.method == "GET" and it.last.endswith("_id}") and "id" not in it.fields:
        record = resolved(it.fields.get(it.last[1:-4], {}))
        assert "id" in record.get("properties", {}), f"what {it.last} names has an `id`"
    records = [resolved(it.fields["items"]["items"])] if "items" in it.fields.get("items", {}) else []
    records += [resolved(it.answer)] if it.method == "POST" else []
    for record in records:
        names = set(record.get("properties", ()))
        if any(name.endswith("_id") for name in names) and not names & OWN:
            assert record["title"] in WITHOUT_AN_ID, f"{record['title']} has no `id`"


def test_what_needs_no_id_is_still_there() -> None:
    """An exception that nothing needs is struck out."""
    titles = {title for title, schema in DOCUMENT["components"]["schemas"].items() if not OWN & set(schema.get("properties", ()))}
    assert set(WITHOUT_AN_ID) <= titles
    assert set(LISTS_OF_ONE_SHOP) <= {Operation(route).last for route in ROUTES}
