"""What people ask of the toy market; `op` numbers each ask, so that checkers find its effect."""

from collections.abc import Callable
from enum import StrEnum
from typing import NoReturn

from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx
from yunduan.testing.bazaar import facts, model, store
from yunduan.testing.bazaar.model import BazaarRefusal, Hold, HoldState, Purse, Receipt, Stall, Unheard
from yunduan.testing.bazaar.store import HOLDS, PURSES, STALLS


class Mint(Command[Receipt], spends_key=True):
    """Make money for somebody, who may be new."""

    op: int
    purse: str
    amount: int


class Pay(Command[Receipt], refuses=(BazaarRefusal.NO_SUCH_PURSE, BazaarRefusal.SHORT), spends_key=True):
    """Move money; with `late` the payee has it before anybody looks whether the payer can."""

    op: int
    payer: str
    payee: str
    amount: int
    late: bool = False


class Supply(Command[Receipt]):
    """Bring things to sell."""

    op: int
    item: str
    quantity: int


class Reserve(Command[Receipt], refuses=(BazaarRefusal.NO_SUCH_ITEM, BazaarRefusal.SOLD_OUT)):
    """Hold things for a while."""

    op: int
    item: str
    quantity: int
    hold_ms: int


class Purchase(Command[Receipt], refuses=BazaarRefusal, spends_key=True):
    """Pay for what is held and take it, both or neither."""

    op: int
    hold: int
    payer: str
    payee: str
    amount: int


class Expire(Command[None]):
    """An alarm: what nobody has taken is free again."""

    hold: int


class SetBell(Command[Receipt]):
    """Have something ring once."""

    op: int
    in_ms: int


class Ring(Command[None]):
    """An alarm that would be told twice if it rang twice."""

    bell: int


class Survey(Command[Receipt]):
    """Count the purses, with those that wait to be written."""

    op: int


class Thank(Command[None]):
    """Say thanks for a payment."""

    op: int


class Wrong(StrEnum):
    """The ways in which a program can be broken."""

    RAISES = "raises"
    ADDS_TWICE = "adds_twice"
    CHANGES_NOTHING = "changes_nothing"
    REFUSES_UNDECLARED = "refuses_undeclared"
    ANSWERS_NONSENSE = "answers_nonsense"
    BAD_STATEMENT = "bad_statement"


class Spoil(Command[Receipt]):
    """A broken program: writes a good deal, then fails; nothing of it may stay."""

    op: int
    wrong: Wrong
    purse: str


@handles(Mint)
def mint(tx: Tx, ask: Mint) -> Receipt:
    """Out of the mint, whose debt grows."""
    for purse in (model.MINT, ask.purse):
        if tx.get(PURSES, purse) is None:
            tx.add(PURSES, purse, Purse(purse, 0, 0))
    _move(tx, ask.op, model.MINT, -ask.amount)
    _move(tx, ask.op, ask.purse, ask.amount)
    tx.tell(facts.Minted(op=ask.op, purse=ask.purse, amount=ask.amount))
    return _receipt(tx, ask.op)


@handles(Pay)
def pay(tx: Tx, ask: Pay) -> Receipt:
    """From one to the other."""
    if tx.get(PURSES, ask.payee) is None or tx.get(PURSES, ask.payer) is None:
        raise Refused(BazaarRefusal.NO_SUCH_PURSE)
    tx.tell(facts.Paid(op=ask.op, payer=ask.payer, payee=ask.payee, amount=ask.amount))
    sides = [(ask.payer, -ask.amount), (ask.payee, ask.amount)]
    for purse, delta in reversed(sides) if ask.late else sides:
        _move(tx, ask.op, purse, delta)
        if ask.late:
            store.tally(tx, "late")
    return _receipt(tx, ask.op)


@handles(Supply)
def supply(tx: Tx, ask: Supply) -> Receipt:
    """More of a thing, or a new thing."""
    stall = tx.get(STALLS, ask.item)
    if stall is None:
        tx.add(STALLS, ask.item, Stall(ask.item, ask.quantity, 0))
    else:
        tx.put(STALLS, ask.item, Stall(stall.item, stall.on_hand + ask.quantity, stall.held))
    tx.tell(facts.Supplied(op=ask.op, item=ask.item, quantity=ask.quantity))
    return _receipt(tx, ask.op)


@handles(Reserve)
def reserve(tx: Tx, ask: Reserve) -> Receipt:
    """Held until the alarm."""
    stall = tx.get(STALLS, ask.item)
    if stall is None:
        raise Refused(BazaarRefusal.NO_SUCH_ITEM)
    tx.put(STALLS, ask.item, model.held(stall, ask.quantity))
    hold = Hold(ask.op, ask.item, ask.quantity, HoldState.HELD, tx.now + ask.hold_ms)
    tx.add(HOLDS, hold.id, hold)
    tx.at(hold.due, Expire(hold=hold.id))
    tx.tell(facts.Reserved(op=ask.op, item=ask.item, quantity=ask.quantity, due=hold.due))
    return _receipt(tx, ask.op)


@handles(Purchase)
def purchase(tx: Tx, ask: Purchase) -> Receipt:
    """The things first, so that money that is short must undo them."""
    _end(tx, ask.hold, HoldState.TAKEN)
    tx.tell(facts.Taken(op=ask.op, hold=ask.hold))
    tx.send(Pay(op=ask.op, payer=ask.payer, payee=ask.payee, amount=ask.amount))
    return Receipt(op=ask.op, seq=tx.head.fact_seq - 1)


@handles(Expire)
def expire(tx: Tx, ask: Expire) -> None:
    """Harmless when the things have been taken."""
    hold = tx.get(HOLDS, ask.hold)
    if hold is not None and hold.state is HoldState.HELD:
        _end(tx, ask.hold, HoldState.EXPIRED)
        tx.tell(facts.Expired(hold=ask.hold))


@handles(SetBell)
def set_bell(tx: Tx, ask: SetBell) -> Receipt:
    """By an alarm."""
    tx.at(tx.now + ask.in_ms, Ring(bell=ask.op))
    tx.tell(facts.BellSet(op=ask.op, due=tx.now + ask.in_ms))
    return _receipt(tx, ask.op)


@handles(Ring)
def ring(tx: Tx, ask: Ring) -> None:
    """Without looking whether it has rung: that is the runtime's promise."""
    store.tally(tx, "rang")
    tx.tell(facts.Rang(bell=ask.bell))


@handles(Survey)
def survey(tx: Tx, ask: Survey) -> Receipt:
    """By statements, between the remembered rows of others."""
    purses = store.counted_purses(tx)
    store.tally(tx, "surveyed")
    tx.tell(facts.Surveyed(op=ask.op, purses=purses))
    return _receipt(tx, ask.op)


@handles(Thank)
def thank(tx: Tx, ask: Thank) -> None:
    """Tell it."""
    tx.tell(facts.Thanked(op=ask.op))


@handles(Spoil)
def spoil(tx: Tx, ask: Spoil) -> object:
    """Pay out of nowhere, and fail."""
    purse = tx.get(PURSES, ask.purse) or Purse(ask.purse, 0, 0)
    tx.tell(facts.Minted(op=ask.op, purse=purse.id, amount=1))
    store.note_move(tx, ask.op, purse.id, 1)
    store.tally(tx, "spoilt")
    return _WRONGS[ask.wrong](tx, ask)


def _raise(_: Tx, __: Spoil) -> NoReturn:
    raise RuntimeError("a broken program")


def _add_twice(tx: Tx, ask: Spoil) -> Receipt:
    invariant(tx.get(PURSES, model.MINT) is not None, "there is a mint")
    tx.add(PURSES, model.MINT, Purse(model.MINT, 0, 0))
    return _receipt(tx, ask.op)


def _change_nothing(tx: Tx, ask: Spoil) -> Receipt:
    tx.put(PURSES, "nobody", Purse("nobody", 1, 1))
    return _receipt(tx, ask.op)


def _refuse_undeclared(_: Tx, __: Spoil) -> NoReturn:
    raise Refused(Unheard.OF)


def _answer_nonsense(_: Tx, __: Spoil) -> object:
    return object()


def _state_badly(tx: Tx, _: Spoil) -> None:
    tx.write("INSERT INTO tally (kind, count) VALUES (NULL, NULL)")


_WRONGS: dict[Wrong, Callable[[Tx, Spoil], object]] = {
    Wrong.RAISES: _raise,
    Wrong.ADDS_TWICE: _add_twice,
    Wrong.CHANGES_NOTHING: _change_nothing,
    Wrong.REFUSES_UNDECLARED: _refuse_undeclared,
    Wrong.ANSWERS_NONSENSE: _answer_nonsense,
    Wrong.BAD_STATEMENT: _state_badly,
}


def _move(tx: Tx, op: int, id: str, delta: int) -> None:
    purse = tx.get(PURSES, id)
    if purse is None:
        raise Refused(BazaarRefusal.NO_SUCH_PURSE)
    tx.put(PURSES, id, model.moved(purse, delta))
    store.note_move(tx, op, id, delta)


def _end(tx: Tx, id: int, state: HoldState) -> None:
    hold = tx.get(HOLDS, id)
    stall = tx.get(STALLS, hold.item) if hold else None
    if hold is None or stall is None:
        raise Refused(BazaarRefusal.NO_SUCH_HOLD)
    tx.put(HOLDS, id, model.ended(hold, state))
    tx.put(STALLS, stall.item, model.let_go(stall, hold, taken=state is HoldState.TAKEN))


def _receipt(tx: Tx, op: int) -> Receipt:
    return Receipt(op=op, seq=tx.head.fact_seq)
