"""How much of a core a server uses for a thousand open clients that are each told something every five seconds, and how late it comes.

    python -m bench.events [--clients 1000] [--seconds 30] [--readers 0]

Five shops, a fifth of the clients working in each; every second one of the shops has an order, and all who work there are told. What
is counted is all that the server does: the checkouts, the followers, the notices, the streams, and that they are still signed in.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bench.servers import ours
from yunduan.backends.sandbox import Sandbox
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetShippingTemplate, SetStock
from yunduan.domains.catalog.model import GoodsForm, Measure, Rate, StockReason, VariantForm
from yunduan.domains.identity.commands import AddAddress, GrantShopRole, OpenSession, RegisterPerson, RequestCode
from yunduan.domains.identity.model import Postal, ShopRole, Vault
from yunduan.domains.identity.queries import Mailbox
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId, ShopId, VariantId
from yunduan.kernel.money import Money
from yunduan.testing import World

SHOPS = 5
HOME = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))
FREE = Rate(first_units=1, first_fee=0)


def yuan(fen: int) -> Money:
    """An amount in the market's currency."""
    return Money(amount=fen, currency="CNY")


class Place:
    """Shops, who works there, and one buyer, in a folder that a server can be started on."""

    def __init__(self, folder: Path, clients: int) -> None:
        """Found it; everybody is signed in."""
        with World.at(folder, at_ms=time.time_ns() // 1_000_000) as world:
            self._world = world
            self._shops: list[ShopId] = []
            self.buyer, self.buyer_token = self._signed_in(0)
            self.address = world.send(AddAddress(address=HOME), actor=Actor(person=self.buyer)).id
            started = world.send(TopUpWallet(amount=yuan(1_000_000), channel="sandbox"), actor=Actor(person=self.buyer))
            page = world.cloud.port(Sandbox).decide(dict(parse_qsl(urlsplit(started.redirects[0].url).query)), approve=True)
            assert page is not None
            world.settle()
            self._category = world.send(CreateCategory(name="茶")).id
            self.variants = [self._shop() for _ in range(SHOPS)]
            self.tokens = [self._worker(number) for number in range(clients)]
            world.settle()

    def _signed_in(self, number: int) -> tuple[PersonId, str]:
        world, phone = self._world, f"+86138{number:08d}"
        person = world.send(RegisterPerson(phone=phone)).person_id
        challenge = world.send(RequestCode(contact=phone)).id
        code = next(letter.code for letter in world.ask(Mailbox()).items if letter.id == challenge)
        session = world.send(OpenSession(challenge_id=challenge, code=code)).session_id
        vault: Any = world.cloud.port(Vault)  # type: ignore[type-abstract]
        return person, vault.token(session)

    def _shop(self) -> VariantId:
        world = self._world
        shop = world.send(CreateShop(owner_id=self.buyer, name="云茶", country="CN", currency="CNY", commission_ppm=50_000))
        terms = {"shop_id": shop.id, "id": shop.template_id, "name": "free", "measure": Measure.PIECE}
        world.send(SetShippingTemplate(**terms, zones=(), elsewhere=FREE))
        form = GoodsForm(title="龙井", category_id=self._category, variants=(VariantForm(sku="T", price=yuan(1999), weight_g=250),))
        (variant,) = world.send(CreateGoods(shop_id=shop.id, form=form, publish=True)).variant_ids
        count = {"shop_id": shop.id, "variant_id": variant, "location_id": shop.location_id}
        world.send(SetStock(**count, on_hand=1_000, reason=StockReason.COUNTED))
        self._shops.append(shop.id)
        return variant

    def _worker(self, number: int) -> str:
        person, token = self._signed_in(number + 1)
        self._world.send(GrantShopRole(shop_id=self._shops[number % SHOPS], person_id=person, role=ShopRole.PACKER))
        return token


class Clients:
    """Open streams, what has come over them, and how late."""

    def __init__(self, port: int) -> None:
        """Nobody listens yet."""
        self._port = port
        self.late_ms: list[float] = []
        self.faults = 0
        self.told_at = 0.0

    async def listen(self, token: str) -> None:
        """One client: every event once, in order."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"GET /v1/events HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\nauthorization: Bearer {token}\r\n\r\n"
        writer.write(head.encode())
        number = 0
        while line := await reader.readline():
            if line.startswith(b"id: "):
                self.late_ms.append((time.monotonic() - self.told_at) * 1000)
                self.faults += number not in (0, int(line[4:]) - 1)  # what they were told before they came is not sent
                number = int(line[4:])


async def request(port: int, method: str, path: str, token: str, body: Any, key: str) -> Any:
    """One change over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = msgspec.json.encode(body)
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    writer.write(head.encode() + content)
    answer = await reader.read()
    writer.close()
    status, _, rest = answer.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 200"), answer
    return msgspec.json.decode(rest)


async def measured(server: Any, place: Place, seconds: int) -> None:
    """Open all clients, let them rest, then tell each of them something every five seconds."""
    clients = Clients(server.port)
    listening = [asyncio.create_task(clients.listen(token)) for token in place.tokens]
    await asyncio.sleep(5)
    idle, began = server.cpu_s(), time.monotonic()
    await asyncio.sleep(10)
    idle = (server.cpu_s() - idle) / (time.monotonic() - began)
    used, began = server.cpu_s(), time.monotonic()
    total = {"amount": 1999, "currency": "CNY"}
    for second in range(seconds):
        variant = place.variants[second % SHOPS]
        await request(server.port, "POST", "/v1/cart/lines", place.buyer_token, {"variant_id": variant, "quantity": 1}, f"a{second}")
        tender = {"kind": "wallet", "amount": total}
        body = {"variant_ids": [variant], "address_id": place.address, "total": total, "tenders": [tender]}
        await request(server.port, "POST", "/v1/checkouts", place.buyer_token, body, f"c{second}")
        clients.told_at = time.monotonic()
        await asyncio.sleep(max(0.0, began + second + 1 - time.monotonic()))
    await asyncio.sleep(1)
    used = (server.cpu_s() - used) / (time.monotonic() - began)
    for task in listening:
        task.cancel()
    late = sorted(clients.late_ms)
    print(f"{len(place.tokens)} clients, {len(late)} events in {seconds} s, {clients.faults} out of order")
    memory = f"{server.memory_mib():.0f} MiB, and {server.beside_mib():.0f} of what it starts"
    print(f"server: {used:.1%} of a core, {idle:.1%} with nothing told; {memory}")
    print(f"late by {statistics.median(late):.0f} ms, p99 {late[int(len(late) * 0.99)]:.0f} ms, at most {late[-1]:.0f} ms")


def main() -> None:
    """Found, serve, measure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--clients", type=int, default=1_000)
    asked.add_argument("--seconds", type=int, default=30)
    asked.add_argument("--readers", type=int, default=0)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = Place(folder, given.clients)
        with ours(folder, readers=given.readers, log=folder / "server.log") as server:
            asyncio.run(measured(server, place, given.seconds))


if __name__ == "__main__":
    main()
