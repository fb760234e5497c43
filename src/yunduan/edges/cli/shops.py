"""`yunduan shop …`: shops, opened, suspended and listed by the marketplace's owner, and what is printed for their parcels."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from yunduan.domains.catalog.commands import CreateShop, ReopenShop, SuspendShop
from yunduan.domains.catalog.queries import ShopListed, Shops
from yunduan.domains.identity.model import Language
from yunduan.domains.orders.papers import PackingSlips, ShopPackingSlips, ShopWaybills, Waybills
from yunduan.edges.cli.people import Person, person_named
from yunduan.edges.cli.screen import console
from yunduan.edges.cli.ways import DataFolder, settings_of, with_operator
from yunduan.edges.operator import Operator
from yunduan.edges.papers.printing import printed
from yunduan.kernel.ids import ShopId

app = typer.Typer(help="Shops.", no_args_is_help=True)
Shop = Annotated[str, typer.Argument(help="The shop's id (shp_…).")]
Why = Annotated[str, typer.Argument(help="Why; the shop's own people read it.")]


@app.command()
def create(
    owner: Person,
    name: Annotated[str, typer.Argument(help="What buyers call it.")],
    name_en: Annotated[str, typer.Option(help="The same in English.")] = "",
    commission_ppm: Annotated[int, typer.Option(min=0, max=1_000_000, help="The marketplace's share of goods, in millionths.")] = 6_000,
    data: DataFolder = None,
) -> None:
    """Open a shop for its owner, in the market's country and currency."""
    settings = settings_of(data)
    ask = CreateShop(
        owner_id=person_named(owner, data),
        name=name,
        name_en=name_en,
        country=settings.market.country,
        currency=settings.market.currency,
        commission_ppm=commission_ppm,
    )
    made = with_operator(settings, lambda operator: operator.send(ask))
    console.print(f"shop {made.id}, location {made.location_id}, shipping template {made.template_id}")


@app.command()
def suspend(shop: Shop, reason: Why, data: DataFolder = None) -> None:
    """Stop a shop from selling."""
    with_operator(settings_of(data), lambda operator: operator.send(SuspendShop(shop_id=ShopId(shop), reason=reason)))
    console.print(f"{shop} is suspended")


@app.command()
def reopen(shop: Shop, reason: Why, data: DataFolder = None) -> None:
    """Let a shop sell again."""
    with_operator(settings_of(data), lambda operator: operator.send(ReopenShop(shop_id=ShopId(shop), reason=reason)))
    console.print(f"{shop} is open")


Papers = Annotated[list[str], typer.Argument(help="Orders; with a parcel's number after a dot (ord_….2) that parcel alone.")]
Target = Annotated[Path, typer.Option("--to", help="The PDF to write; it must not be there yet.")]
PaperLanguage = Annotated[Language, typer.Option(help="What its own words are in.")]


@app.command()
def waybills(shop: Shop, orders: Papers, to: Target, language: PaperLanguage = Language.ZH, data: DataFolder = None) -> None:
    """Print the waybills of parcels, a label of 100 × 150 mm each."""
    _print(ShopWaybills(shop_id=ShopId(shop), parcels=",".join(orders), language=language), to, data)


@app.command()
def packing_slips(shop: Shop, orders: Papers, to: Target, language: PaperLanguage = Language.ZH, data: DataFolder = None) -> None:
    """Print the packing slips of parcels, and of what has yet to be packed, in A5."""
    _print(ShopPackingSlips(shop_id=ShopId(shop), parcels=",".join(orders), language=language), to, data)


def _print(ask: ShopWaybills | ShopPackingSlips, to: Path, data: Path | None) -> None:
    async def asked(operator: Operator) -> Waybills | PackingSlips:
        return await operator.ask(ask)

    found = with_operator(settings_of(data), asked)
    with to.open("xb") as file:
        file.write(printed(found))
    console.print(f"{len(found.items)} in {to}")


@app.command(name="list")
def list_shops(data: DataFolder = None) -> None:
    """List the shops."""
    table = Table(Column("shop", no_wrap=True), "name", "English", "currency", "commission", "state", box=None)

    async def every(operator: Operator) -> list[ShopListed]:
        page = await operator.ask(Shops())
        found = list(page.items)
        while page.after is not None:
            page = await operator.ask(Shops(after=page.after))
            found += page.items
        return found

    for shop in with_operator(settings_of(data), every):
        table.add_row(shop.id, shop.name, shop.name_en, shop.currency, f"{shop.commission_ppm / 10_000:g} %", shop.state)
    console.print(table)
