"""Those who trade: whom and what they know of, what they have asked, and what has no answer yet."""

import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from yunduan.backends.sandbox import Sandbox
from yunduan.cloud import Cloud
from yunduan.domains.orders.cases import CaseState
from yunduan.domains.orders.commands import AddToCart
from yunduan.domains.payments.model import PaymentStarted
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import AddressId, CaseId, OrderId, PersonId, VariantId
from yunduan.kernel.messages import Command
from yunduan.runtime.answers import Answered
from yunduan.runtime.clock import VirtualClock
from yunduan.testing.people import Asked
from yunduan.testing.trade.founding import market

DAY_MS = 86_400_000
LATEST = 20
"""Of what they know of they mostly mind the latest."""
REPEATED_MS = 2 * DAY_MS
"""Before they let time pass they give up asking what they wanted so long ago: with the longest wait, less than answers are kept."""
PAGES_MAX = 20
SLIPS_MS = (DAY_MS // 8, DAY_MS, 6 * DAY_MS)


class Bought(Struct):
    """An order that somebody knows of."""

    id: OrderId
    buyer: Actor
    total: int
    variant: VariantId


class Disputed(Struct):
    """A case that somebody knows of, and where it stood when they last heard."""

    id: CaseId
    buyer: Actor
    total: int
    state: CaseState
    is_sent: bool = False
    """Whether goods were sent back, and no others for them."""


Drawn = tuple[Command[Any], Actor] | None


class Shoppers:
    """Draws what is asked next; keeps what has no answer yet."""

    def __init__(self, mix: "Mix", chance: random.Random, sandbox: Sandbox, clock: VirtualClock) -> None:
        """Nobody has asked anything."""
        self._mix = mix
        self.clock = clock
        self.chance = chance
        self.sandbox = sandbox
        self.sandboxes = {"sandbox": sandbox}
        """Where people pay: each has its own page."""
        self.ways: tuple[str, ...] = ("sandbox",)
        """Over which channels, each as often as it stands here."""
        self.market = market()
        self.cloud: Cloud | None = None
        self.number = 0
        self.waits_until = 0
        self.open: dict[str, Asked] = {}
        self.done: list[Asked] = []
        self.mistakes: set[str] = set()
        self.orders: list[Bought] = []
        self.cases: dict[CaseId, Disputed] = {}
        self.payouts: list[str] = []
        self.pages: list[str] = []
        """Addresses at the channel to which somebody has not gone yet."""
        self.operators = tuple(
            Actor(person=PersonId(f"per_operator{n}"), operator_roles=frozenset({"service", "finance"})) for n in range(3)
        )
        self.staff = Actor(person=PersonId("per_staff"), shop_roles={self.market.shop.id: frozenset({"manager"})})

    def meet(self, cloud: Cloud) -> None:
        """A new life of the cloud has begun: these people look before they buy."""
        self.cloud = cloud

    def opening(self) -> list[Asked]:
        """The market is open already."""
        return []

    def next(self) -> Asked | None:
        """Something new, or once more something old."""
        fate = self.chance.random()
        if fate < 0.12 and self.open:
            return self.chance.choice(list(self.open.values()))
        if fate < 0.18 and self.done:
            return self.chance.choice(self.done)
        (draw,) = self.chance.choices(self._mix.draws, cum_weights=self._mix.weights)
        drawn = draw(self)
        if drawn is None:
            return None
        self.number += 1
        command, actor = drawn
        asked = Asked(command, actor, f"k{self.number}", self.number, at=self.clock.wall_ms())
        self.open[asked.name] = asked
        return asked

    def mistaken(self) -> Asked | None:
        """Something else under a key that has been answered."""
        if not self.done:
            return None
        before = self.chance.choice(self.done)
        self.mistakes.add(before.name)
        return Asked(AddToCart(variant_id=self.market.variants[0], quantity=99), before.actor, before.key, -1, is_mistaken=True)

    def settled(self, asked: Asked, answered: Answered | None = None) -> None:
        """It has its answer, from which its sender learns."""
        if self.open.pop(asked.name, None) is None:
            return
        self.done.append(asked)
        if answered is not None and answered.accepted and (learn := self._mix.learns.get(type(asked.command))):
            learn(self, asked, answered)

    def wait(self, ms: int) -> None:
        """Let time pass, as everybody does who has something coming."""
        self.waits_until = self.clock.wall_ms() + ms
        long_ago = self.clock.wall_ms() - REPEATED_MS
        self.open = {name: asked for name, asked in self.open.items() if asked.at > long_ago}
        self.done = [asked for asked in self.done if asked.at > long_ago]

    def go_to_pay(self, started: PaymentStarted) -> None:
        """To the channel's pages, where some think better of it; some go later, and others forget to."""
        for redirect in started.redirects:
            fate = self.chance.random()
            if fate < 0.7:
                self.visit(redirect.url)
            elif fate < 0.9:
                self.pages = [*self.pages[1 - PAGES_MAX :], redirect.url]

    def visit(self, url: str) -> None:
        """One of the channel's pages; what is paid at a counter may take longer than anybody waits for it."""
        page = urlsplit(url)
        sandbox = self.sandboxes[page.path.split("/")[1]]
        sandbox.misbehaviour = replace(sandbox.misbehaviour, slip_ms=self.chance.choice(SLIPS_MS))
        sandbox.decide(dict(parse_qsl(page.query)), approve=self.chance.random() < 0.85)

    def over(self) -> str:
        """The channel that somebody pays over."""
        return self.chance.choice(self.ways) if len(self.ways) > 1 else self.ways[0]

    # What they are like

    def buyer(self) -> tuple[Actor, AddressId]:
        """One of them, and where they live."""
        person, address = self.chance.choice(self.market.buyers)
        return Actor(person=person), address

    def order(self) -> Bought | None:
        """One of the latest orders, if there is any."""
        return self.chance.choice(self.orders[-LATEST:]) if self.orders else None

    def operator(self) -> Actor:
        """One of those who work for the marketplace."""
        return self.chance.choice(self.operators)


Draw = Callable[[Shoppers], Drawn]
Draws = tuple[tuple[Draw, int], ...]
"""What may be asked, each with its weight."""
Learn = Callable[[Shoppers, Asked, Answered], None]
Learns = Mapping[type[Command[Any]], Learn]


class Mix(Struct, frozen=True):
    """What is asked how often, and what is learnt from which answer."""

    draws: tuple[Draw, ...]
    weights: tuple[int, ...]
    """Each with those before it added up."""
    learns: Learns
