"""A provider that keeps what it collects (资金存管): it stays there until it is split between a shop and the marketplace, or goes back.

A split is asked for under an id and done a little later, or refused: never more than is kept of a charge, never after its longest time.
What was split can be asked back under another id, as long as the shop still has it there, and is kept again. What a payer's bank takes
back it charges to the marketplace's own money, which may go below nothing by that.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from yunduan.backends.sandbox.channel import DAY_MS, EVIDENCE_MS, Account, Asked, Event, Said, Sandbox, checks
from yunduan.kernel.money import Money

HOLD_MS = 180 * DAY_MS
"""How long it keeps money."""

_TABLES = """
CREATE TABLE IF NOT EXISTS split (
    request TEXT PRIMARY KEY, reference TEXT NOT NULL, origin TEXT NOT NULL, shop TEXT NOT NULL, of_shop INTEGER NOT NULL,
    of_marketplace INTEGER NOT NULL, state TEXT NOT NULL, verdict TEXT NOT NULL, decided_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS split_of_charge ON split (reference);
CREATE TABLE IF NOT EXISTS bank (name TEXT PRIMARY KEY, at INTEGER NOT NULL, returned_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_move (
    name TEXT PRIMARY KEY, what TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS split_open ON split (decided_at) WHERE state = 'waiting';
"""


class Kept(Struct, frozen=True, kw_only=True):
    """Where money is there, in minor units: kept for orders, given to shops, and the marketplace's own, below zero when it owes."""

    held: int
    given: int
    own: int


class KeptLine(Struct, frozen=True, kw_only=True):
    """One movement in the provider's books. `amount` is what moved in all; of a split or its return the shop's part is said beside it."""

    what: str
    reference: str
    amount: Money
    request: str = ""
    shop: str = ""
    of_shop: int = 0
    at: int = 0


class Statement(Struct, frozen=True, kw_only=True):
    """What moved in a time, and where all money was at the end of it, by currency."""

    lines: list[KeptLine]
    balances: dict[str, Kept]


class Custodian(Sandbox):
    """The channel named `custodian`."""

    tables = Sandbox.tables + _TABLES
    dues = (*Sandbox.dues, "SELECT min(decided_at) FROM split WHERE state = 'waiting'")
    hold_ms = HOLD_MS

    # What our couriers ask

    async def refund(self, request: str, reference: str, amount: Money) -> Asked:
        """Give back what it keeps, never what it has split."""
        is_new = self._row("SELECT 1 FROM refund WHERE request = ?", request) is None
        if is_new and amount.amount > self.kept(reference):
            return "refused"
        return await super().refund(request, reference, amount)

    async def release(self, request: str, reference: str, account: Account, amount: Money) -> Asked:
        """Pay what it keeps to an account, where it could not go back the way it came."""
        return await self.refund(request, reference, amount) if checks(account.number) else "refused"

    async def split(self, request: str, reference: str, shop: str, *, to_shop: Money, to_marketplace: Money) -> Asked:
        """Divide so much of what it keeps of a charge, a little later; once for each request."""
        if self._happens(self.misbehaviour.unreachable):
            return "unreachable"
        with self._books:
            known = self._row("SELECT reference, shop, of_shop, of_marketplace FROM split WHERE request = ?", request)
            if known is not None:
                return "accepted" if known == (reference, shop, to_shop.amount, to_marketplace.amount) else "refused"
            charge = self._row("SELECT currency, state, at FROM charge WHERE reference = ?", reference)
            if charge is None or charge[:2] != (to_shop.currency, Said.CAPTURED) or self._now() >= charge[2] + self.hold_ms:
                return "refused"
            if not 0 < to_shop.amount + to_marketplace.amount <= self.kept(reference):
                return "refused"
            verdict = Said.SPLIT_REFUSED if self._happens(self.misbehaviour.refuses_splits) else Said.SPLIT
            self._write(request, reference, "", shop, to_shop.amount, to_marketplace.amount, verdict)
        return "accepted"

    async def take_back(self, request: str, origin: str, *, from_shop: Money, from_marketplace: Money) -> Asked:
        """Keep again what was split under the request `origin`, or a part of it, a little later; once for each request."""
        if self._happens(self.misbehaviour.unreachable):
            return "unreachable"
        with self._books:
            known = self._row("SELECT origin, of_shop, of_marketplace FROM split WHERE request = ?", request)
            if known is not None:
                return "accepted" if known == (origin, from_shop.amount, from_marketplace.amount) else "refused"
            found = self._row("SELECT reference, shop, of_shop, of_marketplace FROM split WHERE request = ? AND state = 'split'", origin)
            if found is None or not from_shop.amount + from_marketplace.amount > 0:
                return "refused"
            gone = self._row(
                "SELECT coalesce(sum(of_shop), 0), coalesce(sum(of_marketplace), 0) FROM split"
                " WHERE origin = ? AND verdict = 'split_returned'",
                origin,
            ) or (0, 0)
            if from_shop.amount > found[2] - gone[0] or from_marketplace.amount > found[3] - gone[1]:
                return "refused"
            verdict = Said.SPLIT_KEPT if self._happens(self.misbehaviour.refuses_returns) else Said.SPLIT_RETURNED
            self._write(request, found[0], origin, found[1], from_shop.amount, from_marketplace.amount, verdict)
        return "accepted"

    def _write(self, *row: Any) -> None:
        *fields, verdict = row
        decided_at = self._now() + self.misbehaviour.refund_ms
        self._books.execute("INSERT INTO split VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*fields, Said.WAITING, verdict, decided_at))

    # What its books say

    def kept(self, reference: str) -> int:
        """What it keeps of a charge and is not about to give back or split."""
        charge = self._row("SELECT amount FROM charge WHERE reference = ? AND state = 'captured'", reference)
        (gone,) = self._rows(
            "SELECT (SELECT coalesce(sum(amount), 0) FROM refund WHERE reference = ?1 AND verdict = 'refunded')"
            " + (SELECT coalesce(sum(of_shop + of_marketplace), 0) FROM split WHERE reference = ?1 AND verdict = 'split')"
            " - (SELECT coalesce(sum(of_shop + of_marketplace), 0) FROM split WHERE reference = ?1 AND state = 'split_returned')",
            reference,
        )[0]
        return int(charge[0] - gone) if charge else 0

    def charge_back(self, reference: str, amount: int = 0, *, fee: int = 0, evidence_ms: int = EVIDENCE_MS) -> str:
        """As any; when it was, stands in its statement."""
        name = super().charge_back(reference, amount, fee=fee, evidence_ms=evidence_ms)
        if name:
            self._books.execute("INSERT INTO bank VALUES (?, ?, 0)", (name, self._now()))
        return name

    def decide_chargeback(self, name: str, *, won: bool, amount: int = 0, fee: int | None = None) -> bool:
        """As any; the same."""
        changed = super().decide_chargeback(name, won=won, amount=amount, fee=fee)
        if changed and won:
            self._books.execute("UPDATE bank SET returned_at = ? WHERE name = ?", (self._now(), name))
        return changed

    def move_own(self, name: str, amount: Money, *, is_paid_in: bool) -> None:
        """The marketplace pays money of its own in, or has it paid to its bank account; once for a name."""
        row = (name, "paid_in" if is_paid_in else "taken_out", amount.amount, amount.currency, self._now())
        self._books.execute("INSERT INTO own_move VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)

    def split_by_itself(self, name: str, reference: str, shop: str, *, to_shop: int, to_marketplace: int) -> None:
        """Divide what it keeps of a charge without being asked."""
        row = (name, reference, "", shop, to_shop, to_marketplace, Said.SPLIT, Said.SPLIT, self._now())
        self._books.execute("INSERT INTO split VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    async def statement_of(self, since: int, until: int) -> Statement | None:
        """What moved from `since` to before `until`, and where all money was then."""
        if self._happens(self.misbehaviour.unreachable):
            return None
        with self._books:
            self._finish()
        currencies = [row[0] for row in self._rows("SELECT DISTINCT currency FROM charge WHERE state = 'captured' ORDER BY currency")]
        lines = [line for currency in currencies for line in self.book(currency, since=since, until=until)]
        return Statement(lines=lines, balances={currency: self.balances(currency, until=until) for currency in currencies})

    def balances(self, currency: str, *, until: int = 2**62) -> Kept:
        """Where all money of a currency is, or was before a moment."""
        lines = self.book(currency, until=until)
        sums = {what: sum(line.amount.amount for line in lines if line.what == what) for what in _WHATS}
        shops = {what: sum(line.of_shop for line in lines if line.what == what) for what in _WHATS}
        given = shops["split"] - shops["returned"]
        return Kept(
            held=sums["collected"] - sums["refunded"] - sums["split"] + sums["returned"],
            given=given,
            own=sums["split"]
            - sums["returned"]
            - given
            - sums["charged_back"]
            + sums["bank_returned"]
            + sums["paid_in"]
            - sums["taken_out"],
        )

    def book(self, currency: str, *, since: int = 0, until: int = 2**62) -> list[KeptLine]:
        """Everything that moved from `since` to before `until`, in the order in which it did; fees stand in the other statement."""
        rows = self._rows(
            "SELECT 'collected' AS what, reference, amount, '' AS request, '' AS shop, 0 AS of_shop, at FROM charge"
            " WHERE currency = ?1 AND state = 'captured' UNION ALL"
            " SELECT 'refunded', r.reference, r.amount, r.request, '', 0, r.decided_at FROM refund r JOIN charge c"
            " ON c.reference = r.reference WHERE c.currency = ?1 AND r.state = 'refunded' UNION ALL"
            " SELECT CASE s.state WHEN 'split' THEN 'split' ELSE 'returned' END, s.reference, s.of_shop + s.of_marketplace, s.request,"
            " s.shop, s.of_shop, s.decided_at FROM split s JOIN charge c ON c.reference = s.reference"
            " WHERE c.currency = ?1 AND s.state IN ('split', 'split_returned') UNION ALL"
            " SELECT 'charged_back', d.reference, d.amount, d.name, '', 0, b.at FROM chargeback d JOIN charge c"
            " ON c.reference = d.reference JOIN bank b ON b.name = d.name WHERE c.currency = ?1 UNION ALL"
            " SELECT 'bank_returned', d.reference, d.amount, d.name, '', 0, b.returned_at FROM chargeback d JOIN charge c"
            " ON c.reference = d.reference JOIN bank b ON b.name = d.name WHERE c.currency = ?1 AND b.returned_at > 0 UNION ALL"
            " SELECT what, '', amount, name, '', 0, at FROM own_move WHERE currency = ?1 ORDER BY 7, 1, 4, 2",
            currency,
        )
        return [
            KeptLine(
                what=row[0],
                reference=row[1],
                amount=Money(amount=row[2], currency=currency),
                request=row[3],
                shop=row[4],
                of_shop=row[5],
                at=row[6],
            )
            for row in rows
            if since <= row[6] < until
        ]

    # Inside

    def _finish(self) -> None:
        super()._finish()
        finished = self._rows(
            "UPDATE split SET state = verdict WHERE state = 'waiting' AND decided_at <= ? RETURNING reference, request", self._now()
        )
        for reference, request in sorted(finished):
            self._tell(self._event(reference, request))

    def _event(self, reference: str, request: str = "") -> Event:
        """What became of a split or its return; of a charge also until when it is kept."""
        split = self._row("SELECT of_shop + of_marketplace, state FROM split WHERE request = ? AND reference = ?", request, reference)
        if split is not None:
            money, _ = self._charge(reference)
            amount, outcome = Money(amount=split[0], currency=money.currency), Said(split[1])
            return Event(
                event=f"{request}.{outcome}", merchant=self.merchant, reference=reference, request=request, outcome=outcome, amount=amount
            )
        event = super()._event(reference, request)
        return event if request else self._with_end(event)

    def _chargeback_event(self, name: str) -> Event:
        """As any; it may be heard before the capture, so that it says as well until when it is kept."""
        return self._with_end(super()._chargeback_event(name))

    def _with_end(self, event: Event) -> Event:
        captured = self._row("SELECT at FROM charge WHERE reference = ? AND state = 'captured'", event.reference)
        return replace(event, held_until=captured[0] + self.hold_ms) if captured else event


_WHATS = ("collected", "refunded", "split", "returned", "charged_back", "bank_returned", "paid_in", "taken_out")
