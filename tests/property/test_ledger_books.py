"""The ledger beside the simplest model that could be right: whatever is asked, in whatever order, both agree about everything."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Struct

from support.ledger import Books, new
from yunduan.backends.sqlite import SqliteStore
from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.ledger.model import AccountFlag, Kind, NewAccount, Transfer, verify
from yunduan.domains.ledger.queries import BalanceAt, ProofOf, StatementOf, TrialBalance
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused

CURRENCIES = ("CNY", "USD")
NAMES = [f"{currency.lower()}{n}" for currency in CURRENCIES for n in range(4)]


class Entry(Struct):
    """One transfer in the model."""

    transfer: Transfer
    at: int
    seq: int


class Refusal(Exception):  # noqa: N818 - as in the house
    """The model says no."""


class Model:
    """A list of transfers; everything else is computed from it, slowly."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.entries: list[Entry] = []
        self.flags: dict[str, AccountFlag] = {}
        self.currency: dict[str, str] = {}
        self.closed: set[str] = set()

    def ended(self) -> dict[str, Entry]:
        """Which holds have ended, and how."""
        return {entry.transfer.pending: entry for entry in self.entries if entry.transfer.pending}

    def counters(self, account: str) -> tuple[int, int, int, int]:
        """Debits and credits posted, debits and credits pending."""
        debits = credits = debits_pending = credits_pending = 0
        ended = self.ended()
        for entry in self.entries:
            t = entry.transfer
            moves = t.amount.amount if t.kind in (Kind.SINGLE, Kind.POST) else 0
            holds = t.amount.amount if t.kind is Kind.PENDING and t.id not in ended else 0
            if t.debit == account:
                debits, debits_pending = debits + moves, debits_pending + holds
            if t.credit == account:
                credits, credits_pending = credits + moves, credits_pending + holds
        return debits, credits, debits_pending, credits_pending

    def balance_at(self, account: str, at: int) -> int:
        """Credits less debits of everything that was posted until then."""
        balance = 0
        for entry in self.entries:
            t = entry.transfer
            if entry.at <= at and t.kind in (Kind.SINGLE, Kind.POST):
                balance += t.amount.amount * ((t.credit == account) - (t.debit == account))
        return balance

    def post(self, transfers: list[Transfer], opening: list[NewAccount], closing: list[str], now: int) -> None:
        """All or nothing."""
        before = list(self.entries), dict(self.flags), dict(self.currency), set(self.closed)
        try:
            for account in opening:
                self._open(account)
            for transfer in transfers:
                self._post(transfer, now)
            for account in closing:
                self._close(account)
        except Refusal:
            self.entries, self.flags, self.currency, self.closed = before
            raise

    def _open(self, account: NewAccount) -> None:
        if account.id not in self.flags:
            self.flags[account.id], self.currency[account.id] = account.flags, account.currency
        elif (self.flags[account.id], self.currency[account.id]) != (account.flags, account.currency):
            raise Refusal

    def _close(self, account: str) -> None:
        if account in self.closed:
            return
        debits, credits, debits_pending, credits_pending = self.counters(account)
        if account not in self.flags or debits != credits or debits_pending or credits_pending:
            raise Refusal
        self.closed.add(account)

    def _post(self, transfer: Transfer, now: int) -> None:
        for entry in self.entries:
            if entry.transfer.id == transfer.id:
                if entry.transfer != transfer:
                    raise Refusal
                return
        sides = (transfer.debit, transfer.credit)
        if any(side not in self.flags or side in self.closed or self.currency[side] != transfer.amount.currency for side in sides):
            raise Refusal
        if transfer.debit == transfer.credit or not transfer.amount.amount or (transfer.due is not None and transfer.due <= now):
            raise Refusal
        if transfer.pending is not None:
            self._check_hold(transfer, now)
        self.entries.append(Entry(transfer, now, len(self.entries) + 1))
        for side in sides:
            debits, credits, debits_pending, credits_pending = self.counters(side)
            if self.flags[side] is AccountFlag.DEBITS_WITHIN_CREDITS and debits + debits_pending > credits:
                raise Refusal
            if self.flags[side] is AccountFlag.CREDITS_WITHIN_DEBITS and credits + credits_pending > debits:
                raise Refusal

    def _check_hold(self, transfer: Transfer, now: int) -> None:
        holds = [entry.transfer for entry in self.entries if entry.transfer.id == transfer.pending]
        if not holds or holds[0].kind is not Kind.PENDING or transfer.pending in self.ended():
            raise Refusal
        hold = holds[0]
        if (hold.debit, hold.credit) != (transfer.debit, transfer.credit) or transfer.amount.amount > hold.amount.amount:
            raise Refusal
        if transfer.kind is Kind.VOID and transfer.amount != hold.amount:
            raise Refusal
        if transfer.kind is Kind.POST and hold.due is not None and hold.due <= now:
            raise Refusal

    def expire(self, now: int) -> None:
        """What alarms do."""
        due = [
            e.transfer for e in self.entries if e.transfer.due is not None and e.transfer.due <= now and e.transfer.id not in self.ended()
        ]
        for hold in sorted(due, key=lambda hold: hold.due or 0):
            ending = Transfer(
                id=TransferId(f"exp_{hold.id}"),
                debit=hold.debit,
                credit=hold.credit,
                amount=hold.amount,
                code=hold.code,
                kind=Kind.EXPIRE,
                pending=hold.id,
            )
            self.entries.append(Entry(ending, hold.due or 0, len(self.entries) + 1))


accounts = st.sampled_from(NAMES)
amounts = st.integers(0, 120)


class Bookkeeping(RuleBasedStateMachine):
    """Rules draw what anyone might ask, sensible or not."""

    def __init__(self) -> None:
        """Open a cloud of its own."""
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.books = Books.on(SqliteStore(Path(self._folder.name) / "yunduan.sqlite"))
        self.model = Model()
        self._made = 0

    def teardown(self) -> None:
        """At the end the whole book is proved, and some transfers."""
        audited = self.books.audited()
        assert audited.faults == ()
        assert audited.transfers == len(self.model.entries)
        for entry in self.model.entries[:: max(1, len(self.model.entries) // 5)]:
            if entry.transfer.kind is not Kind.EXPIRE:
                assert verify(self.books.ask(ProofOf(transfer_id=entry.transfer.id)))
        self.books.close()
        self._folder.cleanup()

    @initialize()
    def open_all(self) -> None:
        """Of each currency: one without a limit, one limited above, two that never go below zero."""
        flags = (AccountFlag.NONE, AccountFlag.CREDITS_WITHIN_DEBITS, *[AccountFlag.DEBITS_WITHIN_CREDITS] * 2)
        opening = [new(f"{currency.lower()}{n}", flag, currency=currency) for currency in CURRENCIES for n, flag in enumerate(flags)]
        self._both([], opening=opening)
        for currency in CURRENCIES:
            low = currency.lower()
            self._both([self._transfer(f"{low}0", f"{low}2", 200), self._transfer(f"{low}0", f"{low}3", 200)])

    def _id(self, draw: int = 0) -> TransferId:
        """Mostly new and growing; sometimes one that was used, or one out of order."""
        self._made += 1
        used = [
            entry.transfer.id for entry in self.model.entries if entry.transfer.kind is not Kind.EXPIRE
        ]  # the ledger has its own for these
        if draw == 1 and used:
            return used[self._made % len(used)]
        return TransferId(f"trf_{5000 - self._made if draw == 2 else 5000 + self._made:06d}")

    def _transfer(self, debit: str, credit: str, amount: int, id: TransferId | None = None, **more: Any) -> Transfer:
        money = Money(amount=amount, currency=debit[:3].upper())
        return Transfer(
            id=id or self._id(), debit=AccountId(f"acc_{debit}"), credit=AccountId(f"acc_{credit}"), amount=money, code=7, **more
        )

    def _both(self, transfers: list[Transfer], opening: list[NewAccount] | None = None, closing: list[str] | None = None) -> None:
        """Ask the ledger and the model: both accept, or both refuse and nothing has changed."""
        self._many([(transfers, opening or [], closing or [])])

    def _many(self, asked: list[tuple[list[Transfer], list[NewAccount], list[str]]]) -> None:
        before = self.books.everything() if len(asked) == 1 else None
        commands = [
            PostTransfers(transfers=tuple(transfers), opening=tuple(opening), closing=tuple(AccountId(id) for id in closing))
            for transfers, opening, closing in asked
        ]
        outcomes = self.books.send_all([(command, SYSTEM) for command in commands])
        now = self.books.clock.wall_ms()
        for (transfers, opening, closing), outcome in zip(asked, outcomes, strict=True):
            assert outcome is None or isinstance(outcome, Refused)
            try:
                self.model.post(transfers, opening, closing, now)
            except Refusal:
                assert isinstance(outcome, Refused)
                assert before is None or self.books.everything() == before
            else:
                assert outcome is None, outcome

    @rule(debit=accounts, credit=accounts, amount=amounts, draw=st.integers(0, 4))
    def single(self, debit: str, credit: str, amount: int, draw: int) -> None:
        """One transfer between any two accounts."""
        self._both([self._transfer(debit, credit, amount, self._id(draw))])

    @rule(data=st.data(), currency=st.sampled_from(("cny", "usd")))
    def linked(self, data: st.DataObject, currency: str) -> None:
        """Several at once, through accounts that may not go below zero."""
        legs = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 80)), min_size=2, max_size=5))
        self._both([self._transfer(f"{currency}{debit}", f"{currency}{credit}", amount) for debit, credit, amount in legs])

    @rule(data=st.data(), currency=st.sampled_from(("cny", "usd")))
    def racing(self, data: st.DataObject, currency: str) -> None:
        """Many commands in one batch, some of which are refused."""
        legs = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 150)), min_size=2, max_size=8))
        self._many([([self._transfer(f"{currency}{debit}", f"{currency}{credit}", amount)], [], []) for debit, credit, amount in legs])

    @rule(debit=st.integers(0, 3), credit=st.integers(0, 3), amount=amounts, wait=st.one_of(st.none(), st.integers(-5, 300)))
    def hold(self, debit: int, credit: int, amount: int, wait: int | None) -> None:
        """Set aside, for a while or until somebody ends it."""
        due = None if wait is None else self.books.clock.wall_ms() + wait
        self._both([self._transfer(f"cny{debit}", f"cny{credit}", amount, kind=Kind.PENDING, due=due)])

    @precondition(lambda self: any(entry.transfer.kind is Kind.PENDING for entry in self.model.entries))
    @rule(data=st.data(), amount=amounts, posts=st.booleans())
    def end(self, data: st.DataObject, amount: int, posts: bool) -> None:
        """Post a part or all of a hold, or void it, whether it has ended or not."""
        hold = data.draw(st.sampled_from([e.transfer for e in self.model.entries if e.transfer.kind is Kind.PENDING]))
        money = Money(amount=min(amount, hold.amount.amount + 1), currency="CNY")
        self._both([hold.posted(self._id(), money) if posts else hold.voided(self._id())])

    @rule(amount=st.integers(1, 50), left=st.integers(0, 1))
    def through_an_escrow(self, amount: int, left: int) -> None:
        """An account opened, used and closed in one command; with something left in it, nothing of that happens."""
        self._made += 1
        name = f"cnyescrow{self._made}"
        legs = [self._transfer("cny2", name, amount), self._transfer(name, "cny3", amount - left)]
        self._both([leg for leg in legs if leg.amount], opening=[new(name)], closing=[f"acc_{name}"])

    @precondition(lambda self: len(self.model.entries) > 2)
    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        """What was accepted is asked for once more, and nothing happens."""
        entry = data.draw(st.sampled_from([e for e in self.model.entries if e.transfer.kind is not Kind.EXPIRE]))
        before = self.books.everything()
        self._both([entry.transfer])
        assert self.books.everything() == before

    @rule(by=st.integers(0, 200))
    def pass_time(self, by: int) -> None:
        """Alarms ring on the way."""
        self.books.pass_time(by)
        self.model.expire(self.books.clock.wall_ms())

    @rule()
    def forget(self) -> None:
        """What the writer remembers is gone, as after a restart."""
        self.books.cloud.writer._tx.forget()

    @invariant()
    def every_counter_is_the_models(self) -> None:
        """Of every account, at all times."""
        for id in self.model.flags:
            assert self.books.counters(id.removeprefix("acc_")) == self.model.counters(id)

    @invariant()
    def the_books_balance(self) -> None:
        """In each currency; and who may not go below zero is not there."""
        assert self.books.ask(TrialBalance()).balanced
        for id, flags in self.model.flags.items():
            debits, credits, debits_pending, _ = self.books.counters(id.removeprefix("acc_"))
            assert flags is not AccountFlag.DEBITS_WITHIN_CREDITS or debits + debits_pending <= credits

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        """Statement and balance at every time are the model's."""
        id = AccountId(f"acc_{data.draw(accounts)}")
        lines = self.books.ask(StatementOf(account_id=id, limit=100)).items
        mine = [entry for entry in self.model.entries if id in (entry.transfer.debit, entry.transfer.credit)]
        seen = [(line.seq, line.kind, line.amount, line.at) for line in lines]
        assert seen == [(e.seq, e.transfer.kind, e.transfer.amount, e.at) for e in reversed(mine)][:100]
        times = {entry.at + step for entry in mine for step in (-1, 0, 1)} | {0, self.books.clock.wall_ms()}
        for at in sorted(times):
            assert self.books.ask(BalanceAt(account_id=id, at=at)).balance == self.model.balance_at(id, at)
        if lines:
            assert lines[0].balance == self.model.balance_at(id, 2**53)


Bookkeeping.TestCase.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.slow
class TestBookkeeping(Bookkeeping.TestCase):  # type: ignore[name-defined, misc]
    """Forty stories of forty steps."""
