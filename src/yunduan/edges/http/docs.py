"""The documentation as a page: made on the server from the OpenAPI document, without any script, or style from elsewhere."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from yunduan.edges.http.samples import is_id
from yunduan.edges.http.wording import in_words

Json = Mapping[str, Any]
STYLE = (Path(__file__).parent / "docs.css").read_text("utf-8")
_OWNERS = {
    "anyone": "anyone",
    "self": "signed in, one's own",
    "record": "whose record it is",
    "shop": "staff of the shop",
    "operator": "operators",
}
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")


def docs_page(document: Json) -> str:
    """One page that shows every operation by its domain."""
    return _Page(document).html()


class _Page:
    def __init__(self, document: Json) -> None:
        self._document = document
        self._schemas: Json = document["components"]["schemas"]
        self._by_tag: dict[str, list[tuple[str, str, Json]]] = {tag["name"]: [] for tag in document["tags"]}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                self._by_tag[operation["tags"][0]].append((method.upper(), path, operation))

    def html(self) -> str:
        return (
            f'<!doctype html><html lang="en">{self._head()}<body id="top"><a class="skip" href="#main">Skip to content</a>{self._banner()}'
            f'<div class="columns">{self._menu()}<main id="main">{self._introduction()}{"".join(self._domains())}{self._all_schemas()}'
            "</main></div></body></html>"
        )

    def _head(self) -> str:
        return (
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="/docs/style.css">'
            f"<title>{escape(self._document['info']['title'])} API</title></head>"
        )

    def _banner(self) -> str:
        info = self._document["info"]
        return (
            f'<header><a class="brand" href="#top"><span class="cloud" aria-hidden="true"></span>{escape(info["title"])} '
            f'<span lang="zh">云端</span></a><span class="version">v{escape(info["version"])}</span>'
            '<a class="raw" href="/openapi.json">openapi.json</a></header>'
        )

    def _introduction(self) -> str:
        info = self._document["info"]
        count = sum(len(operations) for operations in self._by_tag.values())
        return (
            f'<section class="intro"><h1>API reference</h1><p class="lead">{escape(info["summary"])} '
            f"{count} operations in {len(self._by_tag)} domains.</p>{_paragraphs(info['description'])}</section>"
        )

    def _menu(self) -> str:
        def entries(operations: list[tuple[str, str, Json]]) -> str:
            return "".join(
                f'<li><a href="#{_anchor(operation)}"><span class="m {method.lower()}">{method}</span>'
                f"<span>{escape(operation['summary'])}</span></a></li>"
                for method, _, operation in operations
            )

        groups = "".join(
            f'<details open><summary><a href="#tag-{escape(tag)}">{escape(tag)}</a><i>{len(operations)}</i></summary>'
            f"<ul>{entries(operations)}</ul></details>"
            for tag, operations in self._by_tag.items()
        )
        return (
            '<nav aria-label="Operations"><details class="menu"><summary>All operations</summary></details>'
            f'<div class="groups">{groups}<p><a href="#schemas">Forms</a></p></div></nav>'
        )

    def _domains(self) -> Iterator[str]:
        for tag in self._document["tags"]:
            operations = "".join(self._operation(*it) for it in self._by_tag[tag["name"]])
            yield (
                f'<section class="domain" id="tag-{escape(tag["name"])}"><h2>{escape(tag["name"])}</h2>'
                f'<p class="lead">{_inline(tag["description"])}</p>{operations}</section>'
            )

    def _operation(self, method: str, path: str, operation: Json) -> str:
        owner = operation["x-yunduan-owner"]
        scopes = [scope for requirement in operation["security"] for scope in requirement["session"]]
        chips = [f'<span class="chip">{escape(_OWNERS[owner["kind"]])}</span>']
        chips += [f'<span class="chip role">{escape(role)}</span>' for role in owner["roles"]]
        chips += [f'<span class="chip scope">{escape(scope)}</span>' for scope in scopes]
        described = operation["description"] if operation["description"].strip().removesuffix(".") != operation["summary"] else ""
        told = self._parameters(operation) + self._body(operation) + self._answer(operation) + self._refusals(operation)
        example = _answer_example(operation)
        shown = _code("curl", _curl(method, path, operation)) + (_code("200", example) if example else "")
        return (
            f'<article id="{_anchor(operation)}"><h3>{escape(operation["summary"])}'
            f'<a class="link" href="#{_anchor(operation)}" aria-label="Link to this operation">#</a></h3>'
            f'<p class="line"><span class="m {method.lower()}">{method}</span><code class="path">{_path(path)}</code></p>'
            f'<p class="chips">{"".join(chips)}</p>{_paragraphs(described)}'
            f'<div class="halves"><div>{told}</div><div class="code">{shown}</div></div></article>'
        )

    def _parameters(self, operation: Json) -> str:
        rows = "".join(
            _row(it["name"], it["in"], self._kind(it["schema"]), it.get("description", ""), required=it["required"], schema=it["schema"])
            for it in operation.get("parameters", ())
        )
        return f"<h4>Parameters</h4>{_table(rows)}" if rows else ""

    def _body(self, operation: Json) -> str:
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return "<h4>Body</h4><p>As the sender signs it; see above.</p>" if content else ""
        return f"<h4>Body</h4>{self._fields(schema)}"

    def _answer(self, operation: Json) -> str:
        schema = _good(operation).get("application/json", {}).get("schema")
        if schema is None:
            return "<h4>Answer</h4><p>A PDF.</p>"
        return f"<h4>Answer</h4><p>{self._kind(schema)}</p>"

    def _fields(self, schema: Json) -> str:
        reference = schema.get("$ref")
        inside = self._schemas[reference.rpartition("/")[2]] if reference else schema
        required = inside.get("required", ())
        if "enum" in inside:
            return "<p>" + " ".join(f"<code>{escape(str(value))}</code>" for value in inside["enum"]) + "</p>"
        rows = "".join(
            _row(name, "", self._kind(field), field.get("description", ""), required=name in required, schema=field)
            for name, field in inside.get("properties", {}).items()
        )
        return _table(rows) if rows else f"<p>{self._kind(inside)}</p>"

    def _refusals(self, operation: Json) -> str:
        rows = ""
        for status, response in operation["responses"].items():
            if status == "200":
                continue
            reference = response.get("$ref")
            resolved = self._document["components"]["responses"][reference.rpartition("/")[2]] if reference else response
            codes = resolved["content"]["application/problem+json"]["examples"]
            told = "".join(f"<dt><code>{escape(code)}</code></dt><dd>{_inline(example['summary'])}</dd>" for code, example in codes.items())
            own = "" if reference else ' class="own"'
            rows += f"<tr{own}><td>{status}</td><td><dl>{told}</dl></td></tr>"
        return f'<details class="no"><summary>What it may be refused with</summary><table><tbody>{rows}</tbody></table></details>'

    def _kind(self, schema: Json) -> str:
        """A type in words, with links to what it is made of."""
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return " or ".join(self._kind(choice) for choice in choices)
        if "enum" in schema:
            return " or ".join(f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>" for value in schema["enum"])
        kind = "id" if is_id(schema) else schema.get("type", "anything")
        if kind == "array":
            items = schema.get("items") or {}
            return f"list of {self._kind(items)}" if isinstance(items, Mapping) and items else "list"
        if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            return f"by key: {self._kind(schema['additionalProperties'])}"
        words = {"integer": "whole number", "string": "text", "boolean": "true or false", "null": "nothing", "number": "number"}
        return escape(words.get(str(kind), str(kind)))

    def _all_schemas(self) -> str:
        parts = "".join(
            f'<article class="schema" id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
            f"{_paragraphs(schema.get('description', ''))}{self._fields(schema)}</article>"
            for name, schema in self._schemas.items()
        )
        return (
            f'<section class="domain" id="schemas"><h2>Forms</h2><p class="lead">What bodies and answers are made of.</p>{parts}</section>'
        )


def _anchor(operation: Json) -> str:
    return "op-" + escape(str(operation["operationId"]))


def _path(path: str) -> str:
    return re.sub(r"\{(\w+)\}", r"<b>{\1}</b>", escape(path).replace("/", "/<wbr>"))


def _inline(text: str) -> str:
    return _INLINE.sub(lambda m: f"<code>{m[1]}</code>" if m[1] else f"<strong>{m[2]}</strong>", escape(text, quote=False))


def _paragraphs(text: str) -> str:
    html = ""
    for block in filter(None, (block.strip() for block in text.split("\n\n"))):
        if block.startswith("- "):
            items = re.split(r"\n(?=- )", block)
            html += "<ul>" + "".join(f"<li>{_inline(' '.join(item[2:].split()))}</li>" for item in items) + "</ul>"
        else:
            html += f"<p>{_inline(' '.join(block.split()))}</p>"
    return html


def _alone(schema: Json) -> Json:
    """What something is when it is anything, where it may also be nothing; itself otherwise."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    return {**choices[0], "default": schema.get("default")} if len(choices) == 1 else schema


def _limits(schema: Json, name: str) -> str:
    said = [*_bounds(schema, "minimum", "maximum", ""), *_bounds(schema, "minLength", "maxLength", " characters")]
    said += _bounds(schema, "minItems", "maxItems", " items")
    said.append(in_words(_pattern(schema), name))
    if schema.get("default") not in (None, "", []):
        said.append(f"default <code>{escape(json.dumps(schema['default'], ensure_ascii=False))}</code>")
    return ", ".join(filter(None, said))


def _pattern(schema: Json) -> str:
    """Of a text, or of the texts in a list."""
    items = schema.get("items")
    return str(schema.get("pattern") or (_pattern(items) if isinstance(items, Mapping) else ""))


def _bounds(schema: Json, least: str, most: str, what: str) -> list[str]:
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return []
    if low is None or high is None:
        return [f"at least {low}{what}" if high is None else f"at most {high}{what}"]
    return [f"exactly {low}{what}" if low == high else f"{low} to {high}{what}"]


def _row(name: str, where: str, kind: str, text: str, *, required: bool, schema: Json) -> str:
    need = '<em class="need">required</em>' if required else "<em>optional</em>"
    place = f"<small>{escape(where)}</small>" if where else ""
    alone = _alone(schema)
    limits = _limits(alone, name)
    text = text or alone.get("description", "")
    detail = f"<p>{_inline(text)}</p>" if text and not is_id(alone) else ""  # what every id is, is said once, at the top
    return (
        f"<tr><th scope=row><code>{escape(name)}</code>{place}{need}</th>"
        f"<td>{kind}{detail}{f'<p class=limits>{limits}</p>' if limits else ''}</td></tr>"
    )


def _table(rows: str) -> str:
    return f'<table class="fields"><tbody>{rows}</tbody></table>'


def _code(title: str, text: str) -> str:
    return f'<figure><figcaption>{escape(title)}</figcaption><pre tabindex="0"><code>{escape(text)}</code></pre></figure>'


def _curl(method: str, path: str, operation: Json) -> str:
    parts = ["curl" if method == "GET" else f"curl -X {method}"]
    for parameter in operation.get("parameters", ()):
        example = parameter.get("example")
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(example))
        elif parameter["in"] == "header":
            parts.append(f"-H '{parameter['name']}: {example}'")
    if "application/pdf" in _good(operation):
        parts.append(f"--output {path.rpartition('/')[2]}.pdf")
    if operation["security"]:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        text = json.dumps(body["example"], ensure_ascii=False, indent=2).replace("\n", "\n  ")
        parts += ["-H 'Content-Type: application/json'", "-d '" + text.replace("'", "'\\''") + "'"]
    address = path + _query(operation)
    return " \\\n  ".join((*parts, f'"$CLOUD{address}"'))


def _query(operation: Json) -> str:
    """What an address asks for in the example: what it must, or the first thing that is worth showing."""
    asked = [it for it in operation.get("parameters", ()) if it["in"] == "query"]
    told = [(it["name"], it["example"]) for it in asked if it["required"]]
    told = told or [(it["name"], it["example"]) for it in asked if it.get("example") is not None][:1]
    parts = [f"{name}={quote(','.join(value) if isinstance(value, list) else str(value), safe=',:')}" for name, value in told]
    return "?" + "&".join(parts) if parts else ""


def _good(operation: Json) -> Json:
    """What it is answered with when it is done, by media type."""
    found: Json = operation["responses"]["200"]["content"]
    return found


def _answer_example(operation: Json) -> str:
    found = _good(operation).get("application/json")
    return json.dumps(found["example"], ensure_ascii=False, indent=2) if found else ""
