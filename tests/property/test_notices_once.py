"""Each cause is told once to each, whatever a delivery brings: again, too early, in parts, or with something that cannot be heard."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yunduan.domains.catalog.commands import CreateShop
from yunduan.domains.identity.commands import GrantShopRole, RegisterPerson
from yunduan.domains.identity.model import ShopRole
from yunduan.domains.notices.commands import ChooseWays
from yunduan.domains.notices.model import About, NoticeKind, Way
from yunduan.domains.orders.facts import OrderPaid, OrderReceived, OrderRedirected, OrderShipped
from yunduan.domains.payments.facts import PaymentEnded
from yunduan.domains.payments.model import PaymentState
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId, PaymentId, PersonId, ShopId
from yunduan.kernel.messages import Fact
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import BrokenError
from yunduan.runtime.following import DeliverFacts, Heard
from yunduan.testing import World

Told = tuple[PersonId, str, str]
FACTS = 12
_about = msgspec.msgpack.Decoder(About).decode
UNHEARABLE = PaymentEnded(payment_id=PaymentId("pay_" + "0" * 26), checkout_id=None, state=PaymentState.FAILED)
"""Of a payment that never was: whoever is told of it cannot be found."""


class Town:
    """Two buyers, of whom one is written to, a shop with a packer, and what each of them was told."""

    def __init__(self, folder: Path) -> None:
        """Nobody has been told anything."""
        self.world = World.at(folder)
        self.buyers = [self._person(number) for number in range(2)]
        self.packer = self._person(2)
        made = CreateShop(owner_id=self._person(3), name="云茶", country="CN", currency="CNY", commission_ppm=0)
        self.shop: ShopId = self.world.send(made).id
        self.world.send(ChooseWays(kind=NoticeKind.ROLE_GIVEN, ways=()), actor=Actor(person=self.packer))
        self.world.send(GrantShopRole(shop_id=self.shop, person_id=self.packer, role=ShopRole.PACKER))
        self.world.send(ChooseWays(kind=NoticeKind.ORDER_SHIPPED, ways=(Way.IN_APP, Way.SMS)), actor=Actor(person=self.buyers[0]))
        self.world.settle()
        self.owner = made.owner_id
        self.begin()

    def begin(self) -> None:
        """Count from here: what was told before is another story's."""
        self.begins = self.heard()
        ((self.notices,),) = self.world.rows("SELECT coalesce(max(seq), 0) FROM notice")
        ((self.last_letter,),) = self.world.rows("SELECT coalesce(max(id), '') FROM notice_letter")

    def _person(self, number: int) -> PersonId:
        return self.world.send(RegisterPerson(phone=f"+861380000000{number}")).person_id

    def heard(self) -> int:
        """How far the follower has heard."""
        seq: int = self.world.rows("SELECT seq FROM cursor WHERE follower = 'notices'")[0][0]
        return seq

    def deliver(self, facts: list[Fact], first: int, last: int) -> bool:
        """Bring facts, the first of which is claimed to be the next; answers whether they could be heard."""
        heard = tuple(Heard(self.begins + number + 1, facts[number]) for number in range(first, last))
        try:
            self.world.send(DeliverFacts(follower="notices", after=self.begins + first, through=self.begins + last, facts=heard))
        except BrokenError:
            return False
        return True

    def told(self) -> list[Told]:
        """What was told, in order; of each person the numbers have no gap."""
        rows = self.world.rows("SELECT person, number, kind, about, seq FROM notice ORDER BY seq")
        last: Counter[str] = Counter()
        for person, number, *_ in rows:
            last[person] += 1
            assert number == last[person]
        return [(person, kind, _about(about).order_id or "") for person, _, kind, about, seq in rows if seq > self.notices]

    def letters(self) -> list[Told]:
        """What was written, in order."""
        rows = self.world.rows("SELECT person, kind, about FROM notice_letter WHERE id > ? ORDER BY id", self.last_letter)
        return [(person, kind, _about(about).order_id or "") for person, kind, about in rows]

    def due(self, fact: Fact) -> list[Told]:
        """What follows from a fact."""
        match fact:
            case OrderPaid(order_id=order):
                return [(self.owner, "sale_paid", order), (self.packer, "sale_paid", order)]
            case OrderRedirected(order_id=order, is_paid=True):
                return [(self.owner, "sale_redirected", order), (self.packer, "sale_redirected", order)]
            case OrderShipped(order_id=order, buyer=buyer):
                return [(buyer, "order_shipped", order)]
            case OrderReceived(order_id=order, buyer=buyer, by="cloud"):
                return [(buyer, "order_received", order)]
            case OrderReceived(order_id=order, buyer=buyer, by="operator"):
                return [(buyer, "order_ruled", order)]
            case _:
                return []

    def fact(self, number: int, kind: int, buyer: int) -> Fact:
        """A fact of one of the kinds."""
        of = {"order_id": OrderId(f"ord_{number:026d}"), "buyer": self.buyers[buyer], "shop_id": self.shop}
        some = Money(amount=100 + number, currency="CNY")
        made: tuple[Fact, ...] = (
            OrderPaid(**of, lines=(), total=some, at_once=True),
            OrderShipped(**of),
            OrderRedirected(**of),
            OrderReceived(**of, total=some, commission=some, by="cloud"),
            OrderReceived(**of, total=some, commission=some, by="buyer"),
            OrderReceived(**of, total=some, commission=some, by="operator"),
            OrderRedirected(**of, is_paid=False),
        )
        return made[kind]


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """A new one."""
    with tempfile.TemporaryDirectory() as folder:
        made = Town(Path(folder))
        yield made
        made.world.close()


Kinds = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=FACTS, max_size=FACTS)
Windows = st.lists(st.tuples(st.integers(0, FACTS), st.integers(0, FACTS), st.booleans()), max_size=10)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(kinds=Kinds, windows=Windows)
def test_whatever_is_delivered_each_cause_is_told_once(
    town: Town, kinds: list[tuple[int, int]], windows: list[tuple[int, int, bool]]
) -> None:
    """Deliveries overlap, come again, come too early, or end with what cannot be heard; in the end all is told, in order, once."""
    town.begin()
    facts = [town.fact(number, kind, buyer) for number, (kind, buyer) in enumerate(kinds)]
    done = 0
    for one, other, is_spoilt in windows:
        first, last = sorted((one, other))
        if is_spoilt and first == done:
            before = town.told(), town.letters(), town.heard()
            assert not town.deliver([*facts[:last], UNHEARABLE], first, last + 1), "a delivery is heard whole or not at all"
            assert (town.told(), town.letters(), town.heard()) == before
        town.deliver(facts, first, last)
        done = last if first == done else done
        assert town.heard() == town.begins + done
    town.deliver(facts, done, FACTS)
    expected = [told for fact in facts for told in town.due(fact)]
    assert sorted(town.told()) == sorted(expected)
    for person in (*town.buyers, town.owner, town.packer):
        assert [told for told in town.told() if told[0] == person] == [told for told in expected if told[0] == person]
    assert town.letters() == [told for told in expected if told[:2] == (town.buyers[0], "order_shipped")]


def test_a_process_that_dies_between_deliveries_goes_on_where_it_was(town: Town) -> None:
    """By the cursor that is on disk with what was written: what was heard is not told again, and what was not is."""
    folder = Path(town.world.cloud.store.reader().row("PRAGMA database_list")[2]).parent  # type: ignore[index]
    town.begin()
    facts = [town.fact(number, number % 4, number % 2) for number in range(FACTS)]
    town.deliver(facts, 0, 5)
    town.world.close()
    town.world = World.at(folder)
    town.deliver(facts, 0, 5)
    town.deliver(facts, 5, FACTS)
    assert sorted(town.told()) == sorted(told for fact in facts for told in town.due(fact))
