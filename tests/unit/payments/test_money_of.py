"""What somebody has, and what is still on its way: so that nobody is erased whom money looks for."""

from support.payments import BUYER, MINUTE, OTHER, SECOND_SHOP, Market, by_channel, by_wallet, cny, part, payment_of
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.payments.commands import AbandonPayment
from yunduan.domains.payments.model import PieceState
from yunduan.domains.payments.queries import MoneyOf, PersonalMoney
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into
from yunduan.kernel.actors import Actor


def _of(market: Market, in_wallet: int = 0, on_its_way: int = 0) -> bool:
    """Whether the buyer has so much, and so much is on its way; nobody else has anything."""
    sums = ((cny(amount),) if amount else () for amount in (in_wallet, on_its_way))
    expected = PersonalMoney(**dict(zip(("in_wallet", "on_its_way"), sums, strict=True)))
    assert market.world.ask(MoneyOf(person_id=OTHER)) == PersonalMoney(in_wallet=(), on_its_way=())
    return market.world.ask(MoneyOf(person_id=BUYER)) == expected


def test_a_top_up_is_on_its_way_until_the_channel_has_spoken(market: Market) -> None:
    """Then it is in the wallet, or nowhere."""
    assert _of(market)
    approved, declined = market.top_up(BUYER, 5_000), market.top_up(BUYER, 300)
    assert _of(market, on_its_way=5_300)
    market.decide(approved)
    market.decide(declined, approve=False)
    market.tell()
    assert _of(market, in_wallet=5_000)


def test_money_that_is_set_aside_is_in_the_wallet(market: Market) -> None:
    """A hold is no payment yet; what the channel collects for the same checkout is on its way."""
    market.fill(BUYER, 2_000)
    started = market.pay(1, [part(1, 400), part(2, 600, SECOND_SHOP)], [by_wallet(700), by_channel(300)])
    assert _of(market, in_wallet=2_000, on_its_way=300)
    market.decide(started)
    market.tell()
    assert _of(market, in_wallet=1_300)


def test_a_capture_that_is_sent_back_is_on_its_way_until_it_has_arrived(market: Market) -> None:
    """Collected for a payment that had been given up."""
    started = market.pay(1, [part(1, 900)], [by_channel(900)])
    market.world.send(AbandonPayment(payment_id=payment_of(1)))
    assert _of(market)
    market.decide(started)
    market.tell()
    assert _of(market, on_its_way=900)
    market.pass_time(MINUTE)
    assert _of(market)
    assert market.reconciles()


def test_a_refund_is_on_its_way_until_every_piece_has_arrived(market: Market) -> None:
    """The wallet's piece at once, the channel's when the channel says so; a refund to the wallet alone never is."""
    market.fill(BUYER, 500)
    market.decide(market.pay(1, [part(1, 1_000)], [by_wallet(500), by_channel(500)]))
    market.tell()
    assert _of(market)
    market.refund(1, of=1, amount=200)
    assert _of(market, in_wallet=100, on_its_way=100)
    market.pass_time(MINUTE)
    assert _of(market, in_wallet=100)
    market.pay(2, [part(2, 100)], [by_wallet(100)])
    market.refund(2, of=2, amount=40)
    assert _of(market, in_wallet=40)


def test_a_refund_that_the_channel_refuses_is_on_its_way_until_it_is_taken(market: Market) -> None:
    """Whatever is owed binds; a wallet comes of it when its owner says so."""
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1000)
    market.decide(market.pay(1, [part(1, 1_000)], [by_channel(1_000)]))
    market.tell()
    (piece,) = market.refund(1, of=1, amount=1_000).pieces
    assert piece.state is PieceState.PENDING
    assert _of(market, on_its_way=1_000)
    market.pass_time(MINUTE)
    assert _of(market, on_its_way=1_000)
    (waiting,) = market.world.ask(UnclaimedOf(), actor=Actor(person=BUYER)).items
    market.world.send(TakeUnclaimed(unclaimed_id=waiting.id, into=Into.WALLET), actor=Actor(person=BUYER))
    assert _of(market, in_wallet=1_000)
