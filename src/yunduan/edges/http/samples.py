"""Sample values that fit a schema, the same at every build: what the examples of the documentation are made of."""

import re
from collections.abc import Mapping
from typing import Any

from yunduan.edges.http import story

try:
    from re import _constants as parts  # type: ignore[attr-defined] # Python's own reader of patterns
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # pragma: no cover - Python without it has the older names
    import sre_constants as parts
    import sre_parse as parser

Schema = Mapping[str, Any]
_ID_PATTERN = re.compile(r"^\^\[a-z\]\{3\}_")
_DEPTH_MAX = 12
_WORDS = "Yunduan example text "


class Samples:
    """Makes samples of the schemas of one document."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        """Follow references into these."""
        self._components = components

    def of(self, schema: Schema, *, name: str = "", form: str = "", depth: int = 0) -> Any:  # noqa: PLR0911 - a line for each kind
        """A value that fits: the story's, the declaration's, or one that is made; `name` is the field's, and `form` what holds it."""
        if f"{form}.{name}" in story.FIELDS:
            return story.FIELDS[f"{form}.{name}"]
        if reference := schema.get("$ref"):
            return self._component(reference.rpartition("/")[2], name, depth)
        if is_id(schema):
            return story.id_of(story.prefix_of(name, form) or "obj")
        if schema.get("examples"):
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self._chosen(choices, name, depth)
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, name, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        told = story.FIELDS.get(name)
        return told if _is_of(kind, told) else _plain(kind, schema, name)

    def _component(self, component: str, name: str, depth: int) -> Any:
        schema = self._components[component]
        if "enum" in schema:
            return story.FIELDS.get(component, schema["enum"][0])
        return self.of(schema, name=component.rpartition(".")[2] if schema.get("type") == "object" else name, depth=depth + 1)

    def _chosen(self, choices: list[Schema], name: str, depth: int) -> Any:
        nothing = any(choice.get("type") == "null" for choice in choices)
        if nothing and (depth > _DEPTH_MAX or story.FIELDS.get(name, "") is None):
            return None
        first = next((choice for choice in choices if choice.get("type") != "null"), choices[0])
        return self.of(first, name=name, depth=depth + 1)

    def _object(self, schema: Schema, form: str, depth: int) -> Any:
        """`form` is the form's name, or that of the field that holds it."""
        fields = schema.get("properties")
        if fields is None:
            inside = schema.get("additionalProperties")
            key = self.of({"type": "string", **schema.get("propertyNames", {})}, depth=depth + 1)
            return {key: self.of(inside, depth=depth + 1)} if isinstance(inside, Mapping) and depth < _DEPTH_MAX else {}
        required = schema.get("required", ())
        return {
            name: self.of(field, name=name, form=form, depth=depth + 1)
            if name in required or f"{form}.{name}" in story.FIELDS or _tells(field)
            else field["default"]
            for name, field in fields.items()
            if name in required or _tells(field) or "default" in field
        }

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        if isinstance(told := story.FIELDS.get(name), list):
            return told
        if "prefixItems" in schema:
            return [self.of(item, depth=depth + 1) for item in schema["prefixItems"]]
        items = schema.get("items")
        if not isinstance(items, Mapping) or (depth > _DEPTH_MAX and not schema.get("minItems")):
            return []
        singular = name.removesuffix("s")
        return [self.of(items, name=singular, depth=depth + 1)] * max(1, schema.get("minItems", 0))


def is_id(schema: Schema) -> bool:
    """Whether a text is a prefixed id."""
    return bool(_ID_PATTERN.match(str(schema.get("pattern", ""))))


def _tells(field: Schema) -> bool:
    """Whether an optional field is worth showing: it, or what it is when it is anything, has an example of its own."""
    return any(choice.get("examples") for choice in (field, *field.get("anyOf", ())))


def _is_of(kind: Any, told: Any) -> bool:
    return isinstance(told, {"string": str, "integer": int}.get(kind, ())) and not isinstance(told, bool)


def _plain(kind: Any, schema: Schema, name: str) -> Any:
    if kind == "string":
        return _text(schema)
    if kind == "integer":
        return _whole(schema, name)
    return {"number": float(schema.get("minimum", 0) or 0), "boolean": True, "null": None}.get(kind, {})


def _whole(schema: Schema, name: str) -> int:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2**53) - 1)
    wanted = story.AT_MS if name in {"at", "due"} or name.endswith("_at") else 1
    return int(min(max(wanted, least), most))


def _text(schema: Schema) -> str:
    if schema.get("contentEncoding") == "base64":
        return "eXVuZHVhbg=="
    if schema.get("format") == "date-time":
        return "2026-09-21T14:13:20Z"
    pattern = schema.get("pattern")
    least, most = schema.get("minLength", 0), schema.get("maxLength", 64)
    words = (_WORDS * (least // len(_WORDS) + 1))[: max(least, min(most, len("Yunduan")))]
    return matching(str(pattern), int(least)) if pattern and not re.search(pattern, words) else words


def matching(pattern: str, length_min: int = 0) -> str:
    """A short text that a regular expression matches; what may be repeated is, until the text is long enough."""
    for more in range(length_min + 1):
        text = "".join(_piece(op, argument, more) for op, argument in parser.parse(pattern))
        if len(text) >= length_min and re.search(pattern, text):
            return text
    return ""


def _piece(op: Any, argument: Any, more: int) -> str:  # noqa: PLR0911 - one line for each kind of piece
    if op is parts.LITERAL:
        return chr(argument)
    if op in (parts.ANY, parts.NOT_LITERAL):
        return "a" if argument != ord("a") else "b"
    if op is parts.IN:
        return _member(argument)
    if op in (parts.MAX_REPEAT, parts.MIN_REPEAT):
        least, most, inner = argument
        return "".join(_piece(part[0], part[1], 0) for part in inner) * int(min(most, max(least, more or least)))
    if op is parts.SUBPATTERN:
        return "".join(_piece(part[0], part[1], more) for part in argument[3])
    if op is parts.BRANCH:
        return "".join(_piece(part[0], part[1], more) for part in argument[1][0])
    return ""


def _member(members: list[Any]) -> str:
    if members[0][0] is parts.NEGATE:
        return next((char for char in "a1 -A" if not _among(char, members[1:])), "~")
    op, argument = members[0]
    if op is parts.RANGE:
        return chr(argument[0])
    if op is parts.CATEGORY:
        return {parts.CATEGORY_DIGIT: "1", parts.CATEGORY_SPACE: " "}.get(argument, "a")
    return chr(argument)


def _among(char: str, members: list[Any]) -> bool:
    code = ord(char)
    spaces = any(op is parts.CATEGORY and argument is parts.CATEGORY_SPACE for op, argument in members)
    digits = any(op is parts.CATEGORY and argument is parts.CATEGORY_DIGIT for op, argument in members)
    literal = any(op is parts.LITERAL and argument == code for op, argument in members)
    ranged = any(op is parts.RANGE and argument[0] <= code <= argument[1] for op, argument in members)
    return literal or ranged or (spaces and char.isspace()) or (digits and char.isdigit())
