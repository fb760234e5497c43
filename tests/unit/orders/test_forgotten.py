"""Nothing is left that says who somebody was: a whole life, settled and erased, and every file looked through."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.orders.market import SHIPPING, Market, channel, orders, wallet, yuan
from yunduan.domains.identity.commands import (
    AddAddress,
    ChangeProfile,
    ConfirmContact,
    EraseMe,
    OpenSession,
    RequestCode,
    RequestContactCode,
    token_hash,
)
from yunduan.domains.identity.model import Postal, Vault
from yunduan.domains.identity.queries import CallerOf, Mailbox
from yunduan.domains.orders.commands import AddToCart, CancelOrder, Checkout, ReviewOrder
from yunduan.domains.orders.queries import ShopOrderOf
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.search.asked import NoteQueries, Own
from yunduan.domains.search.recents import Entry, MyRecentQueries, RememberQueries
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import OrderId

PRICE = 1999 + SHIPPING
PHONE, EMAIL, NICKNAME, DEVICE, DEVICE_KEY = "+8613612345679", "mei.marker@example.com", "阿美MARKER", "手机MARKER", "key-MARKER-0123456789"
ADDRESS = Postal(
    recipient="林美MARKER",
    phone="0571-88157788",
    country="CN",
    region="浙江",
    city="杭州MARKER",
    district="余杭MARKER",
    lines=("文一西路MARKER号", "云谷MARKER幢"),
    postal_code="310099",
)
NOTE = "请放门卫MARKER"
SEARCHED = "找什么MARKER"
PERSONAL = (
    *(PHONE, PHONE[1:], PHONE[3:], EMAIL, EMAIL.partition("@")[0], NICKNAME, DEVICE, DEVICE_KEY, NOTE, SEARCHED),
    *(ADDRESS.recipient, "+8657188157788", ADDRESS.city, ADDRESS.district, *ADDRESS.lines, ADDRESS.postal_code),
)


def in_clear(folder: Path, markers: tuple[str, ...]) -> dict[str, list[str]]:
    """Which markers stand in which raw file, in UTF-8, UTF-16 or as JSON escapes."""
    found = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        raw = file.read_bytes()
        forms = {marker: (marker.encode(), marker.encode("utf-16-le"), json.dumps(marker).strip('"').encode()) for marker in markers}
        here = [marker for marker, written in forms.items() if any(form in raw for form in written)]
        if here:
            found[file.name] = here
    return found


def code_of(market: Market, challenge_id: str) -> str:
    """What the letter said."""
    return next(letter.code for letter in market.world.ask(Mailbox()).items if letter.id == challenge_id)


def signed_in(market: Market, contact: str) -> Actor:
    """Sign in, as the edge sees it."""
    challenge = market.world.send(RequestCode(contact=contact, device=DEVICE_KEY), actor=Actor(origin="203.0.113.7"))
    ask = OpenSession(challenge_id=challenge.id, code=code_of(market, challenge.id), device=DEVICE)
    opened = market.world.send(ask, actor=ANONYMOUS, key="sign in")
    vault = market.world.cloud.port(Vault)
    caller = market.world.ask(CallerOf(token_hash=token_hash(vault.token(opened.session_id))))
    assert caller is not None
    return caller.actor


def a_whole_life(market: Market) -> Actor:
    """Somebody of whom the cloud knows everything that it can, settled to the last unit."""
    send = market.world.send
    mei = signed_in(market, PHONE)
    send(ChangeProfile(nickname=NICKNAME), actor=mei, key="nickname")
    asked = send(RequestContactCode(contact=EMAIL), actor=mei)
    send(ConfirmContact(challenge_id=asked.id, code=code_of(market, asked.id)), actor=mei, key="contact")
    address_id = send(AddAddress(address=ADDRESS), actor=mei, key="address").id
    market.decide(send(TopUpWallet(amount=yuan(PRICE), channel="sandbox"), actor=mei, key="top up").redirects[0].url)
    for n, tenders in enumerate((channel(PRICE), channel(PRICE), wallet(PRICE))):
        variant = market.offer(5)
        send(AddToCart(variant_id=variant), actor=mei, key=f"cart {n}")
        buy = Checkout(address_id=address_id, total=yuan(PRICE), tenders=tenders, note=NOTE)
        placed = send(buy, actor=mei, key=f"checkout {n}")
        for redirect in placed.payment.redirects:
            market.decide(redirect.url)
        id = placed.orders[0].id
        if n == 0:
            send(CancelOrder(order_id=id), actor=mei, key="cancel")
            continue
        market.ship(id)
        send(ConfirmReceipt(order_id=id), actor=mei, key=f"receipt {n}")
        send(ReviewOrder(order_id=id, variant_id=variant, stars=5, text="好茶"), actor=mei, key=f"review {n}")
    send(RememberQueries(remembers=True), actor=mei, key="remember")
    send(NoteQueries(own=(Own(person_id=mei.person, entries=(Entry(SEARCHED, market.world.clock.wall_ms() + 1),)),)))
    assert [one.text for one in market.world.ask(MyRecentQueries(), actor=mei).items] == [SEARCHED]
    market.world.pass_time(60_000)
    return mei


@pytest.fixture
def left(tmp_path: Path) -> Iterator[tuple[Market, Actor, bytes]]:
    """A marketplace after somebody has been erased, who that was, and the key that they had."""
    market = Market(tmp_path, is_searched=True)
    other = market.buyer(PRICE)
    other.want(market.offer(5))
    other.buy(note="somebody else's")
    mei = a_whole_life(market)
    secret = market.world.cloud.port(Vault)._known[mei.person].secret  # type: ignore[attr-defined]
    market.world.send(EraseMe(), actor=mei, key="erase")
    market.world.settle()
    yield market, mei, secret
    market.close()


def test_nothing_personal_of_whoever_was_erased_is_in_any_file(left: tuple[Market, Actor, bytes], tmp_path: Path) -> None:
    """After a life with money, orders and reviews: not in the data, its log, the keys, the channel's books; nor is the key itself."""
    market, _, secret = left
    names = {file.name for file in tmp_path.iterdir() if file.stat().st_size}
    assert {"yunduan.sqlite", "yunduan.sqlite-wal", "keys.sqlite", "sandbox.sqlite", "search-1.sqlite", "orders-1.sqlite"} <= names
    assert in_clear(tmp_path, PERSONAL) == {}
    assert not any(secret in file.read_bytes() for file in tmp_path.iterdir())
    (tmp_path / "leak").write_text(f"... {ADDRESS.recipient} ...")
    assert in_clear(tmp_path, PERSONAL) == {"leak": [ADDRESS.recipient]}
    market.assert_balanced()
    assert [(state, notes(market, id)) for id, state, _, _ in orders(market.world)] == [
        ("paid", "somebody else's"),
        ("cancelled", None),
        ("received", None),
        ("received", None),
    ]


def notes(market: Market, id: OrderId) -> str | None:
    """What the shop can read of an order's note."""
    return market.world.ask(ShopOrderOf(shop_id=market.shop.id, order_id=id), actor=market.staff("packer")).note
