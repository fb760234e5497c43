"""Payments over a channel: several tenders, what channels say, and what they say wrongly, late, twice or never."""

import asyncio

import msgspec
import pytest

from support.payments import (
    BUYER,
    DAY,
    MINUTE,
    SECOND_SHOP,
    Market,
    by_channel,
    by_difference,
    by_wallet,
    checkout,
    cny,
    order,
    part,
    payment_of,
)
from yunduan.backends.sandbox import SIGNATURE, TIMESTAMP, Event, Said
from yunduan.domains.ledger.queries import AccountOf
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import AbandonPayment, BookDifference, ResolveAlert, TakeNotification
from yunduan.domains.payments.model import ChargeState, Mismatch, PaymentStarted, PaymentState, TenderKind
from yunduan.domains.payments.queries import OpenAlertsOf, PlatformAccountsOf, ReconciliationOf, TheirLine
from yunduan.domains.payments.unclaimed import unclaimed_account
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused


def event(*, reference: str | None = None, outcome: Said = Said.CAPTURED, amount: Money | None = None, **fields: str) -> Event:
    """What the sandbox would say of the first payment's charge."""
    said = {"event": "evt", "merchant": "yunduan", **fields}
    reference = model.charge_reference(payment_of(1), 0) if reference is None else reference
    return Event(reference=reference, outcome=outcome, amount=amount or cny(300), **said)


def signed(market: Market, said: Event | bytes, channel: str = "sandbox") -> TakeNotification:
    """A notification that is truly the channel's."""
    body = said if isinstance(said, bytes) else msgspec.json.encode(said)
    return TakeNotification(channel=channel, body=body, headers=market.sandboxes[channel].signed(body))


def pending(market: Market) -> PaymentStarted:
    """A checkout of two orders that waits for 300 of its 1,000 over the channel."""
    market.fill(BUYER, 2_000)
    return market.pay(1, [part(1, 400), part(2, 600, SECOND_SHOP)], [by_wallet(700), by_channel(300)])


def test_a_channel_alone_pays_when_it_has_said_so(market: Market) -> None:
    """Before, no escrow is there; after, each order has its own, and the listener has heard."""
    started = market.pay(1, [part(1, 400), part(2, 600)], [by_channel(1_000)])
    assert started.state is PaymentState.PENDING
    assert [redirect.channel for redirect in started.redirects] == ["sandbox"]
    market.decide(started)
    assert market.world.rows("SELECT order_id FROM escrow") == []
    market.tell()
    assert (market.escrow(1).held, market.escrow(2).held, market.clearing()) == (cny(400), cny(600), 1_000)
    assert market.listener.heard == [("paid", checkout(1))]
    assert market.balanced()
    assert market.reconciles()


def test_several_tenders_are_divided_over_the_orders(market: Market) -> None:
    """What each tender paid of each order is remembered; the clearing account is back at zero, closed."""
    market.fill(BUYER, 2_000)
    parts = [part(1, 333), part(2, 666, SECOND_SHOP), part(3, 1)]
    started = market.pay(1, parts, [by_wallet(500), by_channel(300), by_channel(150, "second"), by_difference(50)])
    market.decide(started, which=1)
    market.tell()
    assert market.payment(1).state is PaymentState.PENDING
    assert market.balance(model.clearing_account(payment_of(1))) == 150
    market.decide(started, which=0)
    market.tell()
    assert market.payment(1).state is PaymentState.CAPTURED
    by_tender: dict[str, int] = {}
    for number, paid in ((1, 333), (2, 666), (3, 1)):
        escrow = market.escrow(number)
        assert sum(funding.amount.amount for funding in escrow.funding) == paid == escrow.held.amount
        assert market.balance(model.escrow_account(order(number))) == paid
        for funding in escrow.funding:
            by_tender[funding.kind.value + funding.channel] = by_tender.get(funding.kind.value + funding.channel, 0) + funding.amount.amount
    assert by_tender == {"wallet": 500, "channelsandbox": 300, "channelsecond": 150, "difference": 50}
    assert (market.wallet(), market.balance(model.difference_account("CNY"))) == (1_500, -50)
    clearing = market.world.ask(AccountOf(id=model.clearing_account(payment_of(1))))
    assert clearing is not None
    assert (clearing.debits_posted, clearing.credits_posted, clearing.closed) == (1_000, 1_000, True)
    assert market.listener.heard == [("paid", checkout(1))]
    assert market.balanced()


def test_a_decline_frees_what_was_held(market: Market) -> None:
    """And the listener hears that it is not paid."""
    started = pending(market)
    assert market.wallet() == 2_000
    market.decide(started, approve=False)
    market.tell()
    assert market.payment(1).state is PaymentState.FAILED
    assert market.listener.heard == [("not_paid", checkout(1))]
    market.pay(2, [part(9, 2_000)], [by_wallet(2_000)])
    assert market.wallet() == 0
    assert market.balanced()


def test_a_decline_sends_back_what_another_channel_had_collected(market: Market) -> None:
    """Over the way it came, and the clearing account is empty."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(600), by_channel(400, "second")])
    market.decide(started)
    market.tell()
    market.decide(started, which=1, approve=False)
    market.tell()
    assert market.payment(1).state is PaymentState.FAILED
    assert (market.returning(), market.balance(model.clearing_account(payment_of(1)))) == (600, 0)
    assert market.payment(1).charges[0].state is ChargeState.RETURNING
    market.run_errands()
    market.pass_time(MINUTE)
    assert (market.returning(), market.clearing(), market.clearing("second")) == (0, 0, 0)
    assert market.payment(1).charges[0].state is ChargeState.RETURNED
    assert market.reconciles()


def test_every_copy_of_a_notification_gets_the_same_answer(market: Market) -> None:
    """Signed anew or sent byte for byte again: one effect."""
    started = pending(market)
    market.decide(started)
    notification = signed(market, event())
    first = market.world.send(notification)
    before = market.everything()
    for _ in range(3):
        assert market.world.send(notification) == first
    market.world.clock.advance(10_000)
    assert market.world.send(signed(market, event())) == first
    assert market.everything() == before
    assert market.listener.heard == [("paid", checkout(1))]


def test_twenty_copies_at_once_make_one_effect(market: Market) -> None:
    """They race, and nineteen find it done."""
    pending(market)
    outcomes = market.world.send_all([(signed(market, event()), SYSTEM)] * 20)
    assert len({repr(outcome) for outcome in outcomes}) == 1
    assert market.listener.heard == [("paid", checkout(1))]
    assert market.clearing() == 2_300


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda _: {}, "notification_forged"),
        (lambda n: {TIMESTAMP: n.headers[TIMESTAMP]}, "notification_forged"),
        (lambda n: {SIGNATURE: n.headers[SIGNATURE]}, "notification_forged"),
        (lambda n: {**n.headers, SIGNATURE: "0" * 64}, "notification_forged"),
        (lambda n: {**n.headers, SIGNATURE: ""}, "notification_forged"),
        (lambda n: {**n.headers, SIGNATURE: n.headers[SIGNATURE].upper()}, "notification_forged"),
        (lambda n: {**n.headers, SIGNATURE: "ü" * 64}, "notification_forged"),
        (lambda n: {**n.headers, TIMESTAMP: str(int(n.headers[TIMESTAMP]) + 1)}, "notification_forged"),
        (lambda n: {**n.headers, TIMESTAMP: "now"}, "notification_forged"),
        (lambda n: {**n.headers, TIMESTAMP: "-1"}, "notification_forged"),
        (lambda n: {**n.headers, TIMESTAMP: "9" * 400}, "notification_forged"),
    ],
)
def test_what_the_channel_has_not_signed_is_refused(market: Market, forge, code: str) -> None:
    """Whatever it says, nothing changes."""
    pending(market)
    genuine = signed(market, event())
    before = market.everything()
    assert market.world.refusal(TakeNotification(channel="sandbox", body=genuine.body, headers=forge(genuine))) == code
    assert market.everything() == before


def test_a_signature_is_of_one_body_one_channel_and_five_minutes(market: Market) -> None:
    """Another body, another channel's key, or too old: refused."""
    pending(market)
    genuine = signed(market, event())
    before = market.everything()
    other = msgspec.json.encode(event(amount=cny(1)))
    assert market.world.refusal(TakeNotification(channel="sandbox", body=other, headers=genuine.headers)) == "notification_forged"
    assert market.world.refusal(TakeNotification(channel="second", body=genuine.body, headers=genuine.headers)) == "notification_forged"
    assert market.world.refusal(TakeNotification(channel="third", body=genuine.body, headers=genuine.headers)) == "channel_unknown"
    market.world.clock.advance(300_001)
    assert market.world.refusal(genuine) == "notification_stale"
    assert market.everything() == before
    market.world.clock.jump(-600_002)
    later = signed(market, event())
    market.world.clock.jump(600_002)
    assert market.world.refusal(later) == "notification_stale"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 5_000,
        b"\xff\xfe",
        b'{"event":"e","merchant":"yunduan","reference":"x","outcome":"waiting","amount":{"amount":1,"currency":"CNY"}}',
        b'{"event":"e","merchant":"yunduan","reference":"x","outcome":"captured","amount":{"amount":-1,"currency":"CNY"}}',
        b'{"event":"e","merchant":"yunduan","reference":"x","outcome":"captured","amount":{"amount":1e400,"currency":"CNY"}}',
        b'{"event":"e","merchant":"yunduan","reference":"x","outcome":"captured","amount":{"amount":true,"currency":"CNY"}}',
        b'{"event":"e","merchant":"yunduan","reference":"x","outcome":"captured","amount":{"amount":1,"currency":"ZZZ"}}',
        b'{"event":"e","merchant":"yunduan","reference":"x","outcome":"paid","amount":{"amount":1,"currency":"CNY"}}',
        b" " * 16_385,
    ],
)
def test_what_cannot_be_read_is_refused_although_it_is_signed(market: Market, body: bytes) -> None:
    """Nothing changes."""
    pending(market)
    before = market.everything()
    assert market.world.refusal(signed(market, body)) == "notification_malformed"
    assert market.everything() == before


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"amount": cny(1)}, Mismatch.AMOUNT_DIFFERS),
        ({"amount": cny(301)}, Mismatch.AMOUNT_DIFFERS),
        ({"amount": Money(amount=300, currency="USD")}, Mismatch.CURRENCY_DIFFERS),
        ({"merchant": "somebody"}, Mismatch.MERCHANT_DIFFERS),
        ({"reference": model.charge_reference(payment_of(2), 0)}, Mismatch.CHARGE_UNKNOWN),
        ({"reference": model.charge_reference(payment_of(1), 1)}, Mismatch.CHARGE_UNKNOWN),
        ({"reference": ""}, Mismatch.CHARGE_UNKNOWN),
        ({"reference": "';--"}, Mismatch.CHARGE_UNKNOWN),
        ({"request": "req_1"}, Mismatch.CHARGE_UNKNOWN),
        ({"outcome": Said.REFUNDED}, Mismatch.CONTRADICTS),
    ],
)
def test_what_is_genuine_and_does_not_match_pays_nothing_and_is_not_forgotten(market: Market, said, reason: Mismatch) -> None:
    """The alert and its fact are all that changes, once however often it comes; the channel need not send it again."""
    pending(market)
    before = [row for row in market.everything() if row[0] not in ("payment_alert", "facts")]
    taken = [market.world.send(signed(market, event(**said))) for _ in range(2)]
    assert [answer.believed for answer in taken] == [False, False]
    assert [row for row in market.everything() if row[0] not in ("payment_alert", "facts")] == before
    (alert,) = market.world.ask(OpenAlertsOf()).items
    assert alert.reason is reason
    assert market.facts("NotificationMismatched") == 1
    assert market.payment(1).state is PaymentState.PENDING
    assert market.listener.heard == []
    assert market.world.send(ResolveAlert(alert_id=alert.id)).resolved_at > 0
    assert market.world.ask(OpenAlertsOf()).items == ()


def test_a_genuine_notification_of_another_channel_pays_nothing(market: Market) -> None:
    """Its key is right for its own charges alone."""
    pending(market)
    assert market.world.send(signed(market, event(), "second")).believed is False
    (alert,) = market.world.ask(OpenAlertsOf()).items
    assert (alert.reason, alert.channel) == (Mismatch.CHANNEL_DIFFERS, "second")
    assert market.payment(1).state is PaymentState.PENDING


def test_one_unit_does_not_pay_an_order_of_two_thousand(market: Market) -> None:
    """CVE-2026-9189: a genuine notification for 1 closes nothing, and somebody is told."""
    market.pay(1, [part(1, 200_000)], [by_channel(200_000)])
    assert market.world.send(signed(market, event(amount=cny(100)))).believed is False
    assert market.world.rows("SELECT order_id FROM escrow") == []
    assert market.listener.heard == []
    assert market.facts("NotificationMismatched") == 1


def test_a_decline_after_a_capture_is_a_contradiction(market: Market) -> None:
    """The money stays where it is, and an operator is told."""
    started = pending(market)
    market.decide(started)
    market.tell()
    assert market.world.send(signed(market, event(outcome=Said.DECLINED))).believed is False
    assert market.payment(1).state is PaymentState.CAPTURED
    assert market.world.ask(OpenAlertsOf()).items[0].reason is Mismatch.CONTRADICTS


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_a_page_of_alerts_is_promised_only_when_there_is_one(market: Market, limit: int) -> None:
    """Four alerts: every page that is promised has some, and each is shown once."""
    pending(market)
    for amount in range(1, 5):
        market.world.send(signed(market, event(amount=cny(amount), event=f"evt_{amount}")))
    seen, after = [], ""
    while True:
        page = market.world.ask(OpenAlertsOf(after=after, limit=limit))
        assert 0 < len(page.items) <= limit
        seen += [alert.id for alert in page.items]
        if page.after is None:
            break
        after = page.after
    assert seen == sorted(set(seen))
    assert len(seen) == 4


def test_an_alert_that_there_is_not_is_not_found(market: Market) -> None:
    """As everywhere."""
    assert market.world.refusal(ResolveAlert(alert_id="alr_" + "0" * 26)) == "alert_not_found"


def test_an_abandoned_payment_frees_the_hold_and_is_final(market: Market) -> None:
    """The listener is not called: whoever abandons it knows. Abandoning twice changes nothing."""
    pending(market)
    assert market.world.send(AbandonPayment(payment_id=payment_of(1))).state is PaymentState.ABANDONED
    before = market.everything()
    assert market.world.send(AbandonPayment(payment_id=payment_of(1))).state is PaymentState.ABANDONED
    assert market.everything() == before
    assert market.listener.heard == []
    market.pay(2, [part(9, 2_000)], [by_wallet(2_000)])
    assert market.world.refusal(AbandonPayment(payment_id=payment_of(2))) == "payment_ended"
    assert market.world.refusal(AbandonPayment(payment_id=payment_of(3))) == "payment_not_found"


@pytest.mark.parametrize("refuses", [0, 1000])
def test_a_capture_after_the_end_goes_back_to_where_it_came_from(market: Market, refuses: int) -> None:
    """Over the channel; if that refuses, it is owed to the payer. Nothing is ever paid with it."""
    started = pending(market)
    market.world.send(AbandonPayment(payment_id=payment_of(1)))
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, refuses_refunds=refuses)
    market.decide(started)
    market.tell()
    assert (market.returning(), market.clearing(), market.facts("CaptureReturned")) == (300, 2_300, 1)
    assert market.payment(1).charges[0].state is ChargeState.RETURNING
    market.pass_time(MINUTE)
    assert market.returning() == 0
    if refuses:
        assert (market.wallet(), market.clearing()) == (2_000, 2_300)
        assert market.balance(unclaimed_account(BUYER, "CNY")) == 300
        assert market.payment(1).charges[0].state is ChargeState.UNCLAIMED
    else:
        assert (market.wallet(), market.clearing()) == (2_000, 2_000)
        assert market.payment(1).charges[0].state is ChargeState.RETURNED
    assert market.payment(1).state is PaymentState.ABANDONED
    assert market.world.rows("SELECT order_id FROM escrow") == []
    assert market.balanced()
    assert market.reconciles()
    again = market.everything()
    assert market.world.send(signed(market, event())).believed is True
    assert market.everything() == again


@pytest.mark.parametrize("notification_first", [True, False])
def test_a_notification_and_an_abandonment_that_race_agree(market: Market, notification_first: bool) -> None:
    """Either it is paid and cannot be abandoned, or it is abandoned and the money goes back: never both, never neither."""
    started = pending(market)
    market.decide(started)
    racing = [(signed(market, event()), SYSTEM), (AbandonPayment(payment_id=payment_of(1)), SYSTEM)]
    outcomes = market.world.send_all(racing if notification_first else racing[::-1])
    if notification_first:
        assert isinstance(outcomes[1], Refused)
        assert outcomes[1].code == "payment_ended"
        assert (market.escrow(1).held, market.escrow(2).held, market.returning()) == (cny(400), cny(600), 0)
        assert market.listener.heard == [("paid", checkout(1))]
    else:
        assert [type(outcome).__name__ for outcome in outcomes] == ["Payment", "NotificationTaken"]
        assert (market.wallet(), market.returning()) == (2_000, 300)
        assert market.listener.heard == []
    assert market.balanced()


def test_a_payment_that_is_due_ends_by_itself(market: Market) -> None:
    """The hold is free, the listener has heard, and the clearing account is closed."""
    pending(market)
    market.world.pass_time(15 * MINUTE - 1)
    assert market.payment(1).state is PaymentState.PENDING
    market.world.pass_time(1)
    assert market.payment(1).state is PaymentState.EXPIRED
    assert market.listener.heard == [("not_paid", checkout(1))]
    market.pay(2, [part(9, 2_000)], [by_wallet(2_000)])


def test_a_lost_notification_is_found_by_asking(market: Market) -> None:
    """A minute after the start a courier asks the channel what became of it."""
    market.fill(BUYER, 2_000)
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, loses=1000)
    started = market.pay(1, [part(1, 1_000)], [by_wallet(700), by_channel(300)])
    market.decide(started)
    assert market.tell() == 0
    market.world.pass_time(MINUTE)
    assert market.payment(1).state is PaymentState.PENDING
    assert market.run_errands() == 1
    assert market.payment(1).state is PaymentState.CAPTURED
    assert market.listener.heard == [("paid", checkout(1))]
    assert market.run_errands() == 0
    assert market.reconciles()


@pytest.mark.parametrize("gone", [True, False])
def test_money_collected_at_the_last_moment_is_found_after_the_end(gone: bool, market: Market) -> None:
    """The notification is lost and the payment expires; the check after it finds the money, which pays, or goes back."""
    market.listener.goods_are_gone = gone
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, loses=1000)
    started = market.pay(1, [part(1, 300)], [by_channel(300)])
    market.pass_time(14 * MINUTE + 59_000)
    market.decide(started)
    market.world.pass_time(1_000)
    assert market.payment(1).state is PaymentState.EXPIRED
    market.run_errands()
    market.pass_time(12 * MINUTE)
    assert market.payment(1).charges[0].state is (ChargeState.RETURNED if gone else ChargeState.CAPTURED)
    assert (market.clearing(), market.returning()) == (0 if gone else 300, 0)
    assert market.reconciles()


def test_a_channel_that_cannot_be_reached_is_asked_again(market: Market) -> None:
    """With longer and longer waits, and it ends well."""
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, loses=1000, unreachable=1000)
    started = market.pay(1, [part(1, 300)], [by_channel(300)])
    market.decide(started)
    market.world.pass_time(MINUTE)
    waits = []
    for _ in range(3):
        assert market.run_errands() == 1
        due = market.couriers.next_due()
        assert due is not None
        waits.append(due - market.world.clock.wall_ms())
        market.world.clock.advance_to(due)
    assert waits == [1_000, 5_000, 30_000]
    market.sandbox.misbehaviour = msgspec.structs.replace(market.sandbox.misbehaviour, unreachable=0)
    market.run_errands()
    assert market.payment(1).state is PaymentState.CAPTURED


def test_a_hold_that_fell_by_itself_is_not_paid_with(market: Market) -> None:
    """The cloud was away for more than a day; a notification that comes first finds that the payment can no longer be funded."""
    started = pending(market)
    market.decide(started)
    market.listener.goods_are_gone = True
    market.world.clock.advance(15 * MINUTE + DAY)
    assert market.world.send(signed(market, event())).believed is True
    assert market.payment(1).state is PaymentState.EXPIRED
    assert market.listener.heard == [("not_paid", checkout(1))]
    assert market.returning() == 300
    market.pay(2, [part(9, 2_000)], [by_wallet(2_000)])
    market.pass_time(MINUTE)
    assert (market.wallet(), market.returning()) == (0, 0)
    assert market.balanced()


def test_a_wallet_too_small_for_its_part_starts_nothing(market: Market) -> None:
    """No redirect, no alarm, no row."""
    market.fill(BUYER, 699)
    before = market.everything()
    asked = market.paying(1, [part(1, 1_000)], [by_wallet(700), by_channel(300)])
    assert market.world.refusal(asked) == "insufficient_funds"
    assert market.everything() == before


def test_an_imported_payment_above_its_orders_books_the_difference(market: Market) -> None:
    """Once, to the named account; the channel's statement has it under the reference that the answer gives."""
    started = market.pay(1, [part(1, 1_000)], [by_channel(1_000)])
    book = BookDifference(payment_id=payment_of(1), channel="sandbox", amount=cny(27))
    assert market.world.refusal(book) == "payment_not_captured"
    market.decide(started)
    market.tell()
    charge = market.world.send(book)
    market.sandbox.collect(charge.reference, charge.amount)
    before = market.everything()
    assert market.world.send(book) == charge
    assert market.everything() == before
    assert market.world.refusal(msgspec.structs.replace(book, amount=cny(28))) == "transfer_exists"
    assert market.world.refusal(msgspec.structs.replace(book, amount=cny(0))) == "amount_out_of_range"
    assert market.world.refusal(msgspec.structs.replace(book, channel="nowhere")) == "channel_unknown"
    assert market.world.refusal(msgspec.structs.replace(book, payment_id=payment_of(2))) == "payment_not_found"
    dollars = msgspec.structs.replace(book, amount=Money(amount=27, currency="USD"))
    assert market.world.refusal(dollars) == "tenders_do_not_match"
    assert market.everything() == before
    named = {account.name: account.balance for account in market.world.ask(PlatformAccountsOf(currency="CNY")).items}
    assert named["difference"] == 27
    assert named["channel sandbox"] == -1_027
    assert market.reconciles()


def test_an_imported_payment_below_its_orders_is_made_up_for(market: Market) -> None:
    """By a tender of kind difference; each order is funded in full."""
    started = market.pay(1, [part(1, 600), part(2, 400)], [by_channel(985), by_difference(15)])
    market.decide(started)
    market.tell()
    assert (market.escrow(1).held, market.escrow(2).held) == (cny(600), cny(400))
    kinds = {funding.kind for number in (1, 2) for funding in market.escrow(number).funding}
    assert kinds == {TenderKind.CHANNEL, TenderKind.DIFFERENCE}
    assert market.balance(model.difference_account("CNY")) == -15


def test_a_statement_that_differs_is_seen(market: Market) -> None:
    """A line too many, another amount, a line too few, somebody else's charge: each shows."""
    market.fill(BUYER, 500)
    market.fill(BUYER, 300)
    lines = [TheirLine(reference=line.reference, amount=line.amount) for line in market.sandbox.statement("CNY")]

    def compared(theirs: list[TheirLine], channel: str = "sandbox"):
        question = ReconciliationOf(channel=channel, currency="CNY", theirs=tuple(theirs))
        return market.world.run(market.world.cloud.ask_slow(question))

    assert compared(lines).agrees
    extra = compared([*lines, TheirLine(reference="chg_0", amount=cny(9))])
    assert (extra.theirs, extra.clearing, [(found.theirs, found.ours) for found in extra.discrepancies]) == (809, 800, [(9, 0)])
    assert [found.ours for found in compared([lines[0], msgspec.structs.replace(lines[1], amount=cny(1))]).discrepancies] != []
    few = compared(lines[:1])
    assert (few.agrees, few.discrepancies) == (False, ())
    assert len(compared(lines, "second").discrepancies) == 2
    with pytest.raises(Refused) as refused:
        compared([], "third")
    assert refused.value.code == "channel_unknown"


def test_a_channel_that_is_gone_leaves_its_errands_waiting(market: Market) -> None:
    """Until it is back in the settings."""
    started = market.pay(1, [part(1, 300)], [by_channel(300)])
    market.world.send(AbandonPayment(payment_id=payment_of(1)))
    market.decide(started)
    market.tell()
    market.couriers._channels = model.Channels({})
    assert market.run_errands() == 1
    assert market.returning() == 300
    assert market.world.rows("SELECT state FROM channel_errand") == [("waiting",)]


def test_couriers_run_until_they_are_stopped(market: Market) -> None:
    """As a task, beside the others."""
    started = market.pay(1, [part(1, 300)], [by_channel(300)])
    market.world.send(AbandonPayment(payment_id=payment_of(1)))
    market.decide(started)
    market.tell()

    async def story() -> None:
        task = asyncio.create_task(market.couriers.run())
        for _ in range(200):
            await asyncio.sleep(0.005)
            if market.world.rows("SELECT state FROM channel_errand") == [("asked",)]:
                break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    market.world.run(story())
    assert market.world.rows("SELECT state FROM channel_errand") == [("asked",)]
