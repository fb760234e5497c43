"""What people search for: counted in memory as it is asked, written together now and then, with nobody's name.

With the same notes goes what its own people want remembered (`recents`), which no count and no fact has.

What looks like somebody's own (an address, a telephone or card number) is not counted at all, and what hardly anybody asks is shown
to nobody but operators. What was counted in the last seconds goes with the process.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable
from enum import StrEnum
from typing import Annotated, Protocol

from msgspec import Meta, Struct

from yunduan.domains.search import recents, store_asked
from yunduan.domains.search.facts import QueriesNoted
from yunduan.domains.search.recents import KEPT_MAX, Entry, same, typed
from yunduan.domains.search.store_asked import AskedFor
from yunduan.domains.search.words import folded, runs
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command, Query
from yunduan.runtime.registry import JobKind, Progress, answers, handles
from yunduan.runtime.transaction import Asking, Tx

DAY_MS = 86_400_000
KEPT_DAYS = 90
TEXT_MAX = 40
LINES_MAX = 500
TEXTS_MAX = 5_000
"""So many different texts are counted between two notes; what comes besides is not."""
PEOPLE_MAX, OWN_MAX = 5_000, 100
"""Of so many people searches are remembered between two notes; and so many of them are noted at once, since each is sealed anew."""
NOTED_EVERY_S = 10.0
POPULAR_MAX = 20
SHOWN_MIN = 3
"""What was asked less often in two days is shown to operators alone."""
_OWN = re.compile(r"[0-9]{5}|@")


class Count(Struct, frozen=True, kw_only=True, gc=False):
    """How often something was searched for, and how often nothing had all of it."""

    text: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
    times: Annotated[int, Meta(ge=1)]
    empty: Annotated[int, Meta(ge=0)]


class Own(Struct, frozen=True, kw_only=True, gc=False):
    """What somebody has searched for who wants that remembered."""

    person_id: PersonId
    entries: Annotated[tuple[Entry, ...], Meta(max_length=KEPT_MAX)]


class NoteQueries(Command[None]):
    """Count what was searched for, with nobody's name, and remember it for those who want that. Sent by the cloud itself."""

    counts: Annotated[tuple[Count, ...], Meta(max_length=LINES_MAX)] = ()
    own: Annotated[tuple[Own, ...], Meta(max_length=LINES_MAX)] = ()


class QueryKind(StrEnum):
    """Which of the queries."""

    TOP = "top"
    RISING = "rising"
    """Those that are asked more often today than yesterday."""
    EMPTY = "empty"
    """Those that nothing had all of."""


class QueryAsked(Struct, frozen=True, kw_only=True):
    """A query with how often it was asked, how often the day before, and how often nothing had all of it."""

    text: str
    times: int
    times_before: int
    empty: int


class QueryList(Struct, frozen=True, kw_only=True):
    """Queries, the first in their kind first."""

    items: tuple[QueryAsked, ...]


class QueriesOn(Query[QueryList]):
    """What people search for on a day: today, or as many days ago; of each kind those that are asked most."""

    kind: QueryKind = QueryKind.TOP
    days_ago: Annotated[int, Meta(ge=0, le=KEPT_DAYS)] = 0
    most: Annotated[int, Meta(ge=1, le=100, description="So many are told of.")] = 20


class PopularQuery(Struct, frozen=True, kw_only=True):
    """What many search for."""

    text: str


class PopularList(Struct, frozen=True, kw_only=True):
    """What many search for, the most frequent first."""

    items: tuple[PopularQuery, ...]


class PopularQueries(Query[PopularList]):
    """What many search for today and yesterday, and find (热搜)."""


class Counting:
    """What was asked since it was noted last: a port."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counts: dict[str, tuple[int, int]] = {}
        self._own: dict[PersonId, dict[str, Entry]] = {}

    def note(self, asked: str, *, is_empty: bool) -> None:
        """Count a search; not what may be somebody's own, and not what is too long to be asked by many."""
        if len(asked) > 2 * TEXT_MAX or _OWN.search(folded(asked)):
            return
        text = " ".join(runs(asked))
        if not 0 < len(text) <= TEXT_MAX or (text not in self._counts and len(self._counts) >= TEXTS_MAX):
            return
        times, empty = self._counts.get(text, (0, 0))
        self._counts[text] = (times + 1, empty + is_empty)

    def note_own(self, person: PersonId, asked: str, *, at_ms: int) -> None:
        """Have a search of somebody who wants that remembered, the latest of theirs; whoever comes when very many have is left out."""
        text = typed(asked)
        words = same(text)
        if not words or (person not in self._own and len(self._own) >= PEOPLE_MAX):
            return
        entries = self._own.setdefault(person, {})
        entries.pop(words, None)
        entries[words] = Entry(text, at_ms)
        if len(entries) > KEPT_MAX:
            del entries[next(iter(entries))]

    def own(self, person: PersonId) -> tuple[Entry, ...]:
        """What somebody has searched for here that is not noted yet."""
        return tuple(self._own.get(person, {}).values())

    def take(self) -> NoteQueries | None:
        """What is to be noted next, if there is anything; it is here no longer."""
        texts, people = list(self._counts)[:LINES_MAX], list(self._own)[:OWN_MAX]
        if not texts and not people:
            return None
        return NoteQueries(
            counts=tuple([Count(text=text, times=times, empty=empty) for text in texts for times, empty in (self._counts.pop(text),)]),
            own=tuple([Own(person_id=person, entries=tuple(self._own.pop(person).values())) for person in people]),
        )


class Desk(Protocol):
    """Takes commands: the cloud, or the way to it of a process that only reads."""

    def submit(self, command: Command[None], *, actor: Actor, background: bool) -> Awaitable[object]:
        """Have one carried out."""
        ...


class Noting:
    """Notes what was counted; implements `runtime.runners.Runner`."""

    def __init__(self, desk: Desk, counting: Counting) -> None:
        """For one cloud."""
        self._desk = desk
        self._counting = counting

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(NOTED_EVERY_S)
            while await self.run_once():
                pass

    async def run_once(self) -> int:
        """Some of it."""
        noted = self._counting.take()
        if noted is None:
            return 0
        await self._desk.submit(noted, actor=SYSTEM, background=True)
        return len(noted.counts) + len(noted.own)

    def next_due(self) -> int | None:
        """Never by the cloud's time."""
        return None


@handles(NoteQueries)
def note_queries(tx: Tx, ask: NoteQueries) -> None:
    """Add them to the day, and to what their people want remembered, which is told to nobody."""
    if ask.own:
        recents.note(tx, {one.person_id: one.entries for one in ask.own})
    if ask.counts:
        store_asked.count(tx, tx.now // DAY_MS, [(one.text, one.times, one.empty) for one in ask.counts])
        tx.tell(QueriesNoted(texts=tuple([one.text for one in ask.counts]), times=tuple([one.times for one in ask.counts])))


@answers(QueriesOn)
def queries_on(at: Asking, ask: QueriesOn) -> QueryList:
    """By the index of the day."""
    day = at.now // DAY_MS - ask.days_ago
    before = {one.text: one.times for one in store_asked.most(at, day - 1)}
    asked = store_asked.most(at, day, is_empty=ask.kind is QueryKind.EMPTY)
    if ask.kind is QueryKind.RISING:
        asked = [one for one in asked if one.times > before.get(one.text, 0)]
        asked.sort(key=lambda one: (before.get(one.text, 0) - one.times, one.text))
    else:
        asked.sort(key=lambda one: (-(one.empty if ask.kind is QueryKind.EMPTY else one.times), one.text))
    return QueryList(items=tuple([_said(one, before) for one in asked[: ask.most]]))


def _said(one: AskedFor, before: dict[str, int]) -> QueryAsked:
    return QueryAsked(text=one.text, times=one.times, times_before=before.get(one.text, 0), empty=one.empty)


@answers(PopularQueries)
def popular_queries(at: Asking, ask: PopularQueries) -> PopularList:  # noqa: ARG001 - every query has this form
    """Of two days, so that the morning is not empty."""
    return PopularList(items=tuple([PopularQuery(text=text) for text in popular(at)[:POPULAR_MAX]]))


def popular(at: Asking) -> list[str]:
    """What many search for and find, the most frequent first."""
    day = at.now // DAY_MS
    return at.recall("search_asked", ("popular", day), lambda: _popular(at, (day, day - 1)))


def _popular(at: Asking, days: Iterable[int]) -> list[str]:
    found: dict[str, int] = {}
    for day in days:
        for one in store_asked.most(at, day):
            found[one.text] = found.get(one.text, 0) + one.times - one.empty
    return sorted([text for text, times in found.items() if times >= SHOWN_MIN], key=lambda text: (-found[text], text))


def forget_queries(tx: Tx, _: bytes) -> Progress:
    """What is older than `KEPT_DAYS`."""
    gone = store_asked.forget(tx, tx.now // DAY_MS - KEPT_DAYS)
    return Progress(done=gone, total=gone, finished=True)


JOBS = (JobKind("forget_queries", forget_queries, every_ms=DAY_MS),)
