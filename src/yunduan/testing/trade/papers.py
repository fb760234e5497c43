"""Every document that the tables of the trade hold, as they are in one commit; what has not changed since is not decoded again."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from yunduan.domains.catalog.model import Hold
from yunduan.domains.catalog.store import HOLD
from yunduan.domains.orders.cases import Case
from yunduan.domains.orders.model import Order, Terms
from yunduan.domains.orders.store import CASE, ORDER, terms
from yunduan.domains.payments.errands import Outgoing
from yunduan.domains.payments.model import Chargeback, Escrow, Payment, Refund, Split
from yunduan.domains.payments.payees import Payout
from yunduan.domains.payments.store import OUTGOING
from yunduan.domains.payments.unclaimed import Unclaimed
from yunduan.kernel.ids import CaseId, OrderId
from yunduan.runtime.ports import Reader, Row, Table

_BALANCES = "SELECT a.id, c.credits_posted - c.debits_posted FROM account a JOIN counter c ON c.number = a.number"


def _of_table(table: Table[Any, Any]) -> tuple[str, Callable[[Row], Any]]:
    return f"SELECT {', '.join(table.columns)} FROM {table.name}", table.value  # noqa: S608 - names from code


def _of_documents(name: str, kind: type[Any]) -> tuple[str, Callable[[Row], Any]]:
    decode = msgspec.json.Decoder(kind).decode
    return f"SELECT body FROM {name}", lambda row: decode(row[0])  # noqa: S608 - names from code


_SOURCES: Mapping[str, tuple[str, Callable[[Row], Any]]] = {
    "orders": _of_table(ORDER),
    "cases": _of_table(CASE),
    "holds": _of_table(HOLD),
    "errands": _of_table(OUTGOING),
    "payments": _of_documents("payment", Payment),
    "escrows": _of_documents("escrow", Escrow),
    "refunds": _of_documents("payment_refund", Refund),
    "payouts": _of_documents("payment_payout", Payout),
    "chargebacks": _of_documents("payment_chargeback", Chargeback),
    "unclaimed": _of_documents("payment_unclaimed", Unclaimed),
    "splits": _of_documents("payment_split", Split),
}


class Papers:
    """The documents by their ids, and the balances of all accounts (credits less debits)."""

    orders: Mapping[OrderId, Order]
    cases: Mapping[CaseId, Case]
    holds: Mapping[str, Hold]
    errands: Mapping[str, Outgoing]
    payments: Mapping[str, Payment]
    escrows: Mapping[OrderId, Escrow]
    refunds: Mapping[str, Refund]
    payouts: Mapping[str, Payout]
    chargebacks: Mapping[str, Chargeback]
    unclaimed: Mapping[str, Unclaimed]
    splits: Mapping[str, Split]
    balances: Mapping[str, int]

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._seen: dict[str, dict[Row, Any]] = {}

    def read(self, reader: Reader) -> None:
        """All of it anew."""
        for name, (sql, value) in _SOURCES.items():
            before = self._seen.get(name, {})
            now = {row: before[row] if row in before else value(row) for row in reader.rows(sql)}
            self._seen[name] = now
            setattr(self, name, {one.order_id if name == "escrows" else one.id: one for one in now.values()})
        self.balances = dict(reader.rows(_BALANCES))

    def balance(self, account: str) -> int:
        """What is in an account; nothing in one that there is not."""
        return self.balances.get(account, 0)


def papers_of(reader: Reader) -> Papers:
    """The documents as they are now."""
    found = Papers()
    found.read(reader)
    return found


@lru_cache(maxsize=4_096)
def terms_of(order: Order) -> Terms:
    """What was agreed of an order."""
    return terms(order)
