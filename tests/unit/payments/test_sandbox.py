"""The sandbox channel by itself: its page, its notifications, its books."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.payments import SECRET, cny, query
from yunduan.backends.sandbox import RETRY_MS, SIGNATURE, TIMESTAMP, Misbehaviour, Said, Sandbox, StatementLine
from yunduan.kernel.money import Money
from yunduan.runtime.clock import SeededEntropy, VirtualClock

NOW = 1_790_000_000_000
DUE = NOW + 900_000


class Shop:
    """Whoever the sandbox collects for: it takes or leaves what it is told."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Takes everything."""
        self.sandbox = sandbox
        self.heard: list[tuple[str, str]] = []
        self.takes = True

    async def deliver(self, body: bytes, headers: dict[str, str]) -> bool:
        """Hear a notification, which is always genuine."""
        assert self.sandbox.flaw(body, headers, now=self.sandbox._clock.wall_ms()) == ""
        said = self.sandbox.read(body)
        self.heard.append((said.request or said.reference, said.outcome.value))
        return self.takes

    def listen(self) -> int:
        """Let it send what is due."""
        return asyncio.run(self.sandbox.run_once(self.deliver))


def made(clock: VirtualClock, path: Path | None = None, **misbehaves: Any) -> Sandbox:
    """A sandbox."""
    return Sandbox(SECRET, clock=clock, entropy=SeededEntropy(7), path=path, misbehaviour=Misbehaviour(**misbehaves))


@pytest.fixture
def clock() -> VirtualClock:
    """Time."""
    return VirtualClock(NOW)


@pytest.fixture
def sandbox(clock: VirtualClock) -> Iterator[Sandbox]:
    """One that behaves."""
    sandbox = made(clock)
    yield sandbox
    sandbox.close()


def address(sandbox: Sandbox, reference: str = "chg_1", amount: int = 300) -> dict[str, str]:
    """What a payer brings to the page."""
    return query(sandbox.redirect(reference, cny(amount), due=DUE, method="card"))


def test_the_page_says_what_was_signed(sandbox: Sandbox) -> None:
    """Who, how much, until when, and that nothing is decided."""
    page = sandbox.page(address(sandbox))
    assert page is not None
    assert (page.reference, page.merchant, page.amount, page.state, page.due) == ("chg_1", "yunduan", cny(300), Said.WAITING, DUE)


@pytest.mark.parametrize("field", ["reference", "merchant", "amount", "currency", "due", "signature"])
@pytest.mark.parametrize("value", ["1", "", "ü", None])
def test_an_address_that_was_changed_shows_nothing(sandbox: Sandbox, field: str, value: str | None) -> None:
    """And nothing is written down."""
    changed = {**address(sandbox), field: value}
    said = {name: text for name, text in changed.items() if text is not None}
    assert sandbox.page(said) is None
    assert sandbox.decide(said, approve=True) is None
    assert asyncio.run(sandbox.query("chg_1")).outcome is Said.UNKNOWN  # type: ignore[union-attr]


def test_the_first_decision_stands(sandbox: Sandbox) -> None:
    """Later ones change nothing, and one notification is sent."""
    shop = Shop(sandbox)
    for approve in (True, False, True):
        page = sandbox.decide(address(sandbox), approve=approve)
        assert page is not None
        assert page.state is Said.CAPTURED
    assert shop.listen() == 1
    assert shop.listen() == 0
    assert shop.heard == [("chg_1", "captured")]


def test_a_page_that_is_left_open_expires_and_says_so(sandbox: Sandbox, clock: VirtualClock) -> None:
    """By itself, at its time; approving it then is too late."""
    shop = Shop(sandbox)
    sandbox.page(address(sandbox))
    clock.advance_to(DUE - 1)
    assert shop.listen() == 0
    assert sandbox.next_due() == DUE
    clock.advance(1)
    assert shop.listen() == 1
    assert shop.heard == [("chg_1", "expired")]
    late = sandbox.decide(address(sandbox), approve=True)
    assert late is not None
    assert late.state is Said.EXPIRED
    assert sandbox.statement("CNY") == []


def test_an_address_first_opened_after_its_time_is_expired(sandbox: Sandbox, clock: VirtualClock) -> None:
    """Nobody can pay late."""
    clock.advance_to(DUE)
    page = sandbox.decide(address(sandbox), approve=True)
    assert page is not None
    assert page.state is Said.EXPIRED


def test_what_is_not_taken_is_sent_again_with_longer_waits_and_then_given_up(sandbox: Sandbox, clock: VirtualClock) -> None:
    """Each time signed anew."""
    shop = Shop(sandbox)
    shop.takes = False
    sandbox.decide(address(sandbox), approve=True)
    assert shop.listen() == 1
    for wait in RETRY_MS:
        clock.advance(wait - 1)
        assert shop.listen() == 0
        clock.advance(1)
        assert shop.listen() == 1
    assert sandbox.next_due() is None
    assert len(shop.heard) == len(RETRY_MS) + 1


def test_refunds_are_confirmed_later_and_never_exceed_what_was_collected(sandbox: Sandbox, clock: VirtualClock) -> None:
    """One request is one refund; the same name with another sum is refused."""
    shop = Shop(sandbox)
    sandbox.decide(address(sandbox), approve=True)
    ask = sandbox.refund
    assert asyncio.run(ask("req_1", "chg_1", cny(200))) == "accepted"
    assert asyncio.run(ask("req_1", "chg_1", cny(200))) == "accepted"
    assert asyncio.run(ask("req_1", "chg_1", cny(100))) == "refused"
    assert asyncio.run(ask("req_2", "chg_1", cny(101))) == "refused"
    assert asyncio.run(ask("req_3", "chg_1", cny(100))) == "accepted"
    assert asyncio.run(ask("req_4", "chg_1", cny(1))) == "refused"
    assert asyncio.run(ask("req_5", "chg_2", cny(1))) == "refused"
    assert asyncio.run(ask("req_6", "chg_1", Money(amount=1, currency="USD"))) == "refused"
    assert asyncio.run(sandbox.query("chg_1", "req_1")).outcome is Said.WAITING  # type: ignore[union-attr]
    clock.advance(2_000)
    assert shop.listen() == 3
    assert shop.heard == [("chg_1", "captured"), ("req_1", "refunded"), ("req_3", "refunded")]
    lines = sandbox.statement("CNY")
    assert lines == [
        StatementLine(reference="chg_1", amount=cny(300)),
        StatementLine(reference="chg_1", amount=cny(200), request="req_1"),
        StatementLine(reference="chg_1", amount=cny(100), request="req_3"),
    ]
    assert sandbox.statement("USD") == []
    assert asyncio.run(sandbox.query("chg_1", "req_9")).outcome is Said.UNKNOWN  # type: ignore[union-attr]


def test_a_charge_that_was_not_collected_is_not_refunded(sandbox: Sandbox) -> None:
    """Waiting or declined."""
    sandbox.page(address(sandbox))
    assert asyncio.run(sandbox.refund("req_1", "chg_1", cny(1))) == "refused"
    sandbox.decide(address(sandbox), approve=False)
    assert asyncio.run(sandbox.refund("req_1", "chg_1", cny(1))) == "refused"


def test_its_books_outlive_it(clock: VirtualClock, tmp_path: Path) -> None:
    """What was decided and has yet to be told is in its file."""
    first = made(clock, tmp_path / "sandbox.sqlite")
    first.decide(address(first), approve=True)
    first.close()
    second = made(clock, tmp_path / "sandbox.sqlite")
    shop = Shop(second)
    assert shop.listen() == 1
    assert shop.heard == [("chg_1", "captured")]
    assert second.statement("CNY") == [StatementLine(reference="chg_1", amount=cny(300))]
    second.close()


def test_it_misbehaves_as_it_is_told_and_always_the_same_way(clock: VirtualClock) -> None:
    """Losses, doubles and delays are a function of the seed."""

    def story() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        time = VirtualClock(NOW)
        sandbox = made(time, loses=300, doubles=300, delays=300)
        shop = Shop(sandbox)
        for number in range(40):
            sandbox.decide(address(sandbox, f"chg_{number}"), approve=True)
        shop.listen()
        early = list(shop.heard)
        time.advance(600_000)
        shop.listen()
        sandbox.close()
        return early, shop.heard

    early, heard = story()
    assert (early, heard) == story()
    assert 0 < len(early) < len(heard)
    assert len(set(heard)) < len(heard)
    assert len(set(heard)) < 40


def test_it_may_not_be_reached(clock: VirtualClock) -> None:
    """Neither asked nor told."""
    sandbox = made(clock, unreachable=1000)
    assert asyncio.run(sandbox.query("chg_1")) is None
    assert asyncio.run(sandbox.refund("req_1", "chg_1", cny(1))) == "unreachable"
    sandbox.close()


def test_a_secret_that_is_too_short_is_refused(clock: VirtualClock) -> None:
    """Signatures are worth what the secret is."""
    with pytest.raises(ValueError, match="32 bytes"):
        Sandbox(b"short", clock=clock, entropy=SeededEntropy(0))


def test_a_page_address_is_no_notification(sandbox: Sandbox) -> None:
    """The two are signed with different keys, so that neither can be made of the other."""
    said = address(sandbox)
    body = msgspec.json.encode(said)
    headers = {TIMESTAMP: str(NOW), SIGNATURE: said["signature"]}
    assert sandbox.flaw(body, headers, now=NOW) == "forged"
