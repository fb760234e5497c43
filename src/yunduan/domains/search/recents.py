"""What somebody has searched for lately: remembered for whoever wants that, and for nobody else; sealed under their own key.

It is noted with the counts, a batch now and then, so that a search writes nothing. What was asked before somebody had it removed is not
noted after that, however late its batch comes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from yunduan.domains.identity.facts import PersonErased
from yunduan.domains.identity.model import Vault
from yunduan.domains.search import store_recent
from yunduan.domains.search.model import TEXT_MAX
from yunduan.domains.search.store_recent import Recents
from yunduan.domains.search.words import runs
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command, Query
from yunduan.runtime.registry import Follower, answers, handles, hears
from yunduan.runtime.transaction import Asking, Tx

KEPT_MAX = 20
"""So many queries of one person are remembered; and of so many it is known that they were removed, and when."""


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """A query as it was typed, and when it was asked last; or, if it `is_gone`, when it was removed."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    at: Annotated[int, Meta(ge=0)]
    is_gone: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Entry, ...]).decode


class RecentQuery(Struct, frozen=True, kw_only=True):
    """What the caller has searched for, as it was typed, and when last (milliseconds since 1970)."""

    text: str
    at: int


class RecentList(Struct, frozen=True, kw_only=True):
    """What the caller has searched for, the latest first, each once; nothing where it is not remembered."""

    remembers: bool
    items: tuple[RecentQuery, ...]


class MyRecentQueries(Query[RecentList]):
    """Whether what the caller searches for is remembered, and what; what was asked in the last seconds may come a moment later."""


class RememberQueries(Command[None]):
    """Have what one searches for remembered from now on, the latest twenty of it, or no longer: then all of it is forgotten.

    Nobody's is, until they say so. It is shown to nobody else, counts for nothing, and goes when the account does.
    """

    remembers: bool


class ForgetQuery(Command[None]):
    """Forget one of one's recent queries, in whatever form it was typed; harmless when it is none."""

    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=TEXT_MAX,
            pattern=r"^(?=[\s\S]*\S)(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])",
            description="No control characters, not blank.",
            examples=["longjing"],
        ),
    ]


class ForgetQueries(Command[None]):
    """Forget all of one's recent queries, and go on remembering if that is wanted."""


def typed(text: str) -> str:
    """A query as it is shown again: on one line, without signs that cannot be seen."""
    return " ".join("".join([sign if sign.isprintable() else " " for sign in text]).split())[:TEXT_MAX]


def same(text: str) -> str:
    """What queries have in common that differ by their form alone."""
    return " ".join(runs(text))


def remembered(kept: Iterable[Entry], asked: Iterable[Entry], *, after: int) -> tuple[Entry, ...]:
    """What is remembered when this was asked besides: newest first, each once; of what was removed, nothing that was asked before."""
    by_words: dict[str, Entry] = {same(entry.text): entry for entry in kept}
    for entry in asked:
        words = same(entry.text)
        before = by_words.get(words)
        if words and entry.at > after and (before is None or entry.at > before.at):
            by_words[words] = entry
    newest = sorted(by_words.values(), key=lambda entry: (-entry.at, entry.text))
    return (*[entry for entry in newest if not entry.is_gone][:KEPT_MAX], *[entry for entry in newest if entry.is_gone][:KEPT_MAX])


def opened(at: Asking, one: Recents) -> tuple[Entry, ...]:
    """What is remembered of somebody; nothing once their key is gone."""
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    found = vault.unseal(one.person, one.sealed) if one.sealed else None
    return _decode(found) if found else ()


def note(tx: Tx, asked: Mapping[PersonId, Sequence[Entry]]) -> None:
    """Remember what people have asked: of those alone who still want it."""
    tx.get_many(store_recent.RECENT, list(asked))
    for person, entries in asked.items():
        one = store_recent.recents_of(tx, person)
        if one is not None:
            _keep(tx, one, remembered(opened(tx, one), entries, after=one.cleared_at))


def _keep(tx: Tx, one: Recents, entries: tuple[Entry, ...], *, cleared_at: int | None = None) -> None:
    vault: Vault = tx.port(Vault)  # type: ignore[type-abstract] # the same
    sealed = vault.seal(one.person, _encode(entries).decode()) if entries else b""
    store_recent.keep(tx, Recents(one.person, sealed, one.cleared_at if cleared_at is None else cleared_at))


@answers(MyRecentQueries)
def my_recent_queries(at: Asking, _ask: MyRecentQueries) -> RecentList:
    """The caller's one row."""
    one = store_recent.recents_of(at, at.actor.person)
    if one is None:
        return RecentList(remembers=False, items=())
    return RecentList(remembers=True, items=tuple([RecentQuery(text=it.text, at=it.at) for it in opened(at, one) if not it.is_gone]))


@handles(RememberQueries)
def remember_queries(tx: Tx, ask: RememberQueries) -> None:
    """The row is the consent."""
    one = store_recent.recents_of(tx, tx.actor.person)
    if ask.remembers and one is None:
        store_recent.keep(tx, Recents(tx.actor.person, b"", tx.now))
    elif not ask.remembers and one is not None:
        store_recent.forget_person(tx, tx.actor.person)


@handles(ForgetQuery)
def forget_query(tx: Tx, ask: ForgetQuery) -> None:
    """It is kept that it was removed, and when: it may be on its way still."""
    one, words = store_recent.recents_of(tx, tx.actor.person), same(ask.text)
    if one is None or not words:
        return
    others = [entry for entry in opened(tx, one) if same(entry.text) != words]
    _keep(tx, one, remembered([*others, Entry(typed(ask.text), tx.now, is_gone=True)], (), after=one.cleared_at))


@handles(ForgetQueries)
def forget_queries_of_one(tx: Tx, _ask: ForgetQueries) -> None:
    """With what is on its way."""
    one = store_recent.recents_of(tx, tx.actor.person)
    if one is not None:
        _keep(tx, one, (), cleared_at=tx.now)


@hears(PersonErased)
def on_person_erased(tx: Tx, facts: list[PersonErased]) -> None:
    """Nobody can read it any more; it goes."""
    for fact in facts:
        store_recent.forget_person(tx, fact.person_id)


FOLLOWERS = (Follower("search_recents", (on_person_erased,)),)
