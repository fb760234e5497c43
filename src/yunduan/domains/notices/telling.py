"""How notices become words: in the language of whoever reads them, from what orders, goods and shops are called today."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from yunduan.domains.catalog.queries import ChoicesOf, TermsOf, TitlesOf
from yunduan.domains.identity.model import Language
from yunduan.domains.notices.model import About, NoticeKind, NoticeSettings
from yunduan.domains.notices.templates import CONTACTS, MARKETPLACE, ROLES, Words, said
from yunduan.domains.orders.queries import NamesOf
from yunduan.kernel.ids import GoodsId, OrderId, ShopId, VariantId
from yunduan.runtime.transaction import Asking

Id = TypeVar("Id")


class Tellable(Protocol):
    """A notice, or a letter that is one."""

    @property
    def kind(self) -> NoticeKind:
        """What is told."""
        ...

    @property
    def about(self) -> About:
        """What it is about."""
        ...


class _Called(Struct, frozen=True):
    """A name in both languages."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        return self.en if language is Language.EN and self.en else self.zh


_WALLET = _Called("您的钱包", "your wallet")


class Names:
    """What everything is called that some notices are about; each is looked up once."""

    def __init__(self, at: Asking, notices: Sequence[Tellable]) -> None:
        """Look it up."""
        self._zone = ZoneInfo(at.port(NoticeSettings).time_zone)
        abouts = [notice.about for notice in notices]
        self._orders = at.ask(NamesOf(order_ids=_each(abouts, lambda it: it.order_id)))
        self._goods = at.ask(TitlesOf(goods_ids=_each(abouts, lambda it: it.goods_id)))
        self._choices = at.ask(ChoicesOf(variant_ids=_each(abouts, lambda it: it.variant_id)))
        shops = {id: at.ask(TermsOf(shop_id=id)) for id in _each(abouts, lambda it: it.shop_id)}
        self._shops: Mapping[ShopId, _Called] = {id: _Called(terms.name, terms.name_en) for id, terms in shops.items()}

    def told(self, notice: Tellable, language: Language) -> Words:
        """A notice in words."""
        about = notice.about
        shop = self._shops[about.shop_id].in_(language) if about.shop_id else ""
        return said(
            notice.kind,
            language,
            {
                "order": self._number(about.order_id),
                "goods": self._title(about.order_id, about.goods_id).in_(language),
                "choice": self._choice(about.variant_id, language),
                "shop": shop,
                "whose": shop or _WALLET.in_(language),
                "amount": str(about.amount or ""),
                "number": str(about.number or 0),
                "until": self._day(about.until, language) if about.until else "",
                "where": shop or MARKETPLACE[language],
                "role": ROLES[about.role][language] if about.role else "",
                "contact": CONTACTS[about.contact][language] if about.contact else "",
            },
        )

    def _day(self, at_ms: int, language: Language) -> str:
        """By the market's calendar."""
        day = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone)
        return f"{day.month} 月 {day.day} 日" if language is Language.ZH else f"{day.day} {day:%B}"

    def _number(self, id: OrderId | None) -> str:
        """In fours, as it is read out."""
        number = self._orders[id].number if id else ""
        return " ".join(number[place : place + 4] for place in range(0, len(number), 4))

    def _choice(self, variant: VariantId | None, language: Language) -> str:
        """In brackets, where there is something to choose."""
        chosen = self._choices.get(variant) if variant else None
        if chosen is None or not chosen.title:
            return ""
        return f"（{chosen.title}）" if language is Language.ZH else f" ({chosen.title_en or chosen.title})"

    def _title(self, order: OrderId | None, goods: GoodsId | None) -> _Called:
        found = self._goods[goods] if goods else self._orders[order] if order else None
        return _Called(found.title, found.title_en) if found else _Called("", "")


def _each(abouts: Sequence[About], of: Callable[[About], Id | None]) -> tuple[Id, ...]:
    return tuple(dict.fromkeys(id for about in abouts if (id := of(about)) is not None))
