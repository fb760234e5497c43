"""Every step that a case can take, walked by the real commands; and every one that it cannot, refused with nothing changed."""

import msgspec
import pytest

from unit.orders.casebook import DAY_MS, DAYS, EDGES, PATHS, Claim
from unit.orders.market import Buyer, Market
from yunduan.domains.orders.cases import BY_SILENCE, CASE_MOVES, DEADLINES_MS, CaseEvent, CaseKind, CaseState
from yunduan.domains.orders.claiming import OfferInCase
from yunduan.domains.orders.model import Who
from yunduan.kernel.money import Money

OPEN = tuple(DEADLINES_MS)
BACK = (CaseState.TO_SEND, CaseState.SENT, CaseState.RESENDING, CaseState.RESENT)
RETURNING = {CaseEvent.AGREE_TO_RETURN, CaseEvent.ACCEPT_TO_RETURN, CaseEvent.SEND_BACK, CaseEvent.ARRIVE, CaseEvent.RULE_TO_RESEND}
EXCHANGING = {CaseEvent.AGREE_TO_EXCHANGE, CaseEvent.ARRIVE_TO_EXCHANGE, CaseEvent.REPLACE, CaseEvent.RECEIVE, CaseEvent.TAKE_REFUND}
OF_AN_EXCHANGE = (CaseState.REPLACING, CaseState.REPLACED, CaseState.EXCHANGED)
SAME_COMMAND = (
    {CaseEvent.AGREE, CaseEvent.AGREE_TO_RETURN, CaseEvent.AGREE_TO_EXCHANGE},
    {CaseEvent.ACCEPT, CaseEvent.ACCEPT_TO_RETURN},
    {CaseEvent.ARRIVE, CaseEvent.ARRIVE_TO_EXCHANGE},
    {CaseEvent.RECEIVE, CaseEvent.RECEIVE_RESENT},
)
"""Which of them it is hangs on what the case is about."""
COMMANDS = sorted({(event, who) for _, event, who in EDGES if who is not Who.CLOUD})


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money."""
    return market.buyer(10_000)


def kind_of(state: CaseState, event: CaseEvent | None = None, who: Who | None = None) -> CaseKind:
    """What a case is about that can be there, and have that happen to it."""
    if event in EXCHANGING or state in OF_AN_EXCHANGE or (event, who) == (CaseEvent.OFFER, Who.CLOUD):
        return CaseKind.EXCHANGE
    return CaseKind.RETURN if event in RETURNING or state in BACK else CaseKind.REFUND


def claim(market: Market, buyer: Buyer, state: CaseState, event: CaseEvent, who: Who) -> Claim:
    """A case in a state in which an event may come; of goods that are sent back where that is what it is about."""
    made = Claim(market, buyer, kind=kind_of(state, event, who))
    if event is CaseEvent.OFFER and who is Who.CLOUD:
        made.market.stock(made.other, 0)
    if event is CaseEvent.RULE_TO_RESEND:
        for earlier, by in PATHS[CaseState.RESENDING][:-1]:
            made.take(earlier, by)
        return made
    made.lead_to(state)
    if event is CaseEvent.ACCEPT_TO_RETURN and state is CaseState.OFFERED:
        return offered_for_the_goods(market, buyer)
    return made


def offered_for_the_goods(market: Market, buyer: Buyer) -> Claim:
    """The shop wants the goods back for what it offers."""
    market.top_up(buyer, 10_000)
    made = Claim(market, buyer, kind=CaseKind.RETURN)
    made.does(OfferInCase(**made.shop, amount=Money(amount=1000, currency="CNY"), returns=True), market.staff("manager"))
    return made


def test_the_table_is_the_one_that_is_written_down() -> None:
    """No row is there twice, and each open state ends by itself in a known time."""
    assert {(move.state, move.event, move.who): move.next for move in CASE_MOVES} == EDGES
    assert len(CASE_MOVES) == len(EDGES)
    assert {state.value: ms // DAY_MS for state, ms in DEADLINES_MS.items()} == DAYS
    assert all(BY_SILENCE.values())
    assert {move.state for move in CASE_MOVES} == set(OPEN) == set(CaseState) - {CaseState.REFUNDED, CaseState.EXCHANGED, CaseState.CLOSED}


@pytest.mark.parametrize(("state", "event", "who"), EDGES, ids=lambda part: str(part.value))
def test_every_edge_leads_where_it_should(state: CaseState, event: CaseEvent, who: Who, market: Market, buyer: Buyer) -> None:
    """By the command, or by time alone; the fact says the same, and the next deadline is set."""
    made = claim(market, buyer, state, event, who)
    made.take(event, who)
    after = EDGES[state, event, who]
    assert made.state == after
    facts = [msgspec.json.decode(body) for (body,) in market.world.rows("SELECT body FROM fact WHERE kind = 'CaseMoved' ORDER BY seq")]
    assert (facts[-1]["event"], facts[-1]["by"], facts[-1]["state"], facts[-1]["due"]) == (event, who, after, made.due)
    if after is state:
        assert made.due <= market.world.clock.wall_ms() + DEADLINES_MS[state]
    else:
        assert made.due == (market.world.clock.wall_ms() + DEADLINES_MS[after] if after in DEADLINES_MS else 0)
    market.assert_balanced()


@pytest.mark.parametrize("state", PATHS, ids=lambda state: str(state.value))
def test_what_is_no_edge_is_refused(state: CaseState, market: Market, buyer: Buyer) -> None:
    """Every command by whoever may send it, in a state that does not have it: the answer says what there is, and nothing has changed."""
    for kind in CaseKind:
        if kind is not CaseKind.EXCHANGE and (state in OF_AN_EXCHANGE or (kind is CaseKind.REFUND) == (state in BACK)):
            continue
        market.top_up(buyer, 10_000)
        made = Claim(market, buyer, kind=kind).lead_to(state)
        for event, who in COMMANDS:
            same = next((events for events in SAME_COMMAND if event in events), {event})
            if not any((state, one, who) in EDGES for one in same):
                command, actor = made.command(event, who)
                market.assert_refused("case_in_other_state", command, actor)


@pytest.mark.parametrize("state", OPEN, ids=lambda state: str(state.value))
def test_a_deadline_rings_at_its_time_and_once(state: CaseState, market: Market, buyer: Buyer) -> None:
    """Not a moment before; what silence comes to, nobody has to say again, and no alarm is left."""
    made = Claim(market, buyer, kind=kind_of(state)).lead_to(state)
    market.world.pass_time(made.due - market.world.clock.wall_ms() - 1)
    assert made.state == state
    market.world.pass_time(1)
    assert made.state == EDGES[state, BY_SILENCE[state][0], Who.CLOUD]
    market.world.pass_time(90 * DAY_MS)
    assert made.state in ("refunded", "exchanged", "closed")
    assert market.state(made.order) in ("received", "refunded")
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind <> 'LookForUnshipped'") == [(0,)]
    assert market.world.cloud.writer.alarms_refused == 0
    assert buyer.money() + market.earned() + market.commission() == 10_000
    assert market.escrow(made.order) == 0
