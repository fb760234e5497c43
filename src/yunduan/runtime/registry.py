"""How a domain declares itself: handlers, answers, followers, routes and migrations, as data."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from yunduan.kernel.messages import Command, Fact, Query
from yunduan.kernel.refusals import invariant
from yunduan.runtime.ports import Table

Function = TypeVar("Function", bound=Callable[..., Any])
Wanted = Iterable[tuple[Table[Any, Any], Any]]
"""Rows, each by its table and its key."""
Reads = Callable[[Any, Any, Any], Iterable[Wanted]]


def handles(message: type[Command[Any]], *, reads: Reads | None = None) -> Callable[[Function], Function]:
    """Mark the function that carries out a command.

    `reads(command, actor, tx)` names the rows that it will surely want, round after round, so that they are fetched for a whole
    batch at once; a round may `tx.get` what the rounds before it have named. It is an advance, never a condition.
    """

    def mark(function: Function) -> Function:
        function.handles = message  # type: ignore[attr-defined]
        function.reads = reads  # type: ignore[attr-defined]
        return function

    return mark


def answers(message: type[Query[Any]]) -> Callable[[Function], Function]:
    """Mark the function that answers a query."""

    def mark(function: Function) -> Function:
        function.answers = message  # type: ignore[attr-defined]
        return function

    return mark


def hears(fact: type[Fact]) -> Callable[[Function], Function]:
    """Mark the function that follows a fact: `on_<fact>(tx, facts)`, given runs of one kind in order, at least once."""

    def mark(function: Function) -> Function:
        function.hears = fact  # type: ignore[attr-defined]
        return function

    return mark


class Ownership(StrEnum):
    """Whose data a route touches."""

    ANYONE = "anyone"
    SELF = "self"
    RECORD = "record"
    SHOP = "shop"
    OPERATOR = "operator"


class Owner(Struct, frozen=True):
    """Who may call: the rule that the edge (or, for a record, the handler) enforces and the authorisation matrix executes."""

    kind: Ownership
    roles: tuple[str, ...] = ()

    @classmethod
    def shop(cls, *roles: str) -> "Owner":
        """Staff of the shop named in the path, in one of these roles."""
        return cls(Ownership.SHOP, tuple(roles))

    @classmethod
    def operator(cls, *roles: str) -> "Owner":
        """Operators of the marketplace, in one of these roles."""
        return cls(Ownership.OPERATOR, tuple(roles))


ANYONE = Owner(Ownership.ANYONE)
"""Nobody needs to sign in."""
SELF = Owner(Ownership.SELF)
"""Whoever is signed in, and only what is theirs: the handler finds it by `tx.actor`, never by an id from outside."""
RECORD = Owner(Ownership.RECORD)
"""Whoever the named record belongs to; to everybody else it is as if it were not there (404)."""


class Route(Struct, frozen=True):
    """One row of a domain's route table: where a message is reached and who may send it.

    `client` names every field that the caller may set in the body (or the query string); a field is there, in the path, or
    the build fails. `reveals(answer, port)` may add to an answer what must not be stored, such as a token; `port(kind)` is what
    is joined to a protocol. `takes(path, headers, body, port)` makes the message from a request whose body is not ours to shape
    (a channel's notification); header names are in lower case. What `streams` can be asked for as server-sent events as well. What is
    `printed` is answered as a PDF that the edge makes of the message's answer.
    """

    method: str
    path: str
    message: type[Command[Any]] | type[Query[Any]]
    scope: str | None
    owner: Owner
    client: tuple[str, ...] = ()
    summary: str = ""
    takes_key: bool = True
    streams: bool = False
    printed: bool = False
    body_bytes_max: int = 0
    """How large a body may be that says its size beforehand; 0: as large as any other."""
    reveals: Callable[[Any, Any], Any] | None = None
    takes: Callable[[Mapping[str, Any], Mapping[str, str], bytes, Any], Command[Any]] | None = None

    def in_path(self) -> tuple[str, ...]:
        """The fields that the path names."""
        return tuple(re.findall(r"{(\w+)}", self.path))


class Follower(Struct, frozen=True):
    """Functions that read facts in order from one cursor; what they write and the cursor commit together."""

    name: str
    hears: tuple[Callable[..., None], ...]


class JobKind(Struct, frozen=True):
    """Bulk work done a step at a time: `step(tx, state)` does some, in one transaction, and answers how far it is.

    One of a kind runs at a time. What has an `every_ms` is begun by the cloud itself so long after the last one has ended.
    """

    name: str
    step: Callable[[Any, bytes], "Progress"]
    every_ms: int = 0


class Progress(Struct, frozen=True, kw_only=True):
    """How far a job has come; `state` is what the next step is given."""

    done: int
    total: int
    state: bytes = b""
    finished: bool = False


class Domain(Struct, frozen=True, kw_only=True):
    """Everything that a domain shows to the composition root."""

    name: str
    package: str
    commands: tuple[Callable[..., Any], ...] = ()
    queries: tuple[Callable[..., Any], ...] = ()
    facts: tuple[type[Fact], ...] = ()
    followers: tuple[Follower, ...] = ()
    routes: tuple[Route, ...] = ()
    jobs: tuple[JobKind, ...] = ()
    seal: Callable[..., None] | None = None
    """The last thing done in a batch, after every row is written and before the commit."""


class Registry:
    """The handlers of every domain, by message type; a declaration that does not hold together fails here, at start."""

    def __init__(self, domains: tuple[Domain, ...]) -> None:
        """Join the domains."""
        self.domains = domains
        self.commands: dict[type, Callable[..., Any]] = {f.handles: f for d in domains for f in d.commands}  # type: ignore[attr-defined]
        self.queries: dict[type, Callable[..., Any]] = {f.answers: f for d in domains for f in d.queries}  # type: ignore[attr-defined]
        self.reads: dict[type, Reads] = {f.handles: f.reads for d in domains for f in d.commands if f.reads}  # type: ignore[attr-defined]
        self.facts = {fact.__name__: fact for d in domains for fact in d.facts}
        self.command_types = {message.__name__: message for message in self.commands}
        self.query_types = {message.__name__: message for message in self.queries}
        self.followers = tuple(follower for d in domains for follower in d.followers)
        self.jobs = {kind.name: kind for d in domains for kind in d.jobs}
        self.seals = tuple(d.seal for d in domains if d.seal)
        self.routes = tuple(route for d in domains for route in d.routes)
        self._check()

    @cached_property
    def readings(self) -> Mapping[str, msgspec.json.Decoder[Any]]:
        """What reads each command from JSON, by its name."""
        return {kind: msgspec.json.Decoder(message) for kind, message in self.command_types.items()}

    def _check(self) -> None:
        handlers = sum(len(d.commands) for d in self.domains), sum(len(d.queries) for d in self.domains)
        invariant(handlers == (len(self.commands), len(self.queries)), "each message has one handler")
        invariant(len(self.command_types) == len(self.commands), "commands have names of their own")
        invariant(len({f.name for f in self.followers}) == len(self.followers), "followers have names of their own")
        for follower in self.followers:
            for function in follower.hears:
                heard = function.hears  # type: ignore[attr-defined]
                invariant(self.facts.get(heard.__name__) is heard, f"{follower.name} hears {heard.__name__}, which nobody tells")
        for route in self.routes:
            fields = set(route.message.__struct_fields__)
            named = set(route.client) | set(route.in_path())
            invariant(route.message in self.commands or route.message in self.queries, f"{route.path} has a handler")
            invariant(fields == named, f"{route.method} {route.path} declares each field once: {sorted(fields ^ named)}")
            public = route.owner.kind is Ownership.ANYONE
            invariant(public == (route.scope is None), f"{route.method} {route.path}: a scope is asked of whoever signs in")
            shop_rule = route.owner.kind is Ownership.SHOP
            invariant(not shop_rule or "shop_id" in route.in_path(), f"{route.path} names the shop whose staff may call")


@lru_cache(maxsize=8)
def registry_of(domains: tuple[Domain, ...]) -> Registry:
    """The handlers of these domains, joined once in this process: neither they nor what is found out about them ever changes."""
    return Registry(domains)


def answer_type(message: type) -> Any:
    """What a message is answered with, from its declaration `Command[Answer]` or `Query[Answer]`."""
    for kind in message.__mro__:
        for base in getattr(kind, "__orig_bases__", ()):
            if get_origin(base) in (Command, Query):
                return get_args(base)[0]
    return None
