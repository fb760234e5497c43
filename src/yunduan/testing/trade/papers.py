"""Every document that the tables of the trade hold, as they are in one commit.

What has not changed since it was read last is not decoded again, and what hangs on nothing else is not looked at again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

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
from yunduan.testing.trade.laws import Laws

_BALANCES = "SELECT a.id, c.credits_posted - c.debits_posted FROM account a JOIN counter c ON c.number = a.number"
_STOCK = "SELECT variant_id, location_id, on_hand, held FROM stock"
_COUNTED = (
    "SELECT variant_id, location_id, CAST(sum(on_hand_after - on_hand_before) AS INTEGER),"
    " CAST(sum(CASE reason WHEN 'moved' THEN on_hand_after - on_hand_before ELSE 0 END) AS INTEGER) FROM stock_change GROUP BY 1, 2"
)


class _Source(Struct, frozen=True):
    """What is read of which tables, and what becomes of a row; nothing of one that is a pair, or is wanted as it is."""

    sql: str
    tables: frozenset[str]
    value: Callable[[Row], Any] | None = None
    key: str = "id"


def _of_table(table: Table[Any, Any]) -> _Source:
    return _Source(f"SELECT {', '.join(table.columns)} FROM {table.name}", frozenset({table.name}), table.value)  # noqa: S608 - names from code


def _of_documents(name: str, kind: type[Any], key: str = "id") -> _Source:
    decode = msgspec.json.Decoder(kind).decode
    return _Source(f"SELECT body FROM {name}", frozenset({name}), lambda row: decode(row[0]), key)  # noqa: S608 - names from code


_DOCUMENTS: Mapping[str, _Source] = {
    "orders": _of_table(ORDER),
    "cases": _of_table(CASE),
    "holds": _of_table(HOLD),
    "errands": _of_table(OUTGOING),
    "payments": _of_documents("payment", Payment),
    "escrows": _of_documents("escrow", Escrow, "order_id"),
    "refunds": _of_documents("payment_refund", Refund),
    "payouts": _of_documents("payment_payout", Payout),
    "chargebacks": _of_documents("payment_chargeback", Chargeback),
    "unclaimed": _of_documents("payment_unclaimed", Unclaimed),
    "splits": _of_documents("payment_split", Split),
}
_SOURCES: Mapping[str, _Source] = {
    **_DOCUMENTS,
    "balances": _Source(_BALANCES, frozenset({"account", "counter"})),
    "stock": _Source(_STOCK, frozenset({"stock"})),
    "counted": _Source(_COUNTED, frozenset({"stock_change"})),
}
Law = Callable[["Papers"], None]
"""What must be true of the papers, and hangs on nothing else."""


class Papers:
    """The documents by their ids, the balances of all accounts (credits less debits), and what is known from elsewhere."""

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
    stock: Sequence[tuple[str, str, int, int]]
    """Each variant at each location: on hand, and held."""
    counted: Sequence[tuple[str, str, int, int]]
    """The same: how much more there is by what was written down of it, and how much of that by moving."""
    laws: Laws
    """What was told."""
    statement: tuple[Mapping[str, int], Mapping[str, int]]
    """What the channel has collected by each reference, and given back, paid out or taken by each request."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._rows: dict[str, list[Row]] = {}
        self._decoded: dict[str, dict[Row, Any]] = {}
        self._versions: dict[str, object] = {}
        self._held_to: dict[Law, dict[str, object]] = {}

    def read(self, reader: Reader, touched: Collection[str] | None = None) -> None:
        """All of it anew, or what lies in tables that were touched since."""
        for name, source in _SOURCES.items():
            if touched is None or not source.tables.isdisjoint(touched):
                rows = reader.rows(source.sql)
                if rows != self._rows.get(name):
                    self._rows[name] = rows
                    self.take(name, self._made(name, source, rows), object())

    def _made(self, name: str, source: _Source, rows: list[Row]) -> Any:
        if source.value is None:
            return dict(rows) if name == "balances" else rows
        before, value = self._decoded.get(name, {}), source.value
        now = self._decoded[name] = {row: before[row] if row in before else value(row) for row in rows}
        return {getattr(one, source.key): one for one in now.values()}

    def take(self, name: str, value: Any, version: object) -> None:
        """Know this from now on: it has changed when its version has."""
        setattr(self, name, value)
        self._versions[name] = version

    def is_known(self, name: str, version: object) -> bool:
        """Whether it has not changed."""
        return self._versions.get(name) == version

    def hold_to(self, law: Law) -> None:
        """Raise when it is broken; it is not looked at again while all is as it was of which it read anything the last time."""
        before = self._held_to.get(law)
        if before is None or any(self._versions[name] != version for name, version in before.items()):
            glance = _Glance(self)
            law(glance)
            self._held_to[law] = {name: self._versions[name] for name in glance.seen}

    def balance(self, account: str) -> int:
        """What is in an account; nothing in one that there is not."""
        return self.balances.get(account, 0)


class _Glance(Papers):
    """The same papers, and which of them were looked at."""

    def __init__(self, papers: Papers) -> None:
        """Nothing was looked at yet."""
        self._papers = papers
        self.seen: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """What is there, found once."""
        found = getattr(self._papers, name)
        self.seen.append(name)
        setattr(self, name, found)
        return found


def papers_of(reader: Reader) -> Papers:
    """The documents as they are now."""
    found = Papers()
    found.read(reader)
    return found


@lru_cache(maxsize=4_096)
def terms_of(order: Order) -> Terms:
    """What was agreed of an order."""
    return terms(order)
