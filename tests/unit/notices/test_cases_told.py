"""Whatever happens in a case is told to the side that has not done it, with the day on which silence settles it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from unit.notices.told import House
from unit.orders.casebook import TOTAL, Claim
from unit.orders.market import yuan
from yunduan.domains.identity.commands import GrantRole, RegisterPerson
from yunduan.domains.identity.model import OperatorRole, ShopRole
from yunduan.domains.orders.cases import CaseEvent, CaseKind, CaseState
from yunduan.domains.orders.model import Who

E, S = CaseEvent, CaseState
BUYER, SHOP, OPERATOR, CLOUD = Who.BUYER, Who.SHOP, Who.OPERATOR, Who.CLOUD


def claim(house: House, **more: CaseKind) -> Claim:
    """A case that a buyer has just opened."""
    return Claim(house.market, house.buyer(10_000), **more)


def said(house: House, made: Claim) -> tuple[list[str], list[str]]:
    """What the buyer was told of the case, and what whoever answers buyers was."""
    people = made.buyer.person, house.staff[ShopRole.SERVICE]
    buyer, shop = ([kind[5:] for kind in house.kinds(person) if kind.startswith("case_")] for person in people)
    return buyer, shop


@pytest.mark.parametrize(
    ("steps", "buyer", "shop"),
    [
        ([(E.OFFER, SHOP), (E.ACCEPT, BUYER)], ["offered"], ["opened", "accepted"]),
        ([(E.AGREE, SHOP)], ["agreed"], ["opened"]),
        ([(E.AGREE, CLOUD)], ["agreed"], ["opened", "agreed"]),
        ([(E.WITHDRAW, BUYER)], [], ["opened", "withdrawn"]),
        ([(E.OFFER, SHOP), (E.WITHDRAW, CLOUD)], ["offered", "withdrawn"], ["opened", "withdrawn"]),
        (
            [(E.REFUSE, SHOP), (E.CALL_OPERATOR, BUYER), (E.GIVE_EVIDENCE, SHOP), (E.GIVE_EVIDENCE, BUYER),
             (E.CLOSE_EVIDENCE, CLOUD), (E.RULE, OPERATOR)],
            ["refused", "evidence", "ruled"],
            ["opened", "disputed", "evidence", "ruled"],
        ),
        (
            [(E.REFUSE, SHOP), (E.CALL_OPERATOR, BUYER), (E.CLOSE_EVIDENCE, CLOUD), (E.DISMISS, OPERATOR)],
            ["refused", "dismissed"],
            ["opened", "disputed", "dismissed"],
        ),
        ([(E.END, CLOUD)], [], ["opened"]),
    ],
)  # fmt: skip
def test_each_step_is_told_to_the_other_side(house: House, steps: list[tuple[CaseEvent, Who]], buyer: list[str], shop: list[str]) -> None:
    """To both what time or an operator does."""
    made = claim(house)
    for event, who in steps:
        made.take(event, who)
    assert said(house, made) == (buyer, shop)
    assert house.roles_told("case_opened") == {"owner", "manager", "service"}


@pytest.mark.parametrize(
    ("steps", "buyer", "shop"),
    [
        ([(E.ARRIVE, SHOP)], ["return_agreed", "arrived"], ["return_asked", "sent_back"]),
        ([(E.ARRIVE, CLOUD)], ["return_agreed", "arrived"], ["return_asked", "sent_back", "arrived"]),
        ([(E.CALL_OPERATOR, SHOP)], ["return_agreed", "disputed"], ["return_asked", "sent_back"]),
    ],
)
def test_what_comes_back_is_told_too(house: House, steps: list[tuple[CaseEvent, Who]], buyer: list[str], shop: list[str]) -> None:
    """From the agreement on."""
    made = claim(house, kind=CaseKind.RETURN).lead_to(S.SENT)
    for event, who in steps:
        made.take(event, who)
    assert said(house, made) == (buyer, shop)


@pytest.mark.parametrize(
    ("steps", "buyer", "shop"),
    [
        ([(E.REPLACE, SHOP), (E.RECEIVE, BUYER)], ["replaced"], ["exchanged"]),
        ([(E.REPLACE, SHOP), (E.RECEIVE, CLOUD)], ["replaced", "exchanged"], ["exchanged"]),
        ([(E.TAKE_REFUND, BUYER)], [], ["refund_instead"]),
        ([(E.TAKE_REFUND, CLOUD)], ["refund_instead"], ["refund_instead"]),
    ],
)
def test_what_is_given_in_exchange_is_told(house: House, steps: list[tuple[CaseEvent, Who]], buyer: list[str], shop: list[str]) -> None:
    """After the goods have come back."""
    made = claim(house, kind=CaseKind.EXCHANGE).lead_to(S.REPLACING)
    for event, who in steps:
        made.take(event, who)
    assert said(house, made) == (["exchange_agreed", "replacement_due", *buyer], ["exchange_asked", "sent_back", *shop])


@pytest.mark.parametrize(
    ("steps", "buyer", "shop"),
    [
        ([(E.RESEND, SHOP), (E.RECEIVE_RESENT, BUYER)], ["resent"], ["had_again"]),
        ([(E.RESEND, SHOP), (E.RECEIVE_RESENT, CLOUD)], ["resent", "had_again"], ["had_again"]),
        ([(E.RESEND, SHOP), (E.CALL_OPERATOR, BUYER)], ["resent"], ["disputed"]),
        ([(E.CALL_OPERATOR, SHOP)], ["disputed"], []),
        ([(E.AGREE, SHOP)], ["agreed"], []),
        ([(E.PAY_BACK, CLOUD)], ["not_resent"], ["not_resent"]),
    ],
)
def test_what_is_sent_again_is_told(house: House, steps: list[tuple[CaseEvent, Who]], buyer: list[str], shop: list[str]) -> None:
    """From the ruling on, which both hear with the day and what goes back after it."""
    made = claim(house, kind=CaseKind.RETURN).lead_to(S.RESENDING)
    for person in (made.buyer.person, house.staff[ShopRole.SERVICE]):
        ruled = house.last(person)
        assert (ruled.kind.value, ruled.about.amount, ruled.about.until) == ("case_resend_ruled", yuan(TOTAL), made.due)
    for event, who in steps:
        made.take(event, who)
    told = ["return_agreed", "disputed", "resend_ruled"], ["return_asked", "sent_back", "resend_ruled"]
    assert said(house, made) == ([*told[0], *buyer], [*told[1], *shop])


def test_that_what_was_wanted_in_exchange_is_gone_is_told_to_both(house: House) -> None:
    """With how much is on offer."""
    made = claim(house, kind=CaseKind.EXCHANGE)
    house.market.stock(made.other, 0)
    made.wait()
    assert said(house, made) == (["replacement_gone"], ["exchange_asked", "replacement_gone"])
    assert house.last(made.buyer.person).about.amount == yuan(TOTAL)


def test_it_says_how_much_and_until_when(house: House) -> None:
    """By the market's calendar, and never what either side has written."""
    made = claim(house)
    opened = house.last(house.staff[ShopRole.SERVICE])
    day = datetime.fromtimestamp(made.due / 1000, UTC).astimezone(ZoneInfo("Asia/Shanghai"))
    assert (opened.about.case_id, opened.about.until, opened.about.amount) == (made.case, made.due, yuan(TOTAL))
    assert opened.text.endswith(f"的买家申请退款 47.98 CNY。请在{day.month} 月 {day.day} 日前处理，逾期视为同意。")
    made.take(E.OFFER, SHOP)
    offered = house.last(made.buyer.person)
    assert (offered.about.amount, offered.about.until) == (yuan(1000), made.due)
    assert not house.market.holds("碎了")


@pytest.mark.parametrize(
    ("kind", "words"),
    [(CaseKind.RETURN, "的买家申请退货退款 47.98 CNY。请在"), (CaseKind.EXCHANGE, "的买家申请换货。请在")],
)
def test_goods_that_would_be_sent_back_are_not_announced_as_money_alone(house: House, kind: CaseKind, words: str) -> None:
    """By what the buyer asks for."""
    claim(house, kind=kind)
    assert words in house.last(house.staff[ShopRole.SERVICE]).text


@pytest.mark.parametrize("event", [E.RULE, E.DISMISS])
def test_what_an_operator_has_ended_is_not_said_to_have_ended_by_time(house: House, event: CaseEvent) -> None:
    """The order counts as received by the ruling."""
    made = claim(house).lead_to(S.HEARD)
    made.take(event, OPERATOR)
    kinds = house.kinds(made.buyer.person)
    assert (kinds.count("order_ruled"), kinds.count("order_received")) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "state", "event", "who", "told"),
    [
        (CaseKind.REFUND, S.ASKED, E.AGREE, SHOP, ["case_agreed"]),
        (CaseKind.REFUND, S.OFFERED, E.ACCEPT, BUYER, []),
        (CaseKind.RETURN, S.SENT, E.ARRIVE, SHOP, ["case_arrived"]),
        (CaseKind.REFUND, S.HEARD, E.RULE, OPERATOR, ["case_ruled", "order_ruled"]),
    ],
)
def test_what_goes_back_in_a_case_is_told_of_the_case_alone(
    house: House, *, kind: CaseKind, state: CaseState, event: CaseEvent, who: Who, told: list[str]
) -> None:
    """Not a second time as a refund; what a buyer takes they know."""
    made = claim(house, kind=kind)
    if state is not S.ASKED:
        made.lead_to(state)
    before = len(house.kinds(made.buyer.person))
    made.take(event, who)
    assert house.world.rows("SELECT 1 FROM fact WHERE kind = 'OrderRefunded'") == [(1,)]
    assert house.kinds(made.buyer.person)[before:] == told


def test_operators_hear_when_they_are_to_rule(house: House) -> None:
    """Those who may, each once."""
    people = {}
    for number, role in enumerate(OperatorRole):
        people[role.value] = house.world.send(RegisterPerson(phone=f"+861360000{number:04d}")).person_id
        house.world.send(GrantRole(person_id=people[role.value], role=role))
    claim(house).lead_to(S.HEARD)
    told = {role: [kind for kind in house.kinds(person) if kind != "role_given"] for role, person in people.items()}
    assert {role: kinds for role, kinds in told.items() if kinds} == {"service": ["case_to_rule"], "finance": ["case_to_rule"]}
