"""Followers read facts after the commit, in order, each from its own cursor, at least once."""

import asyncio
from itertools import groupby
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.messages import Command, Fact
from yunduan.kernel.refusals import FaultError, invariant
from yunduan.runtime.ports import Reader, Row
from yunduan.runtime.registry import Follower, Registry, handles
from yunduan.runtime.transaction import Tx
from yunduan.runtime.writer import Writer

log = structlog.get_logger(__name__)
_CURSOR = "SELECT seq FROM cursor WHERE follower = ?"
_FACTS_AFTER = "SELECT seq, kind, body FROM fact WHERE seq > ? ORDER BY seq LIMIT ?"
_MOVE = (
    "INSERT INTO cursor (follower, epoch, seq) VALUES (?, ?, ?)"
    " ON CONFLICT (follower) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq"
)
_PARK = "INSERT INTO parked (follower, seq, error, at) VALUES (?, ?, ?, ?)"
FACTS_PER_DELIVERY = 500
RETRY_S = 0.02
TRIES = 5
"""How often a fact that its follower cannot take is tried alone before it is parked."""
PAUSE_S = 0.1
"""Between two deliveries under load: a delivery is a commit, and facts are cheaper by the hundred. After a rest nothing waits."""


class Heard(Struct, frozen=True, gc=False):
    """A fact and its place in the order of all facts."""

    seq: int
    fact: Fact


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


class Ears:
    """The functions of each follower: a port, because a command carries names and no functions."""

    def __init__(self, registry: Registry) -> None:
        """Take them from the registry."""
        self._followers = {follower.name: follower for follower in registry.followers}

    def of(self, name: str) -> dict[type[Fact], Any]:
        """What a follower does with each kind of fact."""
        return {function.hears: function for function in self._followers[name].hears}  # type: ignore[attr-defined]


def cursor(reader: Reader, follower: str) -> int:
    """The last fact that a follower has heard."""
    row = reader.row(_CURSOR, (follower,))
    return row[0] if row else 0


@handles(DeliverFacts)
def deliver_facts(tx: Tx, ask: DeliverFacts) -> Delivered:
    """Hear the facts once: a delivery that does not start at the cursor changes nothing."""
    stands = cursor(tx, ask.follower)
    if stands != ask.after:
        return Delivered(through=stands)
    ears = tx.port(Ears).of(ask.follower)
    for kind, run in groupby(ask.facts, key=lambda heard: type(heard.fact)):
        _let_hear(tx, ask.follower, ears[kind], list(run))
    tx.write(_MOVE, (ask.follower, tx.head.epoch, ask.through))
    return Delivered(through=ask.through)


def _let_hear(tx: Tx, follower: str, function: Any, heard: list[Heard]) -> None:
    """Give a follower a run of facts of one kind; what it tells and asks for names them as its cause."""
    first, last = heard[0].seq, heard[-1].seq
    tx.cause = f"{follower}@{first}" if first == last else f"{follower}@{first}-{last}"
    function(tx, [one.fact for one in heard])


@handles(ParkFact)
def park_fact(tx: Tx, ask: ParkFact) -> Delivered:
    """Write down what was not heard and move on."""
    stands = cursor(tx, ask.follower)
    if stands != ask.after:
        return Delivered(through=stands)
    tx.write(_PARK, (ask.follower, ask.seq, ask.error[:500], tx.now))
    tx.write(_MOVE, (ask.follower, tx.head.epoch, ask.seq))
    return Delivered(through=ask.seq)


class Following:
    """Runs every follower of a cloud."""

    def __init__(self, writer: Writer, reader: Reader, registry: Registry) -> None:
        """Read facts through a connection of its own."""
        self._writer = writer
        self._reader = reader
        self._followers = registry.followers
        self._decoders = {kind: msgspec.json.Decoder(fact) for kind, fact in registry.facts.items()}
        self._cursors = {f.name: cursor(reader, f.name) for f in registry.followers}
        self._tries: dict[str, int] = {}
        self._woken = asyncio.Event()
        self.parked = 0
        writer.listen(self._woken.set)

    def lag(self) -> dict[str, int]:
        """How many facts each follower has yet to hear."""
        return {name: self._writer.head.fact_seq - seq for name, seq in self._cursors.items()}

    async def run(self) -> None:
        """Deliver until cancelled; a burst of commits is one delivery."""
        while True:
            self._woken.clear()
            if await self.run_once():
                await asyncio.sleep(PAUSE_S)
            else:
                await self._woken.wait()

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
        rows = self._reader.rows(_FACTS_AFTER, (after, 1 if tries else FACTS_PER_DELIVERY))
        if not rows:
            return False
        delivery, unread = self._readable(follower, after, rows)
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

    def _readable(self, follower: Follower, after: int, rows: list[Row]) -> tuple[DeliverFacts, Exception | None]:
        """The facts as far as this program can read them; if it cannot read the first one, a delivery of that alone, and the error."""
        wanted = {function.hears.__name__ for function in follower.hears}  # type: ignore[attr-defined]
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
            self.parked += 1
        else:
            await asyncio.sleep(RETRY_S * tries)
