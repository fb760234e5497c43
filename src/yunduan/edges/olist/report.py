"""What a replay tells at its end: what was found and what was made up, what became of every order, and where every centavo is."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from yunduan.backends.sandbox import Sandbox
from yunduan.cloud import Cloud
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import OrdersByState, StateTotal
from yunduan.domains.payments.queries import MoneyByPurpose, Purpose, Reconciliation, ReconciliationOf, TheirLine
from yunduan.edges.olist.plan import CURRENCY, ZONE, Counts, Plan
from yunduan.edges.olist.replay import COMMISSION_PPM, SOURCE
from yunduan.kernel.actors import SYSTEM
from yunduan.runtime.imports import KindsImported

MADE_UP = (
    ("titles", "the name of the category and the first six digits of the product's id, in Chinese and in English"),
    ("stock", "of each good as many pieces as the tables sell, those of orders that are not placed included"),
    ("prices", "a good's is what was paid for it first; a line of an order has its own"),
    ("commission", f"{COMMISSION_PPM / 10_000:.0f} % of the goods of an order; the tables do not say what Olist kept"),
    ("cancellations", "have no date: they happen when the parcel was promised"),
    ("people", "have no name and nobody's number, and an address no street; a shop is called by its town"),
)
"""What the tables lack, and how it is made."""
STATES = tuple(state.value for state in OrderState)


class Row(Struct, frozen=True):
    """One line of a section: a figure and what it is of."""

    figure: str
    says: str


class Section(Struct, frozen=True):
    """A part of the report."""

    title: str
    rows: tuple[Row, ...]


class Outcome(Struct, frozen=True, kw_only=True):
    """Where a marketplace stands after its replay, by the store itself."""

    brought: dict[str, int]
    states: dict[str, StateTotal]
    money: dict[str, Purpose]
    charges: int
    returns: int
    reconciliation: Reconciliation


def outcome(cloud: Cloud) -> Outcome:
    """Ask the store and the channel's own statement."""
    sandbox: Sandbox = cloud.port(Sandbox)
    theirs = tuple(TheirLine(reference=line.reference, amount=line.amount, request=line.request) for line in sandbox.statement(CURRENCY))
    return Outcome(
        brought=cloud.ask(KindsImported(source=SOURCE), actor=SYSTEM),
        states={total.state: total for total in cloud.ask(OrdersByState(), actor=SYSTEM).items},
        money={purpose.name: purpose for purpose in cloud.ask(MoneyByPurpose(currency=CURRENCY), actor=SYSTEM)},
        charges=sum(1 for line in theirs if not line.request),
        returns=sum(1 for line in theirs if line.request),
        reconciliation=cloud.ask(ReconciliationOf(channel="sandbox", currency=CURRENCY, theirs=theirs), actor=SYSTEM),
    )


def sections(plan: Plan, found: Outcome) -> Iterator[Section]:
    """The report, a part at a time."""
    counts = plan.counts
    yield Section("What the tables lack, and how it is made", tuple(Row(what, how) for what, how in MADE_UP))
    yield Section("Goods", tuple(_goods(plan)))
    yield Section("Orders", tuple(_orders(counts, found)))
    yield Section("Payments", tuple(_payments(counts, found)))
    yield Section("Reviews", tuple(_reviews(counts, found)))
    yield Section(f"Money, in {CURRENCY}", tuple(_money(found)))


def years(plan: Plan) -> str:
    """From when to when the replay goes."""
    first, last = (datetime.fromtimestamp(plan.steps[place].at / 1000, ZONE).date() for place in (0, -1))
    return f"{first} to {last}"


def _goods(plan: Plan) -> Iterator[Row]:
    counts = plan.counts
    yield Row(f"{len(plan.shops):,}", "shops, one for each seller")
    yield Row(f"{len(plan.goods):,}", "goods, one for each product and seller")
    yield Row(f"{counts.products_of_several_sellers:,}", "products that have several sellers")
    yield Row(f"{counts.products_without_category:,}", "products without a category, under “其他 / Other”")
    yield Row(f"{counts.products_never_sold:,}", "products that nobody sells: left out")


def _orders(counts: Counts, found: Outcome) -> Iterator[Row]:
    yield Row(f"{counts.orders:,}", "in the tables")
    yield Row(f"{counts.without_lines.total():,}", f"without lines: not placed{_by_status(counts.without_lines)}")
    yield Row(f"{counts.without_payment.total():,}", f"without payment: not placed{_by_status(counts.without_payment)}")
    yield Row(f"{found.brought.get('checkout', 0):,}", f"placed{_by_status(counts.placed)}")
    by_sellers = ", ".join(f"{number:,} over {sellers}" for sellers, number in sorted(counts.split_over_sellers.items()))
    yield Row(f"{counts.split_over_sellers.total():,}", f"of them split over several shops{f' ({by_sellers})' if by_sellers else ''}")
    made = {state: found.states[state].orders if state in found.states else 0 for state in STATES}
    yield Row(f"{sum(made.values()):,}", "orders came of them, one a shop:")
    yield Row(f"{made['received']:,}", "received and settled")
    yield Row(f"{made['cancelled']:,}", "cancelled before they were shipped, and refunded")
    yield Row(f"{made['refunded']:,}", "refunded after they were shipped")
    yield Row(f"{made['shipped']:,}", "stay open, shipped and not received")
    yield Row(f"{made['paid']:,}", f"stay open, paid and not shipped{_by_status(counts.placed, 'invoiced', 'processing')}")
    if made["placed"]:
        yield Row(f"{made['placed']:,}", "wait for their payment")
    yield Row(f"{counts.dates_moved:,}", "dates lay before the step that they follow, and were moved to it")


def _by_status(orders: Counter[str], *named: str) -> str:
    """In brackets, how many orders have each of Olist's statuses, or each of those named."""
    said = ", ".join(f"{number:,} {status}" for status, number in orders.most_common() if not named or status in named)
    return f" ({said})" if said else ""


def _payments(counts: Counts, found: Outcome) -> Iterator[Row]:
    yield Row(f"{found.charges:,}", "charges, collected by the sandbox")
    yield Row(f"{found.returns:,}", "returns, of what was refunded, over the charges that it came by")
    yield Row(f"{counts.several_payments:,}", "orders have several payments in the tables")
    yield Row(f"{counts.several_tenders:,}", f"of them are placed and paid by as many tenders; {counts.several_unplaced:,} are not placed")
    yield Row(f"{found.brought.get('difference', 0):,}", f"were paid above what their lines cost, by {reais(counts.over)} in all")
    yield Row(f"{counts.paid_under:,}", f"were paid below it, by {reais(counts.under)} in all")
    yield Row(reais(counts.paid_for_nothing), "were paid for orders without lines: not taken")


def _reviews(counts: Counts, found: Outcome) -> Iterator[Row]:
    yield Row(f"{counts.reviews:,}", f"in the tables, of which {counts.reviews_early:,} are dated before the parcel came, or lack it")
    yield Row(f"{counts.reviews_published:,}", f"published, one for each of {found.brought.get('review', 0):,} lines of their orders")
    yield Row(f"{counts.reviews_waited:,}", "of them when the parcel came, because they are dated before it")
    yield Row(f"{counts.reviews_unreceived:,}", "not published: their order was never received")
    yield Row(f"{counts.reviews_unplaced:,}", "not published: their order was not placed")
    yield Row(f"{counts.reviews_second:,}", "not published: their order had been reviewed before")


def _money(found: Outcome) -> Iterator[Row]:
    balance = {name: purpose.balance for name, purpose in found.money.items()}
    open_orders = sum(found.states[state].orders for state in ("paid", "shipped") if state in found.states)
    said = found.reconciliation
    agreement = (
        "agrees to the last centavo" if said.agrees else f"DIFFERS in {len(said.discrepancies)} lines, and says {reais(said.theirs)}"
    )
    lines = found.charges + found.returns
    yield Row(reais(-balance.get("channel", 0)), f"is with the channel, whose own statement of {lines:,} lines {agreement}; of it")
    yield Row(reais(balance.get("shop", 0)), "the shops have earned")
    yield Row(reais(balance.get("commission", 0)), "the marketplace has earned")
    yield Row(reais(balance.get("escrow", 0)), f"is in escrow for {open_orders:,} open orders")
    yield Row(reais(balance.get("difference", 0)), "is in the account of differences")
    rest = sum(balance.get(name, 0) for name in ("wallet", "clearing", "returning", "promotions"))
    yield Row(reais(rest), "is anywhere else")


def reais(centavos: int) -> str:
    """An amount with its sign, as people read it."""
    return f"{'-' if centavos < 0 else ''}{abs(centavos) // 100:,}.{abs(centavos) % 100:02}"
