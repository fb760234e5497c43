"""Who lives in the demonstration market."""

import random

from msgspec import Struct

from yunduan.cloud import Cloud
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import Language, Postal
from yunduan.edges.demo.content import People, Said
from yunduan.edges.demo.opening import CONTACTS, COUNTRY
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId

BUYER = f"buyer@{CONTACTS}"
ENGLISH_PERCENT = 22
WALLET_PERCENT = 18
VISITOR_PULL = 1.0
"""Drawn like everybody's it would now and then be that of somebody with hundreds of orders, who does not find the few made for them."""


class Buyer(Struct, frozen=True, kw_only=True):
    """Somebody who buys."""

    actor: Actor
    address_id: AddressId
    reads: Language
    has_wallet: bool
    pull: float
    """How much they like to buy."""

    def in_words(self, said: Said) -> str:
        """The same in the language that they read."""
        return said[self.reads is Language.EN]


async def join(cloud: Cloud, chance: random.Random, people: People, *, number: int) -> Buyer:
    """Register somebody, with an address; the first is whom a visitor signs in as."""
    is_first = number == 1
    reads = Language.EN if not is_first and chance.randrange(100) < ENGLISH_PERCENT else Language.ZH
    name, nickname = _names(chance, people, reads, number)
    contact = BUYER if is_first else f"person{number:03d}@{CONTACTS}"
    made = await cloud.send(RegisterPerson(email=contact, nickname=nickname, language=reads), actor=SYSTEM)
    actor = Actor(person=made.person_id)
    address = await cloud.send(AddAddress(address=_home(chance, people, reads, name, is_first=is_first)), actor=actor)
    return Buyer(
        actor=actor,
        address_id=address.id,
        reads=reads,
        has_wallet=is_first or chance.randrange(100) < WALLET_PERCENT,
        pull=VISITOR_PULL if is_first else chance.paretovariate(1.4),
    )


def _names(chance: random.Random, people: People, reads: Language, number: int) -> tuple[str, str]:
    """What is written on parcels, and what others see."""
    if reads is Language.EN:
        name = chance.choice(people.english)
        first, _, last = name.partition(" ")
        return name, f"{first} {last[:1]}."
    name = chance.choice(people.surnames) + chance.choice(people.given)
    nicknames = people.nicknames
    return name, nicknames[number - 1] if number <= len(nicknames) else f"{chance.choice(nicknames)}{number}"


def _home(chance: random.Random, people: People, reads: Language, name: str, *, is_first: bool) -> Postal:
    place = people.places[6] if is_first else chance.choice(people.places)
    house = chance.randrange(1, 400)
    region, city, district, street = place[4:] if reads is Language.EN else place[:4]
    line = f"{house} {street}" if reads is Language.EN else f"{street} {house} 号"
    phone = f"+86138{chance.randrange(1_000_000):08d}"
    return Postal(recipient=name, phone=phone, country=COUNTRY, region=region, city=city, district=district, lines=(line,))
