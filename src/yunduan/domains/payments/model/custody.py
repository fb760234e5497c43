"""Who keeps what a channel has collected until an order is settled, and how the provider that keeps it is told to split it (分账)."""

from enum import StrEnum
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from yunduan.kernel.ids import AccountId, OrderId, ShopId, TransferId, sibling
from yunduan.kernel.money import Money

SplitId = Annotated[str, Meta(pattern=r"^spl_[0-9a-z]{1,40}(?![\s\S])", description="What a provider is asked to divide of one order.")]


class Custody(StrEnum):
    """Who keeps what a channel has collected for an order."""

    PLATFORM = "platform"
    """The marketplace: the channel owes it to us, and a settlement moves it here."""
    PROVIDER = "provider"
    """The channel's provider: it goes to a shop by the provider's own split, and never through our hands."""


class HoldListener(Protocol):
    """Whoever decides what becomes of an order when the provider will not keep its money much longer; joined by the composition root."""

    def ends(self, tx: Any, order_id: OrderId) -> None:
        """It has come so far: give its money to the shop or back, in this very transaction."""
        ...


class SplitState(StrEnum):
    """Where a split stands."""

    ASKED = "asked"
    """The provider has to do it, or has yet to say that it has."""
    DONE = "done"
    REFUSED = "refused"
    """The provider would not do it: it keeps the money, and operators may have it asked again."""
    VOID = "void"
    """It was refused, and then all of it went back to the buyer: it has ended as well."""


class Split(Struct, frozen=True, kw_only=True):
    """How the provider divides what it keeps of one order over one charge, between the shop and the marketplace.

    `serial` counts how often it has been asked anew.
    """

    id: SplitId
    order_id: OrderId
    shop_id: ShopId
    channel: str
    reference: str
    to_shop: Money
    to_marketplace: Money
    state: SplitState
    at: int
    serial: int = 0
    booked_as: str = ""
    """How the provider calls it, when it has done it by itself."""
    claimed: int = 0
    """What of the shop's part (minor units) pays what it owes the marketplace: the provider hands that to the marketplace."""

    @property
    def whole(self) -> Money:
        """What leaves the provider's hold."""
        return self.to_shop + self.to_marketplace

    @property
    def to_shop_there(self) -> Money:
        """What the shop is given at the provider."""
        return Money(amount=self.to_shop.amount - self.claimed, currency=self.to_shop.currency)

    @property
    def request(self) -> str:
        """The name by which the provider knows it: another one each time that it is asked anew."""
        return f"{self.id}{self.serial:02d}"


class StatementState(StrEnum):
    """Where a provider's statement of a day stands."""

    BEGUN = "begun"
    """The provider is asked for one each day, from this one on."""
    ASKED = "asked"
    DOUBTED = "doubted"
    """Something of it differs: it is compared once more, for we may hear of that yet."""
    AGREES = "agrees"
    DIFFERS = "differs"
    """Alerts say in what."""


class BalanceOff(Struct, frozen=True, kw_only=True):
    """By how much a provider's balance is other than ours (minor units), below zero when ours is more; `name` says which of the three."""

    name: str
    currency: str
    by: int


class StatementDay(Struct, frozen=True, kw_only=True):
    """A provider's statement of a business day, from `since` to before `until`: how many lines it had, and how many differed.

    That with which they begin keeps the `currencies` in which the provider has collected anything.
    """

    id: str
    channel: str
    since: int
    until: int
    state: StatementState
    lines: int = 0
    differing: int = 0
    at: int = 0
    currencies: tuple[str, ...] = ()
    off: tuple[BalanceOff, ...] = ()

    @property
    def is_compared(self) -> bool:
        """Whether it has come, and all of it has been compared."""
        return self.state in (StatementState.AGREES, StatementState.DIFFERS)


def statement_id(channel: str, since: int) -> str:
    """The name of a provider's statement of a day."""
    return f"{channel} {since:013d}"


def split_id(order_id: OrderId, place: int) -> SplitId:
    """The name of a split: of one order, by the place of what funded it."""
    return f"{sibling(order_id, 'spl')}{place:02d}"


def split_step(split: Split, step: str) -> TransferId:
    """The id of a posting of a split, which happens once."""
    return TransferId(f"{sibling(split.request, step)}0")


def held_account(channel: str, currency: str) -> AccountId:
    """What a provider keeps for orders: below zero by that, for it is owed."""
    return AccountId(f"acc_held{channel}{currency.lower()}")


def given_account(channel: str, currency: str) -> AccountId:
    """What a provider has given to shops there, less what came back of it: below zero by that, and beside it what the shops received."""
    return AccountId(f"acc_given{channel}{currency.lower()}")


def own_account(channel: str, currency: str) -> AccountId:
    """What the marketplace itself has at a provider: below zero by that, above by what it owes there."""
    return AccountId(f"acc_own{channel}{currency.lower()}")


def bank_account(channel: str, currency: str) -> AccountId:
    """What of our own a provider has paid to our bank, less what we paid in there: below zero by that, and above."""
    return AccountId(f"acc_bank{channel}{currency.lower()}")


def received_account(shop: ShopId, currency: str) -> AccountId:
    """What providers have given to a shop, less what came back of it: the shop has it there, and it is never paid out here."""
    return AccountId(f"{sibling(shop, 'rcv')}{currency.lower()}")
