"""The two pages for development: the mailbox, and the sandbox's page on which a payer decides."""

import asyncio
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from litestar import Litestar, Request, Response, get

from support.asgi import Client
from support.town import Town
from unit.orders.market import channel
from yunduan.cloud import Cloud, open_cloud
from yunduan.domains.identity.model import DAY_MS
from yunduan.domains.notices.commands import ChooseWays, SetQuietHours
from yunduan.domains.notices.model import NoticeKind, Way
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.edges.http.app import application
from yunduan.edges.http.callers import Sessions
from yunduan.edges.http.fixed import Fixed
from yunduan.edges.http.watching import Here
from yunduan.kernel.actors import Actor
from yunduan.kernel.money import Money
from yunduan.runtime.settings import SandboxSettings, Settings


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A whole cloud with people in it."""
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


@pytest.fixture
def visitor(town: Town) -> Client:
    """Somebody with a browser."""
    return Client(town.application, town.world.run)


def address(town: Town, amount: int) -> str:
    """Where a buyer is sent to bring money in."""
    command = TopUpWallet(amount=Money(amount=amount, currency="CNY"), channel="sandbox")
    url = town.world.send(command, actor=Actor(person=town.people["buyer"])).redirects[0].url
    return f"{urlsplit(url).path}?{urlsplit(url).query}"


def decided(visitor: Client, target: str, decision: str) -> str:
    """The page after a decision."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    heard = visitor("POST", target, body=f"decision={decision}".encode(), headers=form)
    assert heard.status == 200
    return heard.body.decode()


def test_a_payer_approves_once(town: Town, visitor: Client) -> None:
    """The page shows what is paid and to whom; the first decision stands; the money arrives."""
    target = address(town, 12_345)
    page = visitor("GET", target)
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    assert "123.45 CNY" in page.body.decode()
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    buyer = visitor.as_(town.tokens["buyer"])
    before = buyer("GET", "/v1/wallet").body
    assert "Paid." in decided(visitor, target, "approve")
    assert "Paid." in decided(visitor, target, "decline")
    town.world.settle()
    assert buyer("GET", "/v1/wallet").body != before


def test_the_custodian_has_a_page_of_its_own(town: Town, visitor: Client) -> None:
    """What the other has signed is no address there."""
    buyer = town.market.buyer()
    buyer.want(town.market.offer())
    placed = buyer.buy(channel(buyer.total(), "custodian"))
    split = urlsplit(placed.payment.redirects[0].url)
    target = f"{split.path}?{split.query}"
    assert target.startswith("/custodian/pay?")
    assert visitor("GET", target.replace("/custodian/", "/sandbox/")).status == 404
    assert "It waits for you." in visitor("GET", target).body.decode()
    assert "Paid." in decided(visitor, target, "approve")


def test_a_payer_declines(town: Town, visitor: Client) -> None:
    """And nothing is paid; what is no decision decides nothing."""
    target = address(town, 500)
    assert "It waits for you." in decided(visitor, target, "perhaps")
    assert "Declined." in decided(visitor, target, "decline")
    assert "Declined." in decided(visitor, target, "approve")


def test_an_address_that_was_changed_is_no_address(town: Town, visitor: Client) -> None:
    """Nobody can pay less than was asked for, or at somebody else's word."""
    target = address(town, 12_345)
    for forged in (target.replace("amount=12345", "amount=1"), "/sandbox/pay", "/sandbox/pay?signature=x", target + "&amount=1"):
        for heard in (visitor("GET", forged), visitor("POST", forged, body=b"decision=approve")):
            assert (heard.status, heard.headers["content-type"]) == (404, "text/html; charset=utf-8"), forged
            assert "Nothing was paid" in heard.body.decode()


def test_a_page_that_came_too_late_says_so(town: Town, visitor: Client) -> None:
    """As a page, on which there is nothing to decide any more."""
    target = address(town, 700)
    assert re.search(r"Open until 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.", visitor("GET", target).body.decode())
    town.world.pass_time(DAY_MS)
    for page in (visitor("GET", target).body.decode(), decided(visitor, target, "approve")):
        assert "Too late: nothing was paid." in page
        assert "<button" not in page


def test_the_mailbox_shows_the_last_letters(town: Town, visitor: Client) -> None:
    """Escaped, kept by nobody."""
    heard = visitor("POST", "/v1/sessions/codes", {"contact": "+8613712345678"}, key=None)
    assert heard.status == 200
    page = visitor("GET", "/development/mailbox")
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    assert "+8613712345678" in page.body.decode()
    assert re.search(r"<strong>\d{6}</strong>", page.body.decode())
    assert "<script" not in page.body.decode()


def test_the_mailbox_shows_letters_about_notices(town: Town, visitor: Client) -> None:
    """Beside the codes, the newest first."""
    assert visitor("POST", "/v1/sessions/codes", {"contact": "+8613712345679"}, key=None).status == 200
    person = Actor(person=town.people["buyer"])
    town.world.send(ChooseWays(kind=NoticeKind.WALLET_TOPPED_UP, ways=(Way.SMS,)), actor=person)
    town.world.send(SetQuietHours(begins="00:00", ends="00:00"), actor=person)
    town.world.clock.advance(1000)
    decided(visitor, address(town, 100), "approve")
    town.world.settle()
    page = visitor("GET", "/development/mailbox").body.decode()
    assert page.index("1.00 CNY 已存入您的钱包。") < page.index("+8613712345679")
    letter = next(it for it in visitor("GET", "/v1/development/letters").json["items"] if it["title"] == "充值成功")
    assert (letter["way"], letter["contact"], letter["title"]) == ("sms", "+8613800000001", "充值成功")


def test_whoever_is_away_from_development_has_no_mailbox(tmp_path: Path) -> None:
    """Nor a sandbox where the settings have none: they are not there."""
    settings = Settings(data=str(tmp_path), sandbox=SandboxSettings(enabled=False))

    async def opened() -> Cloud:
        return open_cloud(settings)

    with asyncio.Runner() as runner:
        cloud = runner.run(opened())
        client = Client(application(cloud, settings, admits=Sessions(cloud), watch=Here(cloud)), runner.run)
        closed = client("GET", "/development/mailbox")
        assert (closed.status, closed.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert client("GET", "/v1/development/mailbox").code == "mailbox_not_found"
        assert client("GET", "/v1/development/letters").code == "mailbox_not_found"
        assert client("GET", "/sandbox/pay").code == "route_not_found"
        runner.run(cloud.stop())


def test_what_never_changes_is_sent_once_and_compressed(town: Town) -> None:
    """By its tag; whoever takes no gzip, or has another version, gets all of it."""
    text = ("云端 " * 1000).encode()
    fixed = Fixed(text, "text/html")

    @get("/page", sync_to_thread=False)
    def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return fixed.answer(request)

    client = Client(Litestar([page], openapi_config=None, logging_config=None), town.world.run)
    whole = client("GET", "/page")
    assert (whole.status, whole.body, whole.headers["cache-control"], whole.headers["vary"]) == (200, text, "no-cache", "accept-encoding")
    packed = client("GET", "/page", headers={"accept-encoding": "br, gzip;q=0.8"})
    assert (packed.headers["content-encoding"], gzip.decompress(packed.body)) == ("gzip", text)
    assert len(packed.body) < len(text) / 20
    assert "content-encoding" not in client("GET", "/page", headers={"accept-encoding": "gzip;q=0"}).headers
    tag = whole.headers["etag"]
    assert packed.headers["etag"] == tag
    for known in (tag, f'"x", {tag}'):
        again = client("GET", "/page", headers={"if-none-match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert client("GET", "/page", headers={"if-none-match": '"x"'}).body == text
