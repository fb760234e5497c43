"""Who asks things of the toy market: impatient people who repeat themselves, mix up their keys and never forget an answer."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from yunduan.cloud import Cloud
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Command
from yunduan.runtime.answers import Answered
from yunduan.testing.bazaar import commands
from yunduan.testing.bazaar.commands import Wrong

PURSES = tuple(f"p{number}" for number in range(6))
ITEMS = ("tea", "silk", "salt")
PEOPLE = tuple(Actor(person=PersonId(f"per_{number}")) for number in range(4))
HOLD_MS = (1_000, 20_000, 600_000)


class Asked(Struct, eq=False):
    """A command that somebody wants done once, however often it must be said."""

    command: Command[Any]
    actor: Actor
    key: str
    op: int
    said: int = 0
    is_broken: bool = False
    is_mistaken: bool = False
    at: int = 0
    """When it was first wanted, in milliseconds since 1970, where time passes for long."""

    @property
    def name(self) -> str:
        """What the runtime files the answer under."""
        return f"{self.key} {self.actor.principal}"


class People:
    """Draws what is asked next; keeps what has no answer yet."""

    def __init__(self, chance: random.Random, *, first_op: int = 1) -> None:
        """Nobody has asked anything."""
        self._chance = chance
        self._op = first_op - 1
        self.open: dict[str, Asked] = {}
        self.done: list[Asked] = []
        self.mistakes: set[str] = set()
        """Keys that were used for something else as well: while that is in flight, their own command is refused too."""
        self._holds: list[int] = []

    def opening(self) -> list[Asked]:
        """What makes a market out of nothing."""
        money = [self._new(partial(commands.Mint, purse=purse, amount=1_000)) for purse in PURSES]
        return money + [self._new(partial(commands.Supply, item=item, quantity=9)) for item in ITEMS]

    def next(self) -> Asked | None:
        """Something new, or once more something old: unanswered, or answered long ago."""
        fate = self._chance.random()
        if fate < 0.12 and self.open:
            return self._chance.choice(list(self.open.values()))
        if fate < 0.18 and self.done:
            return self._chance.choice(self.done)
        return self._new(self._command)

    def mistaken(self) -> Asked | None:
        """Something else under a key that has been answered: it must change nothing."""
        if not self.done:
            return None
        before = self._chance.choice(self.done)
        self.mistakes.add(before.name)
        return Asked(self._mistake(), before.actor, before.key, -1, is_mistaken=True)

    def _mistake(self) -> Command[Any]:
        return commands.Mint(op=-1, purse="p0", amount=77)

    def meet(self, cloud: Cloud) -> None:
        """A new life of the cloud has begun; these people need not look at it before they ask."""

    def settled(self, asked: Asked, answered: Answered | None = None) -> None:  # noqa: ARG002 - others read it
        """It has its answer; none when it was broken."""
        if self.open.pop(asked.name, None) is not None and not asked.is_broken:
            self.done.append(asked)

    def ask_again(self, asked: Asked) -> None:
        """Its answer has never left."""
        if asked in self.done:
            self.done.remove(asked)
        self.open[asked.name] = asked

    def _new(self, command: Callable[..., Command[Any]]) -> Asked:
        self._op += 1
        asked = Asked(command(op=self._op), self._chance.choice(PEOPLE), f"k{self._op}", self._op)
        if self.done and self._chance.random() < 0.02:  # somebody else's key is nobody's business
            asked.key = self._chance.choice([before.key for before in self.done if before.actor is not asked.actor] or [asked.key])
            asked.key = (
                asked.key if asked.name not in self.open and all(asked.name != other.name for other in self.done) else f"k{self._op}"
            )
        asked.is_broken = isinstance(asked.command, commands.Spoil)
        self.open[asked.name] = asked
        return asked

    def _command(self, op: int) -> Command[Any]:
        (make,) = self._chance.choices(_KINDS, _WEIGHTS)
        return make(self, op)

    def _pay(self, op: int) -> Command[Any]:
        return commands.Pay(
            op=op, payer=self._purse(), payee=self._purse(), amount=self._chance.randrange(1, 400), late=self._chance.random() < 0.3
        )

    def _reserve(self, op: int) -> Command[Any]:
        self._holds.append(op)
        return commands.Reserve(op=op, item=self._item(), quantity=self._chance.randrange(1, 4), hold_ms=self._chance.choice(HOLD_MS))

    def _purchase(self, op: int) -> Command[Any]:
        hold = self._chance.choice(self._holds[-12:] or [0])
        return commands.Purchase(op=op, hold=hold, payer=self._purse(), payee=self._purse(), amount=self._chance.randrange(1, 500))

    def _supply(self, op: int) -> Command[Any]:
        return commands.Supply(op=op, item=self._item(), quantity=self._chance.randrange(1, 5))

    def _mint(self, op: int) -> Command[Any]:
        return commands.Mint(op=op, purse=self._purse(), amount=self._chance.randrange(1, 300))

    def _set_bell(self, op: int) -> Command[Any]:
        return commands.SetBell(op=op, in_ms=self._chance.choice(HOLD_MS))

    def _survey(self, op: int) -> Command[Any]:
        return commands.Survey(op=op)

    def _spoil(self, op: int) -> Command[Any]:
        return commands.Spoil(op=op, wrong=self._chance.choice(list(Wrong)), purse=self._purse())

    def _item(self) -> str:
        return self._chance.choice(ITEMS)

    def _purse(self) -> str:
        return self._chance.choice(PURSES)


_KINDS = (People._pay, People._reserve, People._purchase, People._supply, People._mint, People._set_bell, People._survey, People._spoil)  # noqa: SLF001 - beside the class
_WEIGHTS = (40, 15, 15, 6, 6, 8, 6, 4)
