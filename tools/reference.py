"""Tables of commands, refusals, facts, queries, routes and settings, and diagrams of states: `python tools/reference.py [--check]`.

With `--check` nothing is written; the exit code is 1 when a table lags behind the code.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from yunduan.cloud import DOMAINS
from yunduan.domains.catalog.applications import APPLICATION_MOVES
from yunduan.domains.catalog.life import GOODS_MOVES
from yunduan.domains.catalog.model import HOLD_MOVES
from yunduan.domains.identity.model import Language
from yunduan.domains.notices.causes import CAUSES, UNTOLD, By, Tell
from yunduan.domains.notices.model import USUAL_WAYS, NoticeKind, Way
from yunduan.domains.notices.templates import TEMPLATES
from yunduan.domains.orders.cases import BY_SILENCE, CASE_MOVES, DEADLINES_MS
from yunduan.domains.orders.model import MOVES
from yunduan.domains.payments.model import PAYMENT_MOVES
from yunduan.domains.payments.model.chargebacks import CHARGEBACK_MOVES
from yunduan.domains.payments.unclaimed import UNCLAIMED_MOVES
from yunduan.edges.http.problems import MEANINGS, STATUS_OF, status_of
from yunduan.kernel.refusals import KeyRefusal, RefusalCode
from yunduan.runtime.registry import Domain, Registry, Route
from yunduan.runtime.settings import reference as settings_reference

DAY_MS = 86_400_000
FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Made by tools/reference.py from the code: change the code, then `make docs`. -->\n"


def first_sentence(documented: type) -> str:
    """What a class promises, in one line."""
    return cell((documented.__doc__ or "").split("\n\n")[0])


def cell(text: str) -> str:
    """A text as it stands in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def fields(message: type[msgspec.Struct]) -> str:
    """The fields of a message, those with a default in brackets."""
    return ", ".join(f"`{f.name}`" if f.required else f"[`{f.name}`]" for f in msgspec.structs.fields(message)) or "–"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def commands(domains: tuple[Domain, ...]) -> str:
    """Every command: what it asks, and what it may be refused with."""
    about = "What can be asked of the cloud. A field in brackets may be left out. ¥: its key is never forgotten, because it moves money.\n"
    parts = ["# Commands\n", about]
    for domain in domains:
        rows = []
        for handler in domain.commands:
            message = handler.handles  # type: ignore[attr-defined]
            refuses = ", ".join(f"`{code}`" for code in sorted(message.refuses)) or "–"
            rows.append((f"`{message.__name__}`{' ¥' if message.spends_key else ''}", first_sentence(message), fields(message), refuses))
        if rows:
            parts += [f"\n## {domain.name}\n", table(("command", "asks", "fields", "may be refused with"), rows)]
    return "\n".join(parts)


def queries(domains: tuple[Domain, ...]) -> str:
    """Every query."""
    parts = ["# Queries\n", "What can be read.\n"]
    for domain in domains:
        rows = [(f"`{q.answers.__name__}`", first_sentence(q.answers), fields(q.answers)) for q in domain.queries]  # type: ignore[attr-defined]
        if rows:
            parts += [f"\n## {domain.name}\n", table(("query", "reads", "fields"), rows)]
    return "\n".join(parts)


def refusals(domains: tuple[Domain, ...]) -> str:
    """Every code that a client may meet: its status over HTTP, what it means, and which commands and queries use it."""
    used: dict[RefusalCode, set[str]] = {}
    for domain in domains:
        messages = [h.handles for h in domain.commands] + [q.answers for q in domain.queries]  # type: ignore[attr-defined]
        for message in messages:
            for code in message.refuses:
                used.setdefault(code, set()).add(message.__name__)
    by_message = [
        (f"`{code}`", str(status_of(code)), cell(code.meaning), ", ".join(f"`{name}`" for name in sorted(names)))
        for code, names in sorted(used.items())
    ]
    by_key = [(f"`{code}`", str(status_of(code)), cell(code.meaning)) for code in KeyRefusal]
    by_edge = [(f"`{code}`", str(status), cell(MEANINGS[code])) for code, status in STATUS_OF.items()]
    head = ("code", "status", "means")
    parts = [
        "# Refusals\n",
        "Stable codes of a no: `not_allowed` is 403, `…_not_found` 404, `too_many_…` (too often: wait) 429, every other refusal 409.\n",
        "## By what is asked\n",
        "Decided by the command or the query; a command's are kept under its key.\n",
        table((*head, "of"), by_message),
        "## By the key\n",
        "Of every change that takes a key.\n",
        table(head, by_key),
        "## By the edge\n",
        "Before a message is made of the request, or when its outcome could not be told; kept under no key.\n",
        table(head, by_edge),
    ]
    return "\n".join(parts)


def facts(domains: tuple[Domain, ...]) -> str:
    """Every fact."""
    parts = ["# Facts\n", "What has happened; written in the transaction that made it so, never changed, heard at least once.\n"]
    for domain in domains:
        rows = [(f"`{fact.__name__}`", first_sentence(fact), fields(fact)) for fact in domain.facts]
        if rows:
            parts += [f"\n## {domain.name}\n", table(("fact", "tells", "fields"), rows)]
    return "\n".join(parts)


def routes(domains: tuple[Domain, ...]) -> str:
    """Every route: who may call it, and what the caller may set."""

    def row(route: Route) -> tuple[str, ...]:
        roles = f" ({', '.join(route.owner.roles)})" if route.owner.roles else ""
        client = ", ".join(f"`{name}`" for name in route.client) or "–"
        return (
            f"`{route.method} /v1{route.path}`",
            f"`{route.message.__name__}`",
            f"{route.owner.kind}{roles}",
            route.scope or "–",
            client,
        )

    about = "Where messages are reached. What is not here may not be called, and what is not named as set by the caller may not be set.\n"
    parts = ["# Routes\n", about]
    for domain in domains:
        if domain.routes:
            parts += [
                f"\n## {domain.name}\n",
                table(("route", "message", "who", "scope", "the caller sets"), [row(r) for r in domain.routes]),
            ]
    return "\n".join(parts)


def states() -> str:
    """Every table of steps: what leads from one state to another as a diagram, what leaves things where they are as a table."""
    machines: dict[str, tuple[str, Iterable[Arrow]]] = {
        "Goods": ("draft", [(move.state, move.next, move.step, _by(move.who, move.given)) for move in GOODS_MOVES]),
        "Application for a shop": ("waiting", [(move.state, move.next, move.step, move.who) for move in APPLICATION_MOVES]),
        "Hold of stock": ("held", [(state, to, "", "") for state, all_of in HOLD_MOVES.items() for to in sorted(all_of)]),
        "Payment over a channel": ("pending", [(move.state, move.next, move.event, move.who) for move in PAYMENT_MOVES]),
        "Order": ("placed", [(move.state, move.next, move.step, move.who) for move in MOVES]),
        "Money that a channel would not give back": ("waiting", [(m.state, m.next, m.event, m.who) for m in UNCLAIMED_MOVES]),
        "Case after the sale": ("asked", [(move.state, move.next, move.event, move.who) for move in CASE_MOVES]),
        "Chargeback": ("open", [(move.state, move.next, move.event, move.who) for move in CHARGEBACK_MOVES]),
    }
    parts = ["# States\n", "Every step that there is, and in brackets who takes it; whatever is neither drawn nor listed is refused.\n"]
    for name, (first, moves) in machines.items():
        leading = _said([move for move in moves if move[0] != move[1]])
        staying = _said([move for move in moves if move[0] == move[1]])
        lines = ["```mermaid", "stateDiagram-v2", "    direction TB", f"    [*] --> {first}"]
        lines += [f"    {state} --> {to}{f': {BREAK.join(said)}' if any(said) else ''}" for (state, to), said in leading.items()]
        parts += [f"\n## {name}\n", "\n".join([*lines, "```\n"])]
        if staying:
            rows = [(f"`{state}`", ", ".join(said)) for (state, _), said in staying.items()]
            parts += ["Steps that leave it where it is:\n", table(("in the state", "steps"), rows)]
    days = [
        (f"`{state}`", str(ms // DAY_MS), " or ".join(f"`{event}`" for event in BY_SILENCE[state])) for state, ms in DEADLINES_MS.items()
    ]
    parts += ["\nWhen nobody has said anything in a case for so long, the cloud takes the step:\n"]
    parts += [table(("in the state", "days", "step of the cloud"), days)]
    return "\n".join(parts)


Arrow = tuple[str, str, str, str]
"""From a state to a state, by a step, taken by somebody."""
BREAK = "<br/>"
"""Ends a line of an arrow's text."""


def _said(moves: Iterable[Arrow]) -> dict[tuple[str, str], list[str]]:
    """What stands at each arrow: every step once, with all who may take it."""
    who: dict[tuple[str, str], dict[str, list[str]]] = {}
    for state, to, step, by in moves:
        who.setdefault((state, to), {}).setdefault(step, []).append(by)
    return {
        place: [f"{step} ({', '.join(dict.fromkeys(names))})" if any(names) else step for step, names in steps.items()]
        for place, steps in who.items()
    }


def _by(who: str, given: str) -> str:
    """Who takes a step, and what is so when it leads there."""
    return ", ".join(filter(None, (who, given)))


def notices() -> str:
    """Who is told what, why, and in which words."""

    def of(fact: type, tell: Tell, kind: NoticeKind) -> str:
        values = [str(value) for value, made in tell.kind.kinds.items() if made is kind] if isinstance(tell.kind, By) else []
        by = [f"`{tell.kind.field}` is {' or '.join(values)}"] if isinstance(tell.kind, By) else []
        return ", ".join([f"`{fact.__name__}`", *by, *([tell.only.said] if tell.only else [])])

    rows = []
    for kind, words in TEMPLATES.items():
        due = [(cause.fact, tell) for cause in CAUSES for tell in cause.tells if kind in tell.kinds()]
        letter = ", ".join(way for way in USUAL_WAYS[kind] if way is not Way.IN_APP) or "–"
        to = "; ".join(dict.fromkeys(tell.to.said for _, tell in due))
        told_of = "; ".join(dict.fromkeys(of(fact, tell, kind) for fact, tell in due))
        texts = "<br>".join(f"**{words[language].title}** {cell(words[language].text)}" for language in Language)
        rows.append((f"`{kind}`", to, told_of, letter, texts))
    parts = [
        "# Notices\n",
        "Who is told what, of which fact, by which letter besides the app unless they say otherwise, and in which words.\n",
        table(("notice", "told to", "of the fact", "letter", "words"), rows),
        "\n## What nobody is told\n",
        table(("fact", "because"), [(f"`{fact.__name__}`", reason) for fact, reason in UNTOLD.items()]),
    ]
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """Every page by its name."""
    domains = Registry(DOMAINS).domains
    made = {"commands": commands, "queries": queries, "refusals": refusals, "facts": facts, "routes": routes}
    return {name: make(domains) for name, make in made.items()} | {
        "settings": settings_reference(),
        "states": states(),
        "notices": notices(),
    }


def main() -> int:
    """Write the pages, or say which of them lag."""
    lagging = []
    for name, text in pages().items():
        path, whole = FOLDER / f"{name}.md", NOTE + text.rstrip() + "\n"
        if not path.exists() or path.read_text() != whole:
            lagging.append(path.name)
            if "--check" not in sys.argv:
                FOLDER.mkdir(parents=True, exist_ok=True)
                path.write_text(whole)
    if lagging and "--check" in sys.argv:
        print(f"docs/reference lags behind the code: {', '.join(lagging)}; run `make docs`")
        return 1
    print(f"docs/reference: {len(lagging)} pages written" if lagging else "docs/reference is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
