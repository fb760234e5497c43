"""What must be true of the toy market whatever happens to it: a second bookkeeper who reads the facts and believes nothing else."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from yunduan.kernel.messages import Fact
from yunduan.runtime.answers import Answered
from yunduan.runtime.ports import Reader
from yunduan.testing.bazaar import BAZAAR, facts
from yunduan.testing.bazaar.followers import COUNTED, THANKS_EVERY
from yunduan.testing.bazaar.model import MINT, Hold, HoldState, Receipt
from yunduan.testing.people import Asked

_receipt = msgspec.json.Decoder(Receipt).decode
_FACTS = "SELECT seq, kind, body, cause, at FROM fact WHERE seq > ? ORDER BY seq"
_OF_THE_CLOUD = ("Expired", "Rang", "Thanked")
"""Facts that nobody's command told: alarms and followers did."""


class ViolationError(Exception):
    """Something that must always be true is not."""


def claim(true: bool, says: str) -> None:
    """Raise when it is not true."""
    if not true:
        raise ViolationError(says)


class Told(Struct, frozen=True, gc=False):
    """A fact as the store has it."""

    seq: int
    kind: str
    body: bytes
    cause: str
    at: int


class Books:
    """The state of the market, worked out from its facts alone."""

    decoders: Mapping[str, msgspec.json.Decoder[Any]] = {fact.__name__: msgspec.json.Decoder(fact) for fact in BAZAAR.facts}

    def __init__(self) -> None:
        """Nothing has happened."""
        self.told: list[Told] = []
        self.purses: Counter[str] = Counter()
        self.moves: Counter[tuple[int, str, int]] = Counter()
        self.on_hand: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.holds: dict[int, Hold] = {}
        self.bells: dict[int, int] = {}
        self.rung: set[int] = set()
        self.ops: dict[int, int] = {}
        self.thanked: set[int] = set()
        self.surveys = 0

    @property
    def seq(self) -> int:
        """The last fact that was heard."""
        return len(self.told)

    def hear(self, told: Told) -> Fact:
        """Take one fact in; raises `ViolationError` when it cannot follow on what was before."""
        claim(told.seq == self.seq + 1, f"fact {self.seq + 1} is missing before {told.seq}")
        claim(not self.told or told.at >= self.told[-1].at, f"fact {told.seq} is told before {told.seq - 1}")
        fact: Fact = self.decoders[told.kind].decode(told.body)
        self.told.append(told)
        getattr(self, f"_{told.kind.lower()}")(fact)
        if told.kind not in _OF_THE_CLOUD:
            self._once(told, fact)
        return fact

    def _once(self, told: Told, fact: Any) -> None:
        known = self.ops.setdefault(fact.op, told.seq)
        second_half = told.kind == "Paid" and self.told[known - 1].kind == "Taken" and known == told.seq - 1
        claim(known == told.seq or second_half, f"command {fact.op} took effect twice, in facts {known} and {told.seq}")

    def _move(self, op: int, purse: str, delta: int) -> None:
        self.purses[purse] += delta
        self.moves[op, purse, delta] += 1
        claim(purse == MINT or self.purses[purse] >= 0, f"purse {purse} is below zero")

    def _minted(self, fact: facts.Minted) -> None:
        self._move(fact.op, MINT, -fact.amount)
        self._move(fact.op, fact.purse, fact.amount)

    def _paid(self, fact: facts.Paid) -> None:
        claim(fact.payer in self.purses and fact.payee in self.purses, "both purses are there")
        self._move(fact.op, fact.payee, fact.amount)
        self._move(fact.op, fact.payer, -fact.amount)

    def _supplied(self, fact: facts.Supplied) -> None:
        self.on_hand[fact.item] += fact.quantity

    def _reserved(self, fact: facts.Reserved) -> None:
        self.holds[fact.op] = Hold(fact.op, fact.item, fact.quantity, HoldState.HELD, fact.due)
        self.held[fact.item] += fact.quantity
        claim(self.held[fact.item] <= self.on_hand[fact.item], f"{fact.item} is oversold")

    def _end(self, id: int, state: HoldState) -> Hold:
        hold = self.holds[id]
        claim(hold.state is HoldState.HELD, f"hold {id} ended twice")
        self.holds[id] = Hold(hold.id, hold.item, hold.quantity, state, hold.due)
        self.held[hold.item] -= hold.quantity
        return hold

    def _taken(self, fact: facts.Taken) -> None:
        hold = self._end(fact.hold, HoldState.TAKEN)
        self.on_hand[hold.item] -= hold.quantity
        claim(self.on_hand[hold.item] >= 0, f"there are fewer than no {hold.item}")

    def _expired(self, fact: facts.Expired) -> None:
        self._end(fact.hold, HoldState.EXPIRED)

    def _bellset(self, fact: facts.BellSet) -> None:
        self.bells[fact.op] = fact.due

    def _rang(self, fact: facts.Rang) -> None:
        claim(fact.bell in self.bells, f"bell {fact.bell} was set")
        claim(fact.bell not in self.rung, f"bell {fact.bell} rang twice")
        self.rung.add(fact.bell)

    def _surveyed(self, fact: facts.Surveyed) -> None:
        self.surveys += 1
        claim(fact.purses == len(self.purses), f"the survey counted {fact.purses} purses of {len(self.purses)}")

    def _thanked(self, fact: facts.Thanked) -> None:
        claim(fact.op in self.ops, "thanks are for a payment")
        claim(fact.op not in self.thanked, f"payment {fact.op} was heard twice")
        self.thanked.add(fact.op)


class Auditor:
    """Compares a store with the books of its facts and with every answer that has left."""

    def __init__(self) -> None:
        """Nothing has happened and nobody has been answered."""
        self.books = Books()
        self.answered: dict[str, Answered] = {}
        self.told: list[tuple[Told, Fact]] = []
        """Facts heard since somebody last emptied this list."""

    def copy(self) -> "Auditor":
        """The same, apart: for a look at what might have been."""
        other = Auditor()
        other.books, other.answered = self.books, dict(self.answered)
        return other

    def read_on(self, reader: Reader) -> int:
        """Hear the facts that are new in the store; answers how many."""
        rows = reader.rows(_FACTS, (self.books.seq,))
        for row in rows:
            told = Told(*row)
            self.told.append((told, self.books.hear(told)))
        head = reader.rows("SELECT fact_seq FROM head")
        claim(head == [(self.books.seq,)], f"the head says {head}, the facts end at {self.books.seq}")
        return len(rows)

    @property
    def seq(self) -> int:
        """The last fact that was heard."""
        return self.books.seq

    def has_effect(self, asked: Asked) -> bool:
        """Whether it has been told of."""
        return asked.op in self.books.ops

    def answer_left(self, asked: Asked, answered: Answered) -> None:
        """An answer has reached whoever asked; from now on it must stand."""
        name, op = asked.name, asked.op
        before = self.answered.setdefault(name, answered)
        claim(before == answered, f"{name} was answered {before}, then {answered}")
        if answered.accepted:
            receipt = _receipt(answered.body)
            claim(receipt.op == op, f"{name} asked for {op} and has the receipt of {receipt.op}")
            claim(self.books.ops.get(op) == receipt.seq, f"{name} was answered {receipt}, the facts say {self.books.ops.get(op)}")
        else:
            claim(op not in self.books.ops, f"{name} was refused and took effect all the same")

    def begin_anew(self, reader: Reader) -> None:
        """After a crash: what had been committed must be there still, unchanged, with anything whose outcome was unknown."""
        before, self.books, self.told = self.books, Books(), []
        self.read_on(reader)
        claim(self.books.seq >= before.seq, f"facts {self.books.seq + 1} to {before.seq} are lost")
        for old, new in zip(before.told, self.books.told, strict=False):
            claim(old == new, f"fact {old.seq} is another one now")
        self.told = self.told[before.seq :]

    def compare(self, reader: Reader) -> None:
        """Every table against the books; raises `ViolationError` at the first difference."""
        for part in (self._purses, self._stalls, self._answers, self._alarms, self._followers, self._tally):
            part(reader)

    def _purses(self, reader: Reader) -> None:
        purses = {id: balance for id, balance, _ in reader.rows("SELECT id, balance, moves FROM purse")}
        _same("purses", purses, dict(self.books.purses))
        claim(sum(purses.values()) == 0, "the purses do not sum to nothing")
        claim(all(balance >= 0 for id, balance in purses.items() if id != MINT), "a purse is below zero")
        moves = Counter(reader.rows("SELECT op, purse, delta FROM move"))
        _same("moves", moves, self.books.moves)
        sizes = Counter(purse for _, purse, _ in moves.elements())
        _same("counts of moves", {id: count for id, count in reader.rows("SELECT id, moves FROM purse")}, dict(sizes))  # noqa: C416 - rows are tuples

    def _stalls(self, reader: Reader) -> None:
        books = self.books
        stalls = {item: (on_hand, held) for item, on_hand, held in reader.rows("SELECT item, on_hand, held FROM stall")}
        claim(all(0 <= held <= on_hand for on_hand, held in stalls.values()), f"oversold: {stalls}")
        _same("stalls", stalls, {item: (books.on_hand[item], books.held[item]) for item in books.on_hand})
        holds = {
            row[0]: Hold(row[0], row[1], row[2], HoldState(row[3]), row[4])
            for row in reader.rows("SELECT id, item, quantity, state, due FROM hold")
        }
        _same("holds", holds, books.holds)

    def _answers(self, reader: Reader) -> None:
        kept = {name: Answered(bool(accepted), body) for name, accepted, body in reader.rows("SELECT name, accepted, body FROM answer")}
        for name, answered in self.answered.items():
            claim(kept.get(name) == answered, f"{name} was answered {answered}, the store has {kept.get(name)}")
        effects = {_receipt(answered.body).op: _receipt(answered.body).seq for answered in kept.values() if answered.accepted}
        _same("answers and effects", effects, self.books.ops)

    def _alarms(self, reader: Reader) -> None:
        books = self.books
        wanted = {("Ring", bell) for bell in books.bells if bell not in books.rung}
        optional = {("Expire", id) for id, hold in books.holds.items() if hold.state is HoldState.TAKEN}
        wanted |= {("Expire", id) for id, hold in books.holds.items() if hold.state is HoldState.HELD}
        there = Counter(
            (kind, next(iter(msgspec.json.decode(body).values()))) for kind, body in reader.rows("SELECT kind, body FROM alarm")
        )
        claim(all(count == 1 for count in there.values()), "an alarm was set twice")
        claim(wanted <= set(there) <= wanted | optional, f"alarms that differ: {set(there) ^ wanted}")

    def _followers(self, reader: Reader) -> None:
        stands: dict[str, int] = dict(reader.rows("SELECT follower, seq FROM cursor"))
        parked: dict[str, set[int]] = {"fame": set(), "census": set()}
        for follower, seq in reader.rows("SELECT follower, seq FROM parked"):
            parked[follower].add(seq)
        paid = [Books.decoders["Paid"].decode(told.body) for told in self._heard("fame", stands, parked, {"Paid"})]
        fame: dict[str, tuple[int, int]] = {}
        for fact in paid:
            payments, amount = fame.get(fact.payee, (0, 0))
            fame[fact.payee] = payments + 1, amount + fact.amount
        _same(
            "fame", {purse: (payments, amount) for purse, payments, amount in reader.rows("SELECT purse, payments, amount FROM fame")}, fame
        )
        _same("thanks", self.books.thanked, {fact.op for fact in paid if fact.op % THANKS_EVERY == 0})
        census = Counter(told.kind for told in self._heard("census", stands, parked, COUNTED))
        _same("census", dict(reader.rows("SELECT kind, count FROM census")), dict(census))

    def _heard(self, follower: str, stands: Mapping[str, int], parked: Mapping[str, set[int]], kinds: Collection[str]) -> list[Told]:
        through = stands.get(follower, 0)
        claim(through <= self.books.seq, f"{follower} has heard {through} of {self.books.seq} facts")
        return [told for told in self.books.told[:through] if told.kind in kinds and told.seq not in parked[follower]]

    def _tally(self, reader: Reader) -> None:
        tally: dict[str, int] = dict(reader.rows("SELECT kind, count FROM tally"))
        claim("spoilt" not in tally, "a broken command has left something")
        claim(tally.get("rang", 0) == len(self.books.rung), f"{tally.get('rang')} rings, {len(self.books.rung)} told")
        claim(tally.get("surveyed", 0) == self.books.surveys, f"{tally.get('surveyed')} surveys, {self.books.surveys} told")


def _same(what: str, there: Any, wanted: Any) -> None:
    if there != wanted:
        raise ViolationError(f"{what} differ: {_difference(there, wanted)}")


def _difference(there: Any, wanted: Any) -> str:
    if isinstance(there, Mapping):
        keys = [key for key in {*there, *wanted} if there.get(key) != wanted.get(key)]
        return ", ".join(f"{key}: {there.get(key)} and not {wanted.get(key)}" for key in sorted(keys, key=str)[:5])
    return f"{there} and not {wanted}"
