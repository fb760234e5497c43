"""A payment channel to build and test against: it behaves like a real one, late, lost and repeated notifications included.

It keeps its own books in its own file, apart from ours, as somebody else's service does. A payer comes to its page by a signed
address and approves, declines or lets the time pass; it then tells us by a signed notification, sends it again until we take it,
and can be asked what became of a charge. Refunds are asked for now and confirmed later, and may be refused.

What the edge does: `GET` of the page shows `page(query)` (nothing: 404), `POST` of it calls `decide(query, approve=...)`; a
background task calls `run_once(deliver)` every second or so, where `deliver(body, headers)` posts to
`/v1/channels/sandbox/notifications` (or sends `TakeNotification` in process) and answers whether it was taken.
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import apsw
import msgspec
from msgspec import Struct

from yunduan.kernel.money import Money
from yunduan.runtime.clock import Clock, Entropy

Flaw = Literal["", "forged", "stale", "malformed"]
Asked = Literal["accepted", "refused", "unreachable"]
Deliver = Callable[[bytes, dict[str, str]], Awaitable[bool]]

TIMESTAMP, SIGNATURE = "yunduan-sandbox-timestamp", "yunduan-sandbox-signature"
STALE_MS = 300_000
"""How old a signature may be."""
RETRY_MS = (2_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 43_200_000)
"""How long it waits after each notification that was not taken; after the last it gives up."""
DELIVERIES_AT_ONCE = 64
EVIDENCE_MS = 7 * 86_400_000
"""How long it hears evidence about a chargeback."""
BUSY_MS = 2_000
_DIGITS = re.compile(r"[0-9]{1,15}")
NOTHING = Money(amount=0, currency="CNY")
"""What it says of a charge that it has never heard of."""

_TABLES = """
CREATE TABLE IF NOT EXISTS charge (
    reference TEXT PRIMARY KEY, merchant TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL,
    due INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS underway (reference TEXT PRIMARY KEY, arrives_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS charge_open ON charge (due) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS refund (
    request TEXT PRIMARY KEY, reference TEXT NOT NULL, amount INTEGER NOT NULL, state TEXT NOT NULL, verdict TEXT NOT NULL,
    decided_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refund_of_charge ON refund (reference);
CREATE INDEX IF NOT EXISTS refund_open ON refund (decided_at) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS payout (
    request TEXT PRIMARY KEY, account TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL,
    verdict TEXT NOT NULL, decided_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payout_open ON payout (decided_at) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS chargeback (
    name TEXT PRIMARY KEY, reference TEXT NOT NULL, amount INTEGER NOT NULL, fee INTEGER NOT NULL, state TEXT NOT NULL,
    due INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chargeback_of_charge ON chargeback (reference);
CREATE TABLE IF NOT EXISTS evidence (
    request TEXT PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL, refs TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY, body BLOB NOT NULL, tries INTEGER NOT NULL, next_at INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (next_at, number);
"""


class Said(StrEnum):
    """What the sandbox says became of something."""

    WAITING = "waiting"
    PROCESSING = "processing"
    CAPTURED = "captured"
    DECLINED = "declined"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    REFUND_REFUSED = "refund_refused"
    PAID_OUT = "paid_out"
    PAYOUT_REFUSED = "payout_refused"
    CHARGED_BACK = "charged_back"
    CHARGEBACK_WON = "chargeback_won"
    CHARGEBACK_LOST = "chargeback_lost"
    SPLIT = "split"
    SPLIT_REFUSED = "split_refused"
    SPLIT_RETURNED = "split_returned"
    SPLIT_KEPT = "split_kept"
    UNKNOWN = "unknown"


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a notification, and the answer to a question."""

    event: str
    merchant: str
    reference: str
    outcome: Said
    amount: Money
    request: str = ""
    chargeback: str = ""
    fee: int = 0
    evidence_due: int = 0
    held_until: int = 0


class Page(Struct, frozen=True, kw_only=True):
    """What a payer sees."""

    reference: str
    merchant: str
    amount: Money
    state: Said
    due: int
    method: str


class StatementLine(Struct, frozen=True, kw_only=True):
    """One movement in the sandbox's own books: collected, or when there is a `request` given back, paid out, taken back or charged."""

    reference: str
    amount: Money
    request: str = ""


class Misbehaviour(Struct, frozen=True, kw_only=True):
    """How often, in a thousand, it does what real ones do now and then; all of it drawn from the seeded entropy."""

    loses: int = 0
    """Notifications that are never sent."""
    doubles: int = 0
    delays: int = 0
    delay_ms: int = 600_000
    unreachable: int = 0
    """Questions and requests that find nobody there."""
    refuses_refunds: int = 0
    refund_ms: int = 2_000
    """How long a refund takes."""
    refuses_splits: int = 0
    refuses_returns: int = 0
    """Of what it has split."""
    refuses_payouts: int = 0
    refuses_words: int = 0
    """Evidence and concessions that it will not take."""
    payout_ms: int = 5_000
    """How long a payout takes."""
    dawdles: int = 0
    """Payments that are approved on its page and collected only after `dawdle_ms`."""
    dawdle_ms: int = 1_200_000
    slip_ms: int = 72_000_000
    """How long it takes until a slip that was paid at a counter is collected."""


class Account(Protocol):
    """A bank account."""

    @property
    def holder(self) -> str: ...  # noqa: D102 - said above
    @property
    def number(self) -> str: ...  # noqa: D102 - said above


def checks(number: str) -> bool:
    """Whether a number is all digits and its last one checks the others (ISO/IEC 7812)."""
    if not number.isdecimal() or not number.isascii():
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


class PayingMethod(Struct, frozen=True, kw_only=True):
    """A way to pay it."""

    name: str
    hold_ms: int
    extension_ms: int


MINUTE_MS, DAY_MS = 60_000, 86_400_000
METHODS = (
    PayingMethod(name="card", hold_ms=15 * MINUTE_MS, extension_ms=30 * MINUTE_MS),
    PayingMethod(name="slip", hold_ms=3 * DAY_MS, extension_ms=2 * DAY_MS),
)
"""At once on its page, or by a slip that is paid at a counter within three days and collected the next."""


class Sandbox:
    """The channel named `sandbox`."""

    methods = METHODS
    tables = _TABLES
    dues: tuple[str, ...] = (
        "SELECT min(next_at) FROM delivery",
        "SELECT min(due) FROM charge WHERE state = 'waiting'",
        "SELECT min(arrives_at) FROM underway",
        "SELECT min(decided_at) FROM refund WHERE state = 'waiting'",
        "SELECT min(decided_at) FROM payout WHERE state = 'waiting'",
    )
    """Each finds when time has something to do next."""

    headers = (TIMESTAMP, SIGNATURE)

    def __init__(
        self,
        secret: bytes,
        *,
        clock: Clock,
        entropy: Entropy,
        path: Path | None = None,
        books: bytes = b"",
        page_url: str = "/sandbox/pay",
        merchant: str = "yunduan",
        misbehaviour: Misbehaviour | None = None,
    ) -> None:
        """Open its books: a file of its own, or memory, which may begin with what such a file held (`books`).

        `secret` (32 bytes or more) is what signatures are made with.
        """
        if len(secret) < 32:
            raise ValueError("the sandbox's secret has 32 bytes or more")
        self._notification_key = hashlib.blake2b(b"notification", key=secret[:64]).digest()
        self._page_key = hashlib.blake2b(b"page", key=secret[:64]).digest()
        self._clock = clock
        self._entropy = entropy
        self._page_url = page_url
        self.merchant = merchant
        self.misbehaviour = misbehaviour or Misbehaviour()
        self._books = apsw.Connection(str(path) if path else ":memory:")
        if path:
            self._books.set_busy_timeout(BUSY_MS)  # another process of the same cloud may be writing in them
            self._books.execute("PRAGMA journal_mode=WAL").fetchall()
            self._books.execute("PRAGMA synchronous=FULL").fetchall()
        elif books:
            self._books.deserialize("main", books)
        self._books.execute(self.tables).fetchall()
        self._next_due: int | None = None
        self._looked_at: tuple[int, int] | None = None

    def close(self) -> None:
        """Close its books."""
        self._books.close()

    # What our transactions use: pure

    def redirect(self, reference: str, amount: Money, *, due: int, method: str) -> str:
        """The address of the page on which a payer approves a charge, signed over all that it says."""
        said = {
            "reference": reference,
            "merchant": self.merchant,
            "amount": str(amount.amount),
            "currency": amount.currency,
            "due": str(due),
            "method": method,
        }
        return f"{self._page_url}?{urlencode({**said, 'signature': self._page_signature(said)})}"

    def flaw(self, body: bytes, headers: Mapping[str, str], *, now: int) -> Flaw:
        """What is wrong with a notification; whoever cannot sign learns only that."""
        timestamp, signature = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
        if not _DIGITS.fullmatch(timestamp) or not hmac.compare_digest(self.sign(body, timestamp).encode(), signature.encode()):
            return "forged"
        if abs(now - int(timestamp)) > STALE_MS:
            return "stale"
        try:
            self.read(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "malformed"
        return ""

    def read(self, body: bytes) -> Event:
        """What a notification says."""
        return msgspec.json.decode(body, type=Event)

    def sign(self, body: bytes, timestamp: str) -> str:
        """The signature of a notification: HMAC-SHA256 over the time, a full stop, and the body, in hex."""
        return hmac.new(self._notification_key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()

    def _page_signature(self, said: Mapping[str, str]) -> str:
        return hmac.new(self._page_key, urlencode(sorted(said.items())).encode(), hashlib.sha256).hexdigest()

    # What a payer does

    def page(self, query: Mapping[str, str]) -> Page | None:
        """What the page shows for an address; nothing when the address was not made by `redirect`."""
        said = {name: query.get(name, "") for name in ("reference", "merchant", "amount", "currency", "due", "method")}
        if not hmac.compare_digest(self._page_signature(said).encode(), query.get("signature", "").encode()):
            return None
        money = Money(amount=int(said["amount"]), currency=said["currency"])
        with self._books:
            self._books.execute(
                "INSERT INTO charge VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (said["reference"], said["merchant"], money.amount, money.currency, Said.WAITING, int(said["due"]), self._now()),
            )
            self._expire(said["reference"])
        _, state = self._charge(said["reference"])
        return Page(
            reference=said["reference"], merchant=said["merchant"], amount=money, state=state, due=int(said["due"]), method=said["method"]
        )

    def decide(self, query: Mapping[str, str], *, approve: bool) -> Page | None:
        """Approve or decline; the first decision stands, and after its time nothing can be decided. A slip is paid by this at a counter."""
        page = self.page(query)
        if page is None or page.state is not Said.WAITING:
            return page
        by_slip = page.method == "slip"
        with self._books:
            if approve and (by_slip or self._happens(self.misbehaviour.dawdles)):
                takes_ms = self.misbehaviour.slip_ms if by_slip else self.misbehaviour.dawdle_ms
                self._books.execute("INSERT INTO underway VALUES (?, ?)", (page.reference, self._now() + takes_ms))
                self._conclude(page.reference, Said.PROCESSING)
            else:
                self._conclude(page.reference, Said.CAPTURED if approve else Said.DECLINED)
        return self.page(query)

    def collect(self, reference: str, amount: Money) -> None:
        """Write down a charge that was collected elsewhere, such as one of an import, and tell nobody; once for a reference."""
        with self._books:
            self._books.execute(
                "INSERT INTO charge VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (reference, self.merchant, amount.amount, amount.currency, Said.CAPTURED, self._now(), self._now()),
            )

    # What our couriers ask

    async def refund(self, request: str, reference: str, amount: Money) -> Asked:
        """Give a part of a charge back, a little later; never more than was collected, and once for each request."""
        if self._happens(self.misbehaviour.unreachable):
            return "unreachable"
        with self._books:
            known = self._row("SELECT reference, amount FROM refund WHERE request = ?", request)
            if known is not None:
                return "accepted" if known == (reference, amount.amount) else "refused"
            charge = self._row("SELECT amount, currency, state FROM charge WHERE reference = ?", reference)
            if charge is None or charge[1:] != (amount.currency, Said.CAPTURED) or charge[0] < amount.amount + self._gone(reference):
                return "refused"
            verdict = Said.REFUND_REFUSED if self._happens(self.misbehaviour.refuses_refunds) else Said.REFUNDED
            self._books.execute(
                "INSERT INTO refund VALUES (?, ?, ?, ?, ?, ?)",
                (request, reference, amount.amount, Said.WAITING, verdict, self._now() + self.misbehaviour.refund_ms),
            )
        return "accepted"

    async def verify(self, request: str, account: Account) -> Asked:
        """Whether an account is its holder's: here, when the last digit of its number checks the others, as that of a bank card does."""
        del request
        if self._happens(self.misbehaviour.unreachable):
            return "unreachable"
        return "accepted" if account.holder and checks(account.number) else "refused"

    async def pay_out(self, request: str, account: Account, amount: Money) -> Asked:
        """Pay to a bank account, a little later; never more than it has of ours, and once for each request."""
        if self._happens(self.misbehaviour.unreachable):
            return "unreachable"
        with self._books:
            known = self._row("SELECT account, amount FROM payout WHERE request = ?", request)
            if known is not None:
                return "accepted" if known == (account.number, amount.amount) else "refused"
            if not checks(account.number) or self._has(amount.currency) < amount.amount:
                return "refused"
            verdict = Said.PAYOUT_REFUSED if self._happens(self.misbehaviour.refuses_payouts) else Said.PAID_OUT
            self._books.execute(
                "INSERT INTO payout VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    request,
                    account.number,
                    amount.amount,
                    amount.currency,
                    Said.WAITING,
                    verdict,
                    self._now() + self.misbehaviour.payout_ms,
                ),
            )
        return "accepted"

    def _has(self, currency: str) -> int:
        """What it has collected for us and neither given back nor paid out, nor is about to."""
        (sum_,) = self._rows(
            "SELECT (SELECT coalesce(sum(amount), 0) FROM charge WHERE currency = ?1 AND state = 'captured')"
            " - (SELECT coalesce(sum(r.amount), 0) FROM refund r JOIN charge c ON c.reference = r.reference"
            " WHERE c.currency = ?1 AND r.verdict = 'refunded')"
            " - (SELECT coalesce(sum(d.amount + d.fee), 0) FROM chargeback d JOIN charge c ON c.reference = d.reference"
            " WHERE c.currency = ?1 AND d.state != 'chargeback_won')"
            " - (SELECT coalesce(sum(amount), 0) FROM payout WHERE currency = ?1 AND verdict = 'paid_out')",
            currency,
        )[0]
        return int(sum_)

    def _gone(self, reference: str) -> int:
        """What of a charge has gone back, or is about to: refunded, or taken back by the payer's bank."""
        (sum_,) = self._rows(
            "SELECT (SELECT coalesce(sum(amount), 0) FROM refund WHERE reference = ?1 AND verdict = 'refunded')"
            " + (SELECT coalesce(sum(amount), 0) FROM chargeback WHERE reference = ?1 AND state != 'chargeback_won')",
            reference,
        )[0]
        return int(sum_)

    # What payers' banks do

    def charge_back(self, reference: str, amount: int = 0, *, fee: int = 0, evidence_ms: int = EVIDENCE_MS) -> str:
        """Take a charge back, or a part of it, and tell; answers its name. Nothing (no name) when so much of it is not there to take."""
        with self._books:
            charge = self._row("SELECT amount, state FROM charge WHERE reference = ?", reference)
            if charge is None or charge[1] != Said.CAPTURED:
                return ""
            left = charge[0] - self._gone(reference)
            amount = amount or left
            if not 0 < amount <= left:
                return ""
            (before,) = self._rows("SELECT count(*) FROM chargeback")[0]
            name, due = f"dsp{before + 1:06d}", self._now() + evidence_ms
            self._books.execute("INSERT INTO chargeback VALUES (?, ?, ?, ?, ?, ?)", (name, reference, amount, fee, Said.CHARGED_BACK, due))
            self._tell(self._chargeback_event(name))
        return name

    def decide_chargeback(self, name: str, *, won: bool, amount: int = 0, fee: int | None = None) -> bool:
        """Decide for us or for the payer, and tell; the first decision stands. Answers whether this is it.

        It may be about another amount, or cost another fee, than was told before.
        """
        state = Said.CHARGEBACK_WON if won else Said.CHARGEBACK_LOST
        with self._books:
            changed = self._rows(
                "UPDATE chargeback SET state = ?, amount = coalesce(nullif(?, 0), amount), fee = coalesce(?, fee)"
                " WHERE name = ? AND state = 'charged_back' RETURNING name",
                state,
                amount,
                fee,
                name,
            )
            if changed:
                self._tell(self._chargeback_event(name))
        return bool(changed)

    async def contest(self, request: str, name: str, text: str, references: Sequence[str]) -> Asked:
        """Keep evidence, until it is due."""
        if self._happens(self.misbehaviour.unreachable):
            return "unreachable"
        with self._books:
            row = self._row("SELECT state, due FROM chargeback WHERE name = ?", name)
            if self._row("SELECT 1 FROM evidence WHERE request = ?", request) is not None:
                return "accepted"
            is_late = row is None or row[0] != Said.CHARGED_BACK or row[1] <= self._now()
            if is_late or self._happens(self.misbehaviour.refuses_words):
                return "refused"
            self._books.execute("INSERT INTO evidence VALUES (?, ?, ?, ?)", (request, name, text, "\n".join(references)))
        return "accepted"

    async def concede(self, request: str, name: str) -> Asked:
        """Decide for the payer at once."""
        del request
        if self._happens(self.misbehaviour.unreachable):
            return "unreachable"
        if self._row("SELECT 1 FROM chargeback WHERE name = ?", name) is None or self._happens(self.misbehaviour.refuses_words):
            return "refused"
        self.decide_chargeback(name, won=False)
        return "accepted"

    async def chargeback(self, name: str) -> Event | None:
        """What became of one; nothing when it cannot be reached."""
        if self._happens(self.misbehaviour.unreachable):
            return None
        return self._chargeback_event(name)

    def evidence(self, name: str) -> list[str]:
        """What it was given against a chargeback."""
        return [row[0] for row in self._rows("SELECT text FROM evidence WHERE name = ? ORDER BY request", name)]

    def chargebacks(self) -> list[Event]:
        """Every chargeback, as it would be told."""
        return [self._chargeback_event(row[0]) for row in self._rows("SELECT name FROM chargeback ORDER BY name")]

    def _chargeback_event(self, name: str) -> Event:
        row = self._row("SELECT reference, amount, fee, state, due FROM chargeback WHERE name = ?", name)
        reference, amount, fee, state, due = row or ("", 0, 0, Said.UNKNOWN, 0)
        money, _ = self._charge(reference)
        return Event(
            event=f"{name}.{state}",
            merchant=self.merchant,
            reference=reference,
            outcome=Said(state),
            amount=Money(amount=amount, currency=money.currency),
            chargeback=name,
            fee=fee,
            evidence_due=due,
        )

    async def query(self, reference: str, request: str = "") -> Event | None:
        """What became of a charge, of a refund of it, or of a payout; nothing when it cannot be reached."""
        if self._happens(self.misbehaviour.unreachable):
            return None
        with self._books:
            self._expire(reference)
            self._finish()
        return self._event(reference, request)

    def statement(self, currency: str) -> list[StatementLine]:
        """Everything it has collected, given back and paid out in a currency, as its own books have it."""
        collected = self._books.execute(
            "SELECT reference, amount FROM charge WHERE currency = ? AND state = 'captured' ORDER BY reference", (currency,)
        )
        lines = [StatementLine(reference=row[0], amount=Money(amount=row[1], currency=currency)) for row in collected]
        returned = self._books.execute(
            "SELECT r.reference, r.amount, r.request FROM refund r JOIN charge c ON c.reference = r.reference"
            " WHERE c.currency = ? AND r.state = 'refunded' ORDER BY r.request",
            (currency,),
        )
        paid = self._books.execute(
            "SELECT request, amount, request FROM payout WHERE currency = ? AND state = 'paid_out' ORDER BY request", (currency,)
        )
        taken = self._books.execute(
            "SELECT d.reference, d.amount, d.name FROM chargeback d JOIN charge c ON c.reference = d.reference"
            " WHERE c.currency = ?1 AND d.state != 'chargeback_won' UNION ALL"
            " SELECT d.reference, d.fee, d.name || '.fee' FROM chargeback d JOIN charge c ON c.reference = d.reference"
            " WHERE c.currency = ?1 AND d.state != 'chargeback_won' AND d.fee > 0 ORDER BY 3",
            (currency,),
        )
        return lines + [
            StatementLine(reference=row[0], amount=Money(amount=row[1], currency=currency), request=row[2])
            for row in (*returned, *paid, *taken)
        ]

    # What it does by itself

    async def run_once(self, deliver: Deliver) -> int:
        """Let time do its work, then send every notification that is due; answers how many were sent."""
        due_at = self.next_due()
        if due_at is None or due_at > self._now():
            return 0
        with self._books:
            for (reference,) in self._rows("SELECT reference FROM charge WHERE state = 'waiting' AND due <= ?", self._now()):
                self._expire(reference)
            self._finish()
        due = self._rows(
            "SELECT number, body, tries FROM delivery WHERE next_at <= ? ORDER BY next_at, number LIMIT ?", self._now(), DELIVERIES_AT_ONCE
        )
        for number, body, tries in due:
            taken = await deliver(body, self.signed(body))
            with self._books:
                if taken or tries >= len(RETRY_MS):
                    self._books.execute("DELETE FROM delivery WHERE number = ?", (number,))
                else:
                    self._books.execute(
                        "UPDATE delivery SET tries = tries + 1, next_at = ? WHERE number = ?", (self._now() + RETRY_MS[tries], number)
                    )
        return len(due)

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers of a notification that is sent now."""
        timestamp = str(self._now())
        return {TIMESTAMP: timestamp, SIGNATURE: self.sign(body, timestamp)}

    def written(self) -> tuple[int, int]:
        """Another one after whatever was written in the books, here or by another process: who has read them knows when to read again."""
        ((version,),) = self._rows("PRAGMA data_version")
        return self._books.total_changes(), version

    def next_due(self) -> int | None:
        """When `run_once` will next have something to do, in milliseconds since 1970."""
        written = self.written()
        if written != self._looked_at:
            times = [row[0] for sql in self.dues for row in self._rows(sql)]
            self._next_due = min((at for at in times if at is not None), default=None)
            self._looked_at = written
        return self._next_due

    # Inside

    def _now(self) -> int:
        return self._clock.wall_ms()

    def _happens(self, permille: int) -> bool:
        return permille > 0 and self._entropy.bits(30) % 1000 < permille

    def _row(self, sql: str, *arguments: Any) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._books.execute(sql, arguments).fetchone()
        return found

    def _rows(self, sql: str, *arguments: Any) -> Sequence[tuple[Any, ...]]:
        return self._books.execute(sql, arguments).fetchall()

    def _charge(self, reference: str) -> tuple[Money, Said]:
        row = self._row("SELECT amount, currency, state FROM charge WHERE reference = ?", reference)
        if row is None:
            return NOTHING, Said.UNKNOWN
        return Money(amount=row[0], currency=row[1]), Said(row[2])

    def _conclude(self, reference: str, state: Said) -> None:
        changed = self._rows(
            "UPDATE charge SET state = ?, at = ? WHERE reference = ? AND state = 'waiting' RETURNING reference",
            state,
            self._now(),
            reference,
        )
        if changed:
            self._tell(self._event(reference))

    def _expire(self, reference: str) -> None:
        if self._row("SELECT 1 FROM charge WHERE reference = ? AND state = 'waiting' AND due <= ?", reference, self._now()):
            self._conclude(reference, Said.EXPIRED)

    def _finish(self) -> None:
        """Everything that time has decided."""
        self._finish_charges()
        self._finish_refunds()
        self._finish_payouts()

    def _finish_charges(self) -> None:
        for (reference,) in sorted(self._rows("DELETE FROM underway WHERE arrives_at <= ? RETURNING reference", self._now())):
            self._rows("UPDATE charge SET state = 'captured', at = ? WHERE reference = ? AND state = 'processing'", self._now(), reference)
            self._tell(self._event(reference))

    def _finish_refunds(self) -> None:
        finished = self._rows(
            "UPDATE refund SET state = verdict WHERE state = 'waiting' AND decided_at <= ? RETURNING reference, request", self._now()
        )
        for reference, request in sorted(finished):
            self._tell(self._event(reference, request))

    def _finish_payouts(self) -> None:
        finished = self._rows(
            "UPDATE payout SET state = verdict WHERE state = 'waiting' AND decided_at <= ? RETURNING request", self._now()
        )
        for (request,) in sorted(finished):
            self._tell(self._event(request, request))

    def _event(self, reference: str, request: str = "") -> Event:
        payout = self._row("SELECT amount, currency, state FROM payout WHERE request = ?", request)
        if payout is not None:
            amount, outcome = Money(amount=payout[0], currency=payout[1]), Said(payout[2])
            return Event(
                event=f"{request}.{outcome}",
                merchant=self.merchant,
                reference=reference,
                request=request,
                outcome=outcome,
                amount=amount,
            )
        amount, outcome = self._charge(reference)
        row = self._row("SELECT merchant FROM charge WHERE reference = ?", reference)
        if request:
            refund = self._row("SELECT amount, state FROM refund WHERE request = ? AND reference = ?", request, reference)
            outcome = Said(refund[1]) if refund else Said.UNKNOWN
            amount = Money(amount=refund[0] if refund else 0, currency=amount.currency)
        return Event(
            event=f"{request or reference}.{outcome}",
            merchant=row[0] if row else self.merchant,
            reference=reference,
            request=request,
            outcome=outcome,
            amount=amount,
        )

    def _tell(self, event: Event) -> None:
        """Put a notification in the post, unless this is one that gets lost."""
        if self._happens(self.misbehaviour.loses):
            return
        late = self.misbehaviour.delay_ms if self._happens(self.misbehaviour.delays) else 0
        for _ in range(2 if self._happens(self.misbehaviour.doubles) else 1):
            self._books.execute(
                "INSERT INTO delivery (body, tries, next_at) VALUES (?, 0, ?)", (msgspec.json.encode(event), self._now() + late)
            )
