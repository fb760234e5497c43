"""A market with somebody in every role of its shop, and what each of them was told."""

from unit.orders.market import Buyer, Market, channel
from yunduan.domains.identity.commands import AppointOwner, GrantShopRole, RegisterPerson
from yunduan.domains.identity.model import ShopRole
from yunduan.domains.notices.commands import ChooseWays
from yunduan.domains.notices.model import NoticeKind
from yunduan.domains.notices.queries import MyNotices, NoticeMailbox, NoticePage, NoticeView
from yunduan.domains.orders.commands import Placed
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId, PersonId


class House:
    """The market, its shop's people by their roles, and their notices."""

    def __init__(self, market: Market) -> None:
        """Nobody has bought anything, and nobody has been told of their role."""
        self.market = market
        self.world = market.world
        self.shop_id = market.shop.id
        self.staff: dict[ShopRole, PersonId] = {}
        for number, role in enumerate(ShopRole):
            person = self.world.send(RegisterPerson(phone=f"+861370000{number:04d}")).person_id
            self.world.send(ChooseWays(kind=NoticeKind.ROLE_GIVEN, ways=()), actor=self.actor(person))
            if role is ShopRole.OWNER:
                self.world.send(AppointOwner(shop_id=self.shop_id, person_id=person))
            else:
                self.world.send(GrantShopRole(shop_id=self.shop_id, person_id=person, role=role))
            self.staff[role] = person
        self.world.settle()

    def actor(self, person: PersonId) -> Actor:
        """Somebody, signed in."""
        return Actor(person=person)

    def page(self, person: PersonId, **ask: int) -> NoticePage:
        """One page of what somebody was told, after everything has been heard."""
        self.world.settle()
        return self.world.ask(MyNotices(**ask), actor=self.actor(person))

    def told(self, person: PersonId) -> list[tuple[int, str]]:
        """The number and kind of everything that somebody was told, in order."""
        return [(it.number, it.kind.value) for it in reversed(self.page(person, limit=50).items)]

    def kinds(self, person: PersonId) -> list[str]:
        """The kinds alone."""
        return [kind for _, kind in self.told(person)]

    def last(self, person: PersonId) -> NoticeView:
        """What somebody was told last."""
        return self.page(person).items[0]

    def roles_told(self, kind: str) -> set[str]:
        """In which roles somebody was told this, each once."""
        times = {role.value: self.kinds(person).count(kind) for role, person in self.staff.items()}
        assert set(times.values()) <= {0, 1}, times
        return {role for role, count in times.items() if count}

    def letters(self) -> list[tuple[str, str, str]]:
        """(way, contact, title) of every letter, in order."""
        return [(it.way.value, it.contact, it.title) for it in reversed(self.world.ask(NoticeMailbox()).items)]

    def buyer(self, fen: int = 0) -> Buyer:
        """Somebody who was told nothing yet: money comes into their wallet and that is read away."""
        return self.market.buyer(fen)

    def bought(self, buyer: Buyer, *, by_channel: bool = False) -> tuple[OrderId, Placed]:
        """An order over one piece; paid by the channel only when somebody decides so."""
        buyer.want(self.market.offer())
        placed = buyer.buy(channel(buyer.total()) if by_channel else None)
        return placed.orders[0].id, placed
