"""Papers over HTTP: a PDF that nobody keeps; problems as everywhere; few wait to be printed, and the loop goes on meanwhile."""

import asyncio
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from support.asgi import Client, Heard, call
from support.town import Town
from yunduan.edges.papers import printing
from yunduan.edges.papers.printing import WAITING_MAX, Press
from yunduan.kernel.refusals import BusyError

KINDS = ("waybills", "packing-slips")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """With a parcel that has left."""
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


def ask(town: Town, query: str, caller: str = "shop packer", kind: str = "waybills") -> Heard:
    """A paper of our shop."""
    client = Client(town.application, town.world.run, town.tokens[caller])
    return client("GET", f"/v1/shops/{town.ours['shop_id']}/{kind}{query}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_paper_is_a_pdf_that_nobody_keeps(town: Town, kind: str) -> None:
    """Named after what it is; in both languages."""
    for language in ("zh", "en"):
        heard = ask(town, f"?parcels={town.ours['parcels']}&language={language}", kind=kind)
        assert heard.status == 200
        assert heard.headers["content-type"] == "application/pdf"
        assert heard.headers["content-disposition"] == f'inline; filename="{kind}.pdf"'
        assert heard.headers["cache-control"] == "no-store"
        assert heard.headers["x-content-type-options"] == "nosniff"
        assert len(PdfReader(BytesIO(heard.body)).pages) == 1
        assert heard.body == ask(town, f"?parcels={town.ours['parcels']}&language={language}", kind=kind).body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "parcels", ["", "x", "ord_1.0", "ord_1.100", "ord_1,", ",".join(["ord_1"] * 51), "ord_1%0a", "shp_1", "ord_" + "1" * 41]
)
def test_what_is_no_list_of_orders_is_told_in_words(town: Town, kind: str, parcels: str) -> None:
    """Nothing is looked up."""
    heard = ask(town, f"?parcels={parcels}", kind=kind)
    assert (heard.status, heard.code) == (400, "invalid_request")
    assert heard.json["errors"][0]["parameter"] == "parcels"


def test_a_refusal_is_a_problem(town: Town) -> None:
    """By its own code: an order that is not ours, a parcel that has not left, a language that there is not."""
    theirs, ours = town.theirs["parcels"], town.ours
    assert ask(town, f"?parcels={theirs}").code == "order_not_found"
    assert ask(town, f"?parcels={ours['parcels']},{theirs}").code == "order_not_found"
    assert ask(town, f"?parcels={ours['order_id']}").code == "parcel_not_found"
    assert ask(town, f"?parcels={ours['parcels']}&language=fr").code == "invalid_request"
    assert ask(town, f"?parcels={ours['parcels']}", "shop service").code == "role_missing"
    assert ask(town, "").code == "invalid_request"


def test_few_wait_to_be_printed_and_the_loop_goes_on(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a document takes long, others wait and other requests are answered; whoever comes when too many wait is told 503."""
    target, token = f"/v1/shops/{town.ours['shop_id']}/waybills?parcels={town.ours['parcels']}", town.tokens["shop packer"]
    made = printing.printed

    async def many() -> list[Any]:
        go = asyncio.Event()
        loop = asyncio.get_running_loop()

        def held(answer: Any) -> bytes:
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(20)
            return made(answer)

        monkeypatch.setattr(printing, "printed", held)
        headers = {"authorization": f"Bearer {token}"}
        asked = [asyncio.ensure_future(call(town.application, "GET", target, headers=headers)) for _ in range(WAITING_MAX + 3)]
        done, waiting = await asyncio.wait(asked, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 3:
            more, waiting = await asyncio.wait(waiting, timeout=20, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        meanwhile = await call(town.application, "GET", "/v1/me", headers=headers)
        go.set()
        return [meanwhile, [one.result() for one in done], [(await one) for one in waiting]]

    meanwhile, turned_away, printed = town.world.run(many())
    assert meanwhile.status == 200
    assert [(one.status, one.code, one.headers["retry-after"]) for one in turned_away] == [(503, "busy", "1")] * 3
    assert [one.status for one in printed] == [200] * WAITING_MAX
    assert ask(town, f"?parcels={town.ours['parcels']}").status == 200


def test_a_document_that_breaks_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the press would stand still after sixteen of them."""

    def broken(_: Any) -> bytes:
        raise ValueError("planted")

    async def again_and_again() -> None:
        press = Press()
        for _ in range(2 * WAITING_MAX):
            with pytest.raises(ValueError, match="planted"):
                await press.print(None)
        with pytest.raises(BusyError):
            await asyncio.gather(*(press.print(None) for _ in range(WAITING_MAX + 1)))

    monkeypatch.setattr(printing, "printed", broken)
    asyncio.run(again_and_again())
