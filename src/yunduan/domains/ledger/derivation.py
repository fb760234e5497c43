"""Adds the counters up from the transfers alone: what the seal of each batch, the job that runs behind and the audit all check by."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from yunduan.domains.ledger.model import Counters, Form
from yunduan.kernel.ids import AccountId, TransferId

Row = Sequence[Any]
Sum = list[Any]
"""The counters of an account (see `model.Counters`), its flags and its currency: changed in place."""
COUNTERS = 7
FAULTS_KEPT_MAX = 1000


class FaultKind(StrEnum):
    """What may be wrong with a book."""

    ACCOUNT_MISSING = "account_missing"
    BALANCE = "balance_differs"
    BLOCK = "block_differs"
    CHAIN = "chain_cut"
    COUNTERS = "counters_differ"
    CURRENCY = "currency_differs"
    GAP = "gap"
    HEAD = "head_differs"
    HOLD = "hold_differs"
    LIMIT = "limit_passed"
    LINK = "link_differs"
    MILESTONE = "milestone_differs"
    ROOT = "root_differs"
    SUM = "sum_not_zero"
    TIME = "time_runs_back"


class Fault(Struct, frozen=True):
    """One thing that is wrong, and where."""

    kind: FaultKind
    where: str
    detail: str = ""

    def __str__(self) -> str:
        """Where it is, and what is there."""
        return f"{self.where}: {self.detail}" if self.detail else self.where


def begun(form: Form, counters: Counters) -> Sum:
    """Where a sum begins."""
    return [*counters, form.flags, form.currency]


class Derivation:
    """A running sum over transfers in the order of `seq`, written for a million of them.

    `begin` gives the sum of an account that is not in `accounts` yet (nothing when there is no such account), `hold` the row of a
    hold that is still open.
    """

    def __init__(
        self, begin: Callable[[AccountId], Sum | None], hold: Callable[[TransferId], Row | None], accounts: dict[AccountId, Sum]
    ) -> None:
        """Begin with the sums that are known."""
        self._begin = begin
        self._hold = hold
        self.accounts = accounts
        self.milestones: list[tuple[AccountId, int, int]] = []
        self.faults: list[Fault] = []
        self.faults_found = 0

    def take(self, rows: Iterable[Row]) -> None:
        """Add transfers, and note whatever does not agree with those before."""
        accounts, met, milestone = self.accounts, self._met, self.milestones.append
        for row in rows:
            _, seq, debit, credit, amount, currency, _, kind, _, _, at, _, debit_after, credit_after, debit_prev, credit_prev = row
            d = accounts[debit] if debit in accounts else met(debit)
            c = accounts[credit] if credit in accounts else met(credit)
            if kind == "single":
                debits = d[1] = d[1] + amount
                credits = c[2] = c[2] + amount
            else:
                self._take_held(row, d, c)
                debits, credits = d[1], c[2]
            if d[2] - debits != debit_after or credits - c[1] != credit_after:
                self.note(FaultKind.BALANCE, f"transfer {seq}", f"{debit_after}, {credit_after} for {d[2] - d[1]}, {c[2] - c[1]}")
            if d[5] != debit_prev or c[5] != credit_prev:
                self.note(FaultKind.LINK, f"transfer {seq}", f"{debit_prev}, {credit_prev} for {d[5]}, {c[5]}")
            d[5] = c[5] = seq
            count = d[6] = d[6] + 1
            if not count & 63:
                milestone((debit, at, seq))
            count = c[6] = c[6] + 1
            if not count & 63:
                milestone((credit, at, seq))
            if (d[7] & 1 and debits + d[3] > d[2]) or (c[7] & 2 and credits + c[4] > c[1]):
                self.note(FaultKind.LIMIT, f"transfer {seq}", debit if d[7] & 1 else credit)
            if d[8] != currency or c[8] != currency:
                self.note(FaultKind.CURRENCY, f"transfer {seq}", currency)

    def note(self, kind: FaultKind, where: str, detail: str = "") -> None:
        """Keep a fault; of very many only the first."""
        self.faults_found += 1
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(Fault(kind, where, detail))

    def _met(self, id: AccountId) -> Sum:
        found = self._begin(id)
        if found is None:
            self.note(FaultKind.ACCOUNT_MISSING, f"account {id}")
            found = [0, 0, 0, 0, 0, 0, 0, 0, ""]
        self.accounts[id] = found
        return found

    def _take_held(self, row: Row, d: Sum, c: Sum) -> None:
        id, seq, debit, credit, amount, _, _, kind, ref, *_ = row
        if kind == "pending":
            d[3] += amount
            c[4] += amount
            return
        hold = self._hold(ref)
        if hold is None or hold[7] != "pending" or (hold[2], hold[3]) != (debit, credit):
            self.note(FaultKind.HOLD, f"transfer {seq}", f"{id} ends {ref}, which is not an open hold of these accounts")
            return
        held = hold[4]
        if amount > held or (kind != "post" and amount != held):
            self.note(FaultKind.HOLD, f"transfer {seq}", f"{id} ends {ref} with {amount} of {held}")
        d[3] -= held
        c[4] -= held
        if kind == "post":
            d[1] += amount
            c[2] += amount
