"""A second bookkeeper: believes the facts, the ledger's own proof, and nothing that the program remembers."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import msgspec

from yunduan.backends.sandbox import Sandbox
from yunduan.backends.vault import FileVault
from yunduan.cloud import DOMAINS
from yunduan.domains.ledger.audit import audit
from yunduan.domains.orders.commands import (
    Checkout,
    Placed,
)
from yunduan.domains.orders.facts import OrderPlaced
from yunduan.domains.orders.repricing import AgreePrice
from yunduan.kernel.ids import OrderId
from yunduan.kernel.messages import Fact
from yunduan.runtime.answers import KEPT_MS, Answered
from yunduan.runtime.clock import Clock
from yunduan.runtime.ports import Reader, Row, Snapshots
from yunduan.testing.checkers import Told, ViolationError, claim
from yunduan.testing.noticing import Notices
from yunduan.testing.people import Asked
from yunduan.testing.trade.checks import compare_cases, compare_orders, compare_parcels, compare_touched, nothing_is_held_for_ever
from yunduan.testing.trade.founding import is_asked_by_people, market
from yunduan.testing.trade.laws import Laws
from yunduan.testing.trade.ledger import Ledger
from yunduan.testing.trade.money import MONEY, lines_of, reconcile
from yunduan.testing.trade.papers import Law, Papers
from yunduan.testing.trade.shelves import compare_exchanges, compare_returns, compare_shelves

GOODS: tuple[Law, ...] = (compare_orders, compare_cases, compare_parcels, compare_shelves, compare_exchanges, compare_returns)
_FACTS = "SELECT seq, kind, body, cause, at FROM fact WHERE seq > ? ORDER BY seq"


class TradeAuditor:
    """Believes the facts, the ledger's own proof, and nothing that the program remembers."""

    laws: ClassVar[tuple[Law, ...]] = (*GOODS, *MONEY)
    decoders: Mapping[str, msgspec.json.Decoder[Any]] = {fact.__name__: msgspec.json.Decoder(fact) for d in DOMAINS for fact in d.facts}

    def __init__(self, clock: Clock, sandbox: Sandbox) -> None:
        """Nothing has happened and nobody has been answered."""
        self._clock = clock
        self._sandbox = sandbox
        self._shop = market().shop.id
        self._wanted_at: dict[str, int] = {}
        self._left: set[tuple[str, int, bytes]] = set()
        """The answers that have left and must be there still, as rows."""
        self._laws = Laws()
        self._papers = Papers()
        self._ledger = Ledger()
        self._notices = Notices()
        self._rows: list[Row] = []
        self.facts: list[Told] = []
        self.known: list[Fact] = []
        self.told: list[tuple[Told, Fact]] = []
        self.answered: dict[str, Answered] = {}
        self.vault: FileVault | None = None
        self._roots: dict[str, list[Told]] = {}
        self._asked_for: dict[str, Told] = {}
        """The first fact of those that somebody has asked for, and so must have an answer still."""

    @property
    def seq(self) -> int:
        """The last fact that was heard."""
        return len(self.facts)

    def read_on(self, reader: Reader) -> int:
        """Hear the facts that are new in the store."""
        rows = reader.rows(_FACTS, (self.seq,))
        for row in rows:
            self._hear(Told(*row))
        self._rows += rows
        head = reader.rows("SELECT fact_seq FROM head")
        claim(head == [(self.seq,)], f"the head says {head}, the facts end at {self.seq}")
        touched = {id for fact in self.known[self.seq - len(rows) :] if (id := getattr(fact, "order_id", None))}
        compare_touched(reader, sorted(touched))
        self._ledger.read_on(reader)
        self._laws.see_plans(reader)
        self._laws.note_plan(reader, self._shop)
        return len(rows)

    def _hear(self, told: Told) -> None:
        claim(told.seq == self.seq + 1, f"fact {self.seq + 1} is missing before {told.seq}")
        claim(not self.facts or told.at >= self.facts[-1].at, f"fact {told.seq} is told before {told.seq - 1}")
        fact = self.decoders[told.kind].decode(told.body)
        self.facts.append(told)
        self.known.append(fact)
        self.told.append((told, fact))
        self._note_root(told)
        self._laws.hear(told, fact)

    def _note_root(self, told: Told) -> None:
        """Everything that one command tells stands together: what is told apart was done twice."""
        root = told.cause.partition("/")[0]
        if root:
            others = self._roots.setdefault(root, [])
            claim(not others or others[-1].seq == told.seq - 1, f"{root} took effect twice, in facts {others[-1:]} and {told.seq}")
            others.append(told)
            if len(others) == 1 and is_asked_by_people(root):
                self._asked_for[root] = told

    def has_effect(self, asked: Asked) -> bool:
        """Whether it has been told of."""
        return asked.key in self._roots

    def answer_left(self, asked: Asked, answered: Answered) -> None:
        """An answer has reached whoever asked; from now on it must stand."""
        before = self.answered.setdefault(asked.name, answered)
        self._left.add((asked.name, int(answered.accepted), answered.body))
        self._wanted_at.setdefault(asked.name, asked.at)
        claim(before == answered, f"{asked.name} was answered {before}, then {answered}")
        if not answered.accepted:
            claim(asked.key not in self._roots, f"{asked.name} was refused and took effect all the same")
        elif isinstance(asked.command, Checkout | AgreePrice):
            placed = [order.id for order in msgspec.json.decode(answered.body, type=Placed).orders]
            claim(self._placed(asked.key) == placed, f"{asked.name} was answered {placed}, the facts say {self._placed(asked.key)}")

    def _placed(self, root: str) -> list[OrderId]:
        facts = [self.known[told.seq - 1] for told in self._roots.get(root, ())]
        return [fact.order_id for fact in facts if isinstance(fact, OrderPlaced)]

    def begin_anew(self, reader: Reader) -> None:
        """After a crash: what had been committed must be there still, unchanged."""
        rows = reader.rows(_FACTS, (0,))
        claim(len(rows) >= self.seq, f"facts {len(rows) + 1} to {self.seq} are lost")
        claim(rows[: self.seq] == self._rows, "a fact is another one now")
        self.told.clear()
        self.read_on(reader)

    def compare(self, reader: Snapshots) -> None:
        """Every table against the facts and against each other, from the first row on."""
        self.look(reader)
        self._answers(reader)
        proof = audit(reader)
        claim(proof.faults_found == 0, f"the books do not balance: {proof.faults}")
        self._sealed(reader)
        self._notices.compare(reader, self.known)

    def look(self, reader: Reader, touched: Collection[str] | None = None) -> None:
        """Every document against the others, the facts and the ledger, as far as it may have changed: by the tables that were touched."""
        papers, written = self._papers, self._sandbox.written()
        papers.read(reader, touched)
        papers.take("laws", self._laws, self._laws.heard)
        if not papers.is_known("statement", written):
            papers.take("statement", lines_of(self._sandbox), written)
        for law in self.laws:
            papers.hold_to(law)

    def at_rest(self) -> None:
        """The channel and we agree about everything, and what time settles is settled."""
        nothing_is_held_for_ever(self._papers)
        reconcile(self._papers, self._sandbox)

    def _answers(self, reader: Reader) -> None:
        kept = reader.rows("SELECT name, accepted, body FROM answer")
        long_ago = self._clock.wall_ms() - KEPT_MS
        gone = self._left.difference(kept)
        for name, accepted, body in sorted(gone):
            if self._wanted_at[name] > long_ago:
                has = next((Answered(bool(accepted), body) for other, accepted, body in kept if other == name), None)
                raise ViolationError(f"{name} was answered {Answered(bool(accepted), body)}, the store has {has}")
        self._left -= gone
        keys = {name.partition(" ")[0] for name, accepted, _ in kept if accepted}
        for root in sorted(self._asked_for.keys() - keys):
            claim(self._asked_for[root].at <= long_ago, f"{root} took effect and has no answer")
            del self._asked_for[root]

    def _sealed(self, reader: Reader) -> None:
        if self.vault is not None:
            for person, sealed in reader.rows("SELECT id, sealed FROM person UNION ALL SELECT person_id, sealed FROM address"):
                claim(self.vault.unseal(person, sealed) is not None, f"the key of {person} is lost")
