"""Tables of taxes, by country and region: what operators set, and what a checkout is taxed by. The port's default."""

from bisect import bisect_right
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.orders import store
from yunduan.domains.orders.facts import TaxesSet
from yunduan.domains.orders.model import PLAIN
from yunduan.domains.orders.taxes import (
    ENTRIES_MAX,
    TAX_RULES,
    UNTAXED,
    Rounding,
    TaxEntry,
    TaxRefusal,
    TaxRules,
    TaxTable,
    changes_in,
    check,
    rules_at,
    table_of,
)
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

PLACES_REMEMBERED = 2_000
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}(?![\s\S])", description="ISO 3166-1.", examples=["CN"])]


class SetTaxes(Command[TaxTable], refuses=TaxRefusal):
    """Say what is taxed in a country, or in a region of it besides or instead; in the place of the table before.

    What is bought from now on is taxed by it, each order at the time of its checkout. What was bought keeps the taxes that it has.
    """

    country: Country
    included: Annotated[bool, Meta(description="Whether prices contain them.")]
    taxes: Annotated[tuple[TaxEntry, ...], Meta(max_length=ENTRIES_MAX)]
    region: Annotated[str, Meta(max_length=60, pattern=PLAIN, description="By any name; none for the country.", examples=[""])] = ""
    rounding: Rounding = Rounding.HALF_UP


class CountryTaxes(Struct, frozen=True, kw_only=True):
    """What is taxed in a country and its regions; `is_default` when nobody has set the country's own."""

    is_default: bool
    tables: tuple[TaxTable, ...]


class TaxesOf(Query[CountryTaxes]):
    """What is taxed in a country: its own table, then those of its regions."""

    country: Country


@handles(SetTaxes)
def set_taxes(tx: Tx, ask: SetTaxes) -> TaxTable:
    """See that it fits the country's other tables; what checkouts remember of them is forgotten with the write."""
    region = ""
    if ask.region:
        found = region_of(ask.country, ask.region)
        if not found:
            raise Refused(TaxRefusal.REGION_UNKNOWN, ask.country)
        region = found
    table = TaxTable(country=ask.country, region=region, included=ask.included, rounding=ask.rounding, taxes=ask.taxes)
    kept = store.tax_tables(tx, ask.country)
    others = [one for one in kept if one.region != region]
    if region and not any(one.region == "" for one in kept) and ask.country in TAX_RULES:
        others.append(table_of(ask.country, TAX_RULES[ask.country]))
    check(table, others)
    change = tx.put if any(one.region == region for one in kept) else tx.add
    change(store.TAX_TABLE, (table.country, region), table)
    tx.tell(TaxesSet(country=table.country, region=region, by=tx.actor.person))
    return table


@answers(TaxesOf)
def taxes_of(at: Asking, ask: TaxesOf) -> CountryTaxes:
    """The default stands first where nothing was set for the country."""
    tables = store.tax_tables(at, ask.country)
    is_default = all(table.region for table in tables)
    if is_default and ask.country in TAX_RULES:
        tables = [table_of(ask.country, TAX_RULES[ask.country]), *tables]
    return CountryTaxes(is_default=is_default, tables=tuple(tables))


class _Known(Struct, frozen=True, gc=False):
    """What is taxed in a place, by the times from which it holds."""

    changes: tuple[int, ...]
    rules: tuple[TaxRules, ...]


class TaxTables:
    """Taxes by the tables that operators set, or the defaults: implements `taxes.Taxes`."""

    def rules(self, at: Asking, country: str, region: str) -> TaxRules:
        """Remembered from commit to commit until a table changes, so that a checkout makes no statement for it."""
        known = at.recall("tax_table", (country, region), lambda: _known(at, country, region), most=PLACES_REMEMBERED)
        if len(known.rules) == 1:
            return known.rules[0]
        return known.rules[bisect_right(known.changes, at.now) - 1]


def _known(at: Asking, country: str, region: str) -> _Known:
    places = [(country, "")] + ([(country, region)] if region else [])
    found = at.get_many(store.TAX_TABLE, places)
    own = found.get((country, ""))
    if own is None and len(found) == 0:
        return _Known((0,), (TAX_RULES.get(country, UNTAXED),))
    tables = [own or table_of(country, TAX_RULES.get(country, UNTAXED)), *(found[place] for place in places[1:] if place in found)]
    changes = changes_in(tables)
    return _Known(changes, tuple([rules_at(tables, moment) for moment in changes]))
