"""What a replay tells at its end: what was found, what was done, where everything stands, and where every centavo is."""

from collections.abc import Iterator

from yunduan.backends.sandbox import Sandbox
from yunduan.cloud import Cloud
from yunduan.domains.orders.queries import OrdersByState
from yunduan.domains.payments.queries import PlatformAccountsOf, ReconciliationOf, TheirLine
from yunduan.edges.olist.plan import CURRENCY, Plan
from yunduan.edges.olist.replay import SOURCE
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.money import Money
from yunduan.runtime.imports import KindsImported


def lines(plan: Plan, cloud: Cloud) -> Iterator[str]:
    """The report, a line at a time: what the plan found, and what the store says of itself."""
    found, brought = plan.counts, cloud.ask(KindsImported(source=SOURCE), actor=SYSTEM)
    done = {kind: brought.get(kind, 0) for kind in ("checkout", "difference", "shipment", "receipt", "cancellation", "refund", "review")}
    yield (
        f"{found.orders:,} orders in the tables: {found.without_lines} without lines and {found.without_payment} without payment "
        "are not placed"
    )
    yield f"{done['checkout']:,} checkouts made {found.orders_by_shop:,} orders; {found.split_over_sellers} are split over several shops"
    yield f"{found.several_tenders} checkouts have several tenders"
    yield (
        f"{done['difference']} were paid over and {found.paid_under} under what their lines cost: "
        "the difference is in the account of differences"
    )
    yield (
        f"{done['shipment']:,} shipped, {done['receipt']:,} received and settled, {done['cancellation']} cancelled "
        f"and {done['refund']} refunded after shipment"
    )
    yield (
        f"{found.reviews:,} reviews, of which {found.reviews_early} are dated before the parcel came, or lack it: "
        f"{found.reviews_published:,} published, {found.reviews_waited} of them with the parcel instead of before it; left out are "
        f"{found.reviews_unreceived} of orders never received, {found.reviews_unplaced} of orders not placed "
        f"and {found.reviews_second} second ones of the same order"
    )
    yield f"{found.dates_moved} dates lay before the step they follow, and were moved to it"
    for total in cloud.ask(OrdersByState(), actor=SYSTEM):
        yield f"  {total.state:>10}: {total.orders:>6,} orders, {total.total}"
    sandbox: Sandbox = cloud.port(Sandbox)
    theirs = tuple(TheirLine(reference=line.reference, amount=line.amount, request=line.request) for line in sandbox.statement(CURRENCY))
    compared = cloud.ask(ReconciliationOf(channel="sandbox", currency=CURRENCY, theirs=theirs), actor=SYSTEM)
    agreement = "agree to the last centavo" if compared.agrees else f"differ in {len(compared.discrepancies)} lines"
    yield f"the channel's statement of {len(theirs):,} lines and our books {agreement}: {_signed(compared.theirs)}"
    for account in cloud.ask(PlatformAccountsOf(currency=CURRENCY), actor=SYSTEM).accounts:
        yield f"  {account.name:>22}: {_signed(account.balance)}"


def _signed(centavos: int) -> str:
    money = Money(amount=abs(centavos), currency=CURRENCY)
    return f"-{money}" if centavos < 0 else str(money)
