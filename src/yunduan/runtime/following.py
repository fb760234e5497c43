"""Followers read facts after the commit, in order, each from its own cursor, at least once."""

import asyncio
from collections import deque
from itertools import compress, count, groupby, islice
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta, Struct

from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.messages import Command, Fact, Query
from yunduan.kernel.refusals import FaultError, RefusalCode, Refused, invariant
from yunduan.runtime.memory import Changes
from yunduan.runtime.ports import Reader, Row, Table
from yunduan.runtime.registry import Follower, Registry, answers, handles
from yunduan.runtime.transaction import Asking, Tx
from yunduan.runtime.writer import Writer

log = structlog.get_logger(__name__)
_FACTS_AFTER = "SELECT seq, kind, body FROM fact WHERE seq > ? ORDER BY seq LIMIT ?"
_PARKED = (
    "SELECT parked.follower, parked.seq, fact.kind, parked.error, parked.at FROM parked JOIN fact ON fact.seq = parked.seq"
    " ORDER BY parked.follower, parked.seq LIMIT ?"
)
_PARKED_FACT = "SELECT fact.kind, fact.body FROM parked JOIN fact ON fact.seq = parked.seq WHERE parked.follower = ? AND parked.seq = ?"
_UNPARK = "DELETE FROM parked WHERE follower = ? AND seq = ?"
_PARKED_COUNT = "SELECT count(*) FROM parked"
_PARK = "INSERT INTO parked (follower, seq, error, at) VALUES (?, ?, ?, ?)"
FACTS_PER_DELIVERY = 1_000
"""More than is told between two deliveries under load, so that whoever keeps up does not take part in every batch."""
RETRY_S = 0.02
TRIES = 5
"""How often a fact that its follower cannot take is tried alone before it is parked."""
RECENT_FACTS = 4_000
"""How many of the last facts are kept in memory for followers that keep up."""
PAUSE_S = 0.1
"""Between two deliveries under load: a delivery is a commit, and facts are cheaper by the hundred. Whoever is far behind does not pause."""


class Heard(Struct, frozen=True, gc=False):
    """A fact and its place in the order of all facts."""

    seq: int
    fact: Fact


_fact_of = attrgetter("fact")


class Cursor(Struct, frozen=True, gc=False):
    """Up to where a follower has heard, and in which epoch it did."""

    follower: str
    epoch: int
    seq: int


CURSORS: Table[str, Cursor] = Table(
    name="cursor",
    columns={"follower": str, "epoch": int, "seq": int},
    value=lambda row: Cursor(*row),
    row=lambda cursor: (cursor.follower, cursor.epoch, cursor.seq),
)


class Delivered(Struct, frozen=True, kw_only=True):
    """How far a follower has read."""

    through: int


class DeliverFacts(Command[Delivered]):
    """Let a follower hear facts, and move its cursor in the same transaction."""

    follower: str
    after: int
    through: int
    facts: tuple[Heard, ...]


class ParkFact(Command[Delivered]):
    """Set aside a fact that a follower cannot take, so that those behind it are heard."""

    follower: str
    after: int
    seq: int
    error: str


class FactRefusal(RefusalCode):
    """What is refused about facts that were set aside."""

    NOT_PARKED = "parked_fact_not_found", "No such fact is set aside for this follower."
    NOT_HEARD = "fact_not_heard", "The follower does not hear facts of this kind."
    NOT_TAKEN = "fact_not_taken", "The follower still cannot take this fact: it stays set aside."


class Parked(Struct, frozen=True, kw_only=True):
    """A fact that a follower could not take, and what was wrong then."""

    follower: str
    seq: int
    kind: str
    error: str
    at: int


class ParkedFacts(Query[list[Parked]]):
    """The facts that were set aside and are heard by nobody until somebody has them heard; by follower, in their order."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class HearParked(Command[None], refuses=FactRefusal):
    """Let a follower hear a fact that was set aside, now, although it has heard later ones since."""

    follower: str
    seq: int


class Ears:
    """The functions of each follower and what facts look like: a port, because a command carries names and no functions."""

    def __init__(self, registry: Registry) -> None:
        """Take them from the registry."""
        self._followers = {follower.name: follower for follower in registry.followers}
        self.decoders = {kind: msgspec.json.Decoder(fact) for kind, fact in registry.facts.items()}

    def of(self, name: str) -> dict[str, Any]:
        """What a follower does with each kind of fact."""
        return {function.hears.__name__: function for function in self._followers[name].hears}  # type: ignore[attr-defined]


def cursor(reader: Reader, follower: str) -> int:
    """The last fact that a follower has heard."""
    rows = reader.load(CURSORS, (follower,))
    return CURSORS.value(rows[0]).seq if rows else 0


def _stands(tx: Tx, follower: str) -> int:
    """The same, as this transaction has it."""
    found = tx.get(CURSORS, follower)
    return found.seq if found else 0


def _move(tx: Tx, follower: str, seq: int) -> None:
    """It has heard up to here; written with whatever else the batch changes."""
    (tx.put if tx.get(CURSORS, follower) else tx.add)(CURSORS, follower, Cursor(follower, tx.head.epoch, seq))


@handles(DeliverFacts)
def deliver_facts(tx: Tx, ask: DeliverFacts) -> Delivered:
    """Hear the facts once: a delivery that does not start at the cursor changes nothing."""
    stands = _stands(tx, ask.follower)
    if stands != ask.after:
        return Delivered(through=stands)
    ears = tx.port(Ears).of(ask.follower)
    for kind, run in groupby(ask.facts, key=lambda heard: type(heard.fact)):
        _let_hear(tx, ask.follower, ears[kind.__name__], list(run))
    _move(tx, ask.follower, ask.through)
    return Delivered(through=ask.through)


def _let_hear(tx: Tx, follower: str, function: Any, heard: list[Heard]) -> None:
    """Give a follower a run of facts of one kind; what it tells and asks for names them as its cause."""
    first, last = heard[0].seq, heard[-1].seq
    tx.cause = f"{follower}@{first}" if first == last else f"{follower}@{first}-{last}"
    function(tx, list(map(_fact_of, heard)))


@handles(ParkFact)
def park_fact(tx: Tx, ask: ParkFact) -> Delivered:
    """Write down what was not heard and move on."""
    stands = _stands(tx, ask.follower)
    if stands != ask.after:
        return Delivered(through=stands)
    tx.write(_PARK, (ask.follower, ask.seq, ask.error[:500], tx.now))
    _move(tx, ask.follower, ask.seq)
    return Delivered(through=ask.seq)


@handles(HearParked)
def hear_parked(tx: Tx, ask: HearParked) -> None:
    """Heard, and no longer set aside, in one transaction; refused with what is wrong when it still cannot be taken."""
    row = tx.row(_PARKED_FACT, (ask.follower, ask.seq))
    if row is None:
        raise Refused(FactRefusal.NOT_PARKED)
    kind, body = row
    ears = tx.port(Ears)
    try:
        function = ears.of(ask.follower)[kind]
    except KeyError:
        raise Refused(FactRefusal.NOT_HEARD, f"{ask.follower} does not hear {kind}") from None
    try:
        _let_hear(tx, ask.follower, function, [Heard(ask.seq, ears.decoders[kind].decode(body))])
    except FaultError:
        raise
    except Exception as error:
        log.exception("fact_not_taken", follower=ask.follower, seq=ask.seq)
        raise Refused(FactRefusal.NOT_TAKEN, repr(error)[:500]) from error
    tx.write_one(_UNPARK, (ask.follower, ask.seq))


@answers(ParkedFacts)
def parked_facts(at: Asking, ask: ParkedFacts) -> list[Parked]:
    """With what was wrong when they were set aside."""
    rows = at.rows(_PARKED, (ask.limit,))
    return [Parked(follower=row[0], seq=row[1], kind=row[2], error=row[3], at=row[4]) for row in rows]


class Following:
    """Runs every follower of a cloud; a `Watcher`, so that facts told a moment ago need not be read back and decoded."""

    def __init__(self, writer: Writer, reader: Reader, registry: Registry) -> None:
        """Read facts through a connection of its own."""
        self._writer = writer
        self._reader = reader
        self._followers = registry.followers
        self._hears = {f.name: frozenset([function.hears for function in f.hears]) for f in registry.followers}  # type: ignore[attr-defined]
        self._decoders = Ears(registry).decoders
        self._cursors = {f.name: cursor(reader, f.name) for f in registry.followers}
        self._tries: dict[str, int] = {}
        self._woken = asyncio.Event()
        self._recent: deque[Fact] = deque(maxlen=RECENT_FACTS)
        """The last facts that were committed; those before them are read from the store."""
        writer.watch(self)

    def pin(self) -> None:
        """A commit that is on its way has told nothing yet."""

    def renew(self, changes: Changes) -> None:
        """Keep what was told, and wake."""
        if changes.facts:
            self._recent.extend(changes.facts)
            self._woken.set()

    def stand_aside(self, *, aside: bool) -> None:
        """Followers read through a connection that holds nothing."""

    def lag(self) -> dict[str, int]:
        """How many facts each follower has yet to hear."""
        return {name: self._writer.head.fact_seq - seq for name, seq in self._cursors.items()}

    @property
    def parked(self) -> int:
        """How many facts are set aside and wait for somebody to have them heard."""
        row = self._reader.row(_PARKED_COUNT)
        return row[0] if row else 0

    async def run(self) -> None:
        """Deliver until cancelled; a burst of commits is one delivery."""
        while True:
            self._woken.clear()
            if not await self.run_once():
                await self._woken.wait()
            elif max(self.lag().values(), default=0) < FACTS_PER_DELIVERY:
                await asyncio.sleep(PAUSE_S)

    async def run_once(self) -> bool:
        """Give each follower what is next for it, all in one commit; answers whether any of them moved or must try again."""
        moved = await asyncio.gather(*(self._deliver(follower) for follower in self._followers))
        return any(moved)

    def next_due(self) -> int | None:
        """Never by time alone: a commit wakes it."""
        return None

    async def _deliver(self, follower: Follower) -> bool:
        after = self._cursors[follower.name]
        tries = self._tries.get(follower.name, 0)
        delivery, unread = self._next(follower, after, 1 if tries else FACTS_PER_DELIVERY)
        if delivery.through == after:
            return False
        if unread is not None:
            await self._stumble(delivery, unread)
            return True
        try:
            await self._hear(delivery)
            self._tries.pop(follower.name, None)
        except FaultError:
            await asyncio.sleep(RETRY_S)
        except Exception as error:
            await self._stumble(delivery, error)
        return True

    def _next(self, follower: Follower, after: int, most: int) -> tuple[DeliverFacts, Exception | None]:
        """What a follower hears next: what was told a moment ago from memory, and what lies further back as it can be read."""
        begins = self._writer.head.fact_seq - len(self._recent)
        if after < begins:
            return self._readable(follower, after, self._reader.rows(_FACTS_AFTER, (after, most)))
        unheard = list(islice(reversed(self._recent), len(self._recent) - (after - begins)))  # from the end, where followers are
        told = unheard[::-1][:most]
        are_heard = list(map(self._hears[follower.name].__contains__, map(type, told)))
        heard = tuple(map(Heard, compress(count(after + 1), are_heard), compress(told, are_heard)))
        return DeliverFacts(follower=follower.name, after=after, through=after + len(told), facts=heard), None

    def _readable(self, follower: Follower, after: int, rows: list[Row]) -> tuple[DeliverFacts, Exception | None]:
        """The facts as far as this program can read them; if it cannot read the first one, a delivery of that alone, and the error."""
        wanted = {kind.__name__ for kind in self._hears[follower.name]}
        facts: list[Heard] = []
        through = after
        for seq, kind, body in rows:
            try:
                if kind in wanted:
                    facts.append(Heard(seq, self._decoders[kind].decode(body)))
            except Exception as error:
                if through == after:
                    return DeliverFacts(follower=follower.name, after=after, through=seq, facts=()), error
                break
            through = seq
        return DeliverFacts(follower=follower.name, after=after, through=through, facts=tuple(facts)), None

    async def _hear(self, command: DeliverFacts | ParkFact) -> None:
        answered = await self._writer.submit(command, actor=SYSTEM, background=True)
        invariant(answered.accepted, "a delivery refuses nothing")
        self._cursors[command.follower] = msgspec.json.decode(answered.body, type=Delivered).through

    async def _stumble(self, delivery: DeliverFacts, error: Exception) -> None:
        """Find the fact that cannot be heard by giving one at a time, and after some tries park it."""
        name = delivery.follower
        tries = self._tries[name] = self._tries.get(name, 0) + 1
        log.warning("follower_stumbled", follower=name, after=delivery.after, tries=tries, error=str(error))
        if tries > TRIES:
            log.error("fact_parked", follower=name, seq=delivery.through, error=str(error))
            await self._hear(ParkFact(follower=name, after=delivery.after, seq=delivery.through, error=repr(error)))
            self._tries.pop(name)
        else:
            await asyncio.sleep(RETRY_S * tries)
