"""Shops, goods, stock and shipping as frozen values, and the decisions about them: pure, no input or output."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog.model.forms import (
    ATTRIBUTE_MAX,
    CATEGORIES_MAX,
    DEPTH_MAX,
    FEE_MAX,
    LIMIT_DAYS_MAX,
    LINES_MAX,
    LOCATIONS_MAX,
    ON_HAND_MAX,
    OPTIONS_MAX,
    PICTURES_MAX,
    PLACES_MAX,
    PPM,
    PRICE_MAX,
    QUANTITY_MAX,
    TEMPLATES_MAX,
    UNITS_MAX,
    VALUES_MAX,
    VALUES_TOLD_MAX,
    VARIANTS_MAX,
    WAITS_MAX,
    WEIGHT_G_MAX,
    ZONES_MAX,
    Barcode,
    CatalogRefusal,
    Country,
    Description,
    MaybeName,
    MaybeTitle,
    Name,
    Picture,
    Ppm,
    Quantity,
    Region,
    Sku,
    Title,
    Weight,
)
from yunduan.domains.catalog.model.stock import (
    HOLD_MOVES,
    HeldLine,
    Hold,
    HoldLine,
    HoldState,
    Left,
    Locations,
    SoldOut,
    Stock,
    StockFigures,
    StockReason,
    Together,
    counted,
    ended,
    give_back,
    part_gone,
    totals,
)
from yunduan.kernel.ids import CategoryId, GoodsId, LocationId, PersonId, ShippingTemplateId, ShopId, VariantId
from yunduan.kernel.money import Currency, Money
from yunduan.kernel.refusals import Refused
from yunduan.kernel.regions import region_of, regions_of

__all__ = [
    "ATTRIBUTE_MAX",
    "CATEGORIES_MAX",
    "DEPTH_MAX",
    "FEE_MAX",
    "HOLD_MOVES",
    "LIMIT_DAYS_MAX",
    "LINES_MAX",
    "LOCATIONS_MAX",
    "ON_HAND_MAX",
    "OPTIONS_MAX",
    "PICTURES_MAX",
    "PLACES_MAX",
    "PPM",
    "PRICE_MAX",
    "QUANTITY_MAX",
    "TEMPLATES_MAX",
    "UNITS_MAX",
    "VALUES_MAX",
    "VALUES_TOLD_MAX",
    "VARIANTS_MAX",
    "WAITS_MAX",
    "WEIGHT_G_MAX",
    "ZONES_MAX",
    "Barcode",
    "CatalogRefusal",
    "Country",
    "Description",
    "HeldLine",
    "Hold",
    "HoldLine",
    "HoldState",
    "Left",
    "Locations",
    "MaybeName",
    "MaybeTitle",
    "Name",
    "Picture",
    "Ppm",
    "Quantity",
    "Region",
    "Sku",
    "SoldOut",
    "Stock",
    "StockFigures",
    "StockReason",
    "Title",
    "Together",
    "Weight",
    "counted",
    "ended",
    "give_back",
    "part_gone",
    "totals",
]
"""What stands in modules of its own; the rest is below."""

# Shops


class Place(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A country, or one region of it."""

    country: Country
    region: Region = ""


class Source(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """How a location takes part in sending what is ordered: whether it does, and whereto; where no place is named, everywhere."""

    location_id: LocationId
    ships: bool = True
    places: Annotated[tuple[Place, ...], Meta(max_length=PLACES_MAX)] = ()

    def serves(self, country: str, region: str) -> bool:
        """Whether it sends to a place, its region in its one form; all that is sent anywhere counts where no country is named."""
        return not (self.places and country) or any(one.country == country and one.region in ("", region) for one in self.places)


class ShopState(StrEnum):
    """Whether a shop trades."""

    OPEN = "open"
    SUSPENDED = "suspended"


class ShopFace(Struct, frozen=True, kw_only=True):
    """What everybody sees of a shop."""

    id: ShopId
    name: str
    name_en: str
    about: str
    about_en: str
    picture: str
    country: str
    currency: str
    away_until: int
    """Until when it is on holiday and sells nothing (milliseconds since 1970); 0, or past, when it is not."""


class Shop(Struct, frozen=True, kw_only=True, gc=False):
    """A seller on the marketplace. Orders leave from its locations in their order; a template applies where goods name none."""

    id: ShopId
    owner_id: PersonId
    name: str
    name_en: str
    about: str = ""
    about_en: str = ""
    picture: str = ""
    country: str
    currency: str
    commission_ppm: int
    state: ShopState = ShopState.OPEN
    location_ids: tuple[LocationId, ...]
    template_ids: tuple[ShippingTemplateId, ...]
    template_id: ShippingTemplateId
    away_until: int = 0
    sources: tuple[Source, ...] = ()
    """What was said of its locations, in their order; nothing while each of them sends everywhere."""
    splits: bool = True
    """Whether an order leaves from several locations when no one of them has all of it."""

    def sends_from(self, country: str = "", region: str = "") -> tuple[LocationId, ...]:
        """The locations that orders leave from, in their order; with a place, those that send there."""
        if not self.sources:
            return self.location_ids
        return tuple([one.location_id for one in self.sources if one.ships and one.serves(country, region)])

    def of_pieces(self, pieces: Iterable[int]) -> int:
        """How many can be bought at once of what lies at several locations."""
        return sum(pieces) if self.splits else max(pieces, default=0)

    @property
    def is_open(self) -> bool:
        """Whether it is there for everybody; on holiday it is, and sells nothing."""
        return self.state is ShopState.OPEN

    def face(self) -> ShopFace:
        """What everybody sees."""
        return ShopFace(
            id=self.id,
            name=self.name,
            name_en=self.name_en,
            about=self.about,
            about_en=self.about_en,
            picture=self.picture,
            country=self.country,
            currency=self.currency,
            away_until=self.away_until,
        )


HOLIDAY_MS_MAX = 90 * 86_400_000


class ShopTerms(Struct, frozen=True, kw_only=True, gc=False):
    """What an order needs to know of a shop."""

    shop_id: ShopId
    name: str
    name_en: str
    country: str
    currency: str
    commission_ppm: int
    open: bool
    away_until: int
    """Until when it is on holiday; 0 when it is not."""
    sends: bool
    """Whether any of its locations sends to the place that was named."""
    splits: bool
    """Whether an order leaves from several of its locations when no one has all of it."""


class Location(Struct, frozen=True, kw_only=True):
    """A place where a shop's stock lies."""

    id: LocationId
    shop_id: ShopId
    name: str
    country: str
    region: str
    removed: bool = False
    """Nothing lies there or comes there any more; kept because what has left from it names it."""


# Categories


class Category(Struct, frozen=True, kw_only=True):
    """A node of the tree; `path` leads from the root to this one, itself included."""

    id: CategoryId
    parent_id: CategoryId | None
    name: str
    name_en: str
    path_ids: tuple[CategoryId, ...]


def below(parent: Category | None, *, id: CategoryId, name: str, name_en: str) -> Category:
    """A new category under another, or at the root; refuses to grow deeper than `DEPTH_MAX`."""
    path = (*(parent.path_ids if parent else ()), id)
    if len(path) > DEPTH_MAX:
        raise Refused(CatalogRefusal.CATEGORY_TOO_DEEP, f"{DEPTH_MAX} levels are the most")
    return Category(id=id, parent_id=parent.id if parent else None, name=name, name_en=name_en, path_ids=path)


# Goods


class GoodsState(StrEnum):
    """Where goods stand; only those on sale are shown and sold. What leads from one to another is in `life`."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    ON_SALE = "on_sale"
    OFF_SALE = "off_sale"
    BANNED = "banned"


class CatalogSettings(Struct, frozen=True, kw_only=True):
    """What the composition root decides for this domain: a port."""

    reviews_goods: bool = False
    """Whether operators look at goods before they are sold, and again after they have been described anew."""
    compared_after_ms: int = 86_400_000
    """How long a price was charged, within the thirty days, that another may be compared with."""
    lists_remembered_bytes: int = 28 * 2**20
    """Of lists' first pages, as they are sent: those of 3,000 shops, in each process that answers queries."""


class OptionValue(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One of the things to choose from, such as red, with the picture that shows goods of that choice."""

    name: Name
    name_en: MaybeName = ""
    picture: Picture | None = None


class GoodsOption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to choose, such as the colour."""

    name: Name
    name_en: MaybeName = ""
    values: Annotated[tuple[OptionValue, ...], Meta(min_length=1, max_length=VALUES_MAX)]


class VariantForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variant as its shop describes it; `choice` holds, for each option in turn, the place of the value chosen."""

    id: VariantId | None = None
    """Which variant this changes; a new one has none yet."""
    sku: Sku
    choice: Annotated[tuple[Annotated[int, Meta(ge=0, lt=VALUES_MAX)], ...], Meta(max_length=OPTIONS_MAX)] = ()
    price: Money
    compare_at: Money | None = None
    barcode: Barcode = ""
    weight_g: Weight = 0


class TaxClass(StrEnum):
    """How goods are taxed where they go; what that is in each country, orders know."""

    STANDARD = "standard"
    REDUCED = "reduced"
    EXEMPT = "exempt"


AttributeKey = Annotated[
    str, Meta(max_length=30, pattern=r"^[a-z][a-z0-9_]*(?![\s\S])", description="What programs call it.", examples=["organic"])
]


class AttributeValue(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What goods tell of themselves: yes or no, a whole number of units, or the place of a text in its list."""

    key: AttributeKey
    value: Annotated[int, Meta(ge=-ATTRIBUTE_MAX, le=ATTRIBUTE_MAX)] | bool


class BuyerLimit(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """How many pieces of goods, all variants together, one buyer may have: in one order, and within some days; 0 for no such limit."""

    per_order: Annotated[int, Meta(ge=0, le=QUANTITY_MAX, examples=[2])] = 0
    pieces: Annotated[int, Meta(ge=0, le=QUANTITY_MAX, examples=[5])] = 0
    days: Annotated[int, Meta(ge=1, le=LIMIT_DAYS_MAX, examples=[30])] = 30
    """The days within which no more than `pieces` are bought."""


class GoodsForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods as their shop describes them, whole."""

    title: Title
    title_en: MaybeTitle = ""
    description: Description = ""
    description_en: Description = ""
    category_id: CategoryId
    template_id: ShippingTemplateId | None = None
    """Without one the shop's own template applies."""
    tax_class: TaxClass = TaxClass.STANDARD
    pictures: Annotated[tuple[Picture, ...], Meta(max_length=PICTURES_MAX)] = ()
    options: Annotated[tuple[GoodsOption, ...], Meta(max_length=OPTIONS_MAX)] = ()
    limit: BuyerLimit | None = None
    attributes: Annotated[tuple[AttributeValue, ...], Meta(max_length=VALUES_TOLD_MAX)] = ()
    variants: Annotated[tuple[VariantForm, ...], Meta(min_length=1, max_length=VARIANTS_MAX)]


class Goods(Struct, frozen=True, kw_only=True):
    """A thing for sale. `version` counts its changes, so that two people who edit it do not undo each other unseen."""

    id: GoodsId
    shop_id: ShopId
    form: GoodsForm
    state: GoodsState = GoodsState.DRAFT
    version: int = 1
    created_at: int
    listed_at: int = 0
    """When it first went on sale, in milliseconds since 1970; 0 before."""
    on_sale_at: int = 0
    """When it goes on sale by itself; 0 when that has no time."""
    reviewed: bool = False
    """Whether an operator has approved it as it is described now; prices apart."""


class Variant(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is counted and bought: everything a checkout reads about a line, in one row."""

    id: VariantId
    goods_id: GoodsId
    shop_id: ShopId
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    sku: str
    price: Money
    weight_g: int
    template_id: ShippingTemplateId
    tax_class: str
    picture: str
    on_sale: bool
    retired: bool = False
    """No longer among its goods' variants; kept because orders and holds may name it."""
    limit: BuyerLimit | None = None


class Offer(Struct, frozen=True, gc=False):
    """A variant as it can be bought now, how many of it, and of what shop: offers of one shop have its terms in common."""

    variant: Variant
    available: int
    shop: ShopTerms


class Standing(Struct, frozen=True, gc=False):
    """How goods have done: pieces sold, reviews and the sum of their stars; `due` while lists do not show it yet.

    Sold is what was paid and has neither been called off nor given back whole.
    """

    goods_id: GoodsId
    sold: int = 0
    reviews: int = 0
    stars: int = 0
    due: bool = False

    @property
    def rating_hundredths(self) -> int | None:
        """The average of the stars in hundredths, half up; nothing before the first review."""
        return average_hundredths(self.stars, self.reviews)


class ShopScore(Struct, frozen=True, kw_only=True, gc=False):
    """How a shop is liked (店铺评分): the reviews of its goods that are shown, each counting once, however old, and their stars in sum."""

    shop_id: ShopId
    reviews: int = 0
    stars: int = 0

    @property
    def rating_hundredths(self) -> int | None:
        """The average of the stars in hundredths, half up; nothing before the first review."""
        return average_hundredths(self.stars, self.reviews)


def average_hundredths(stars: int, reviews: int) -> int | None:
    """What so many reviews have given on average, in hundredths of a star, half up; nothing of none."""
    return (200 * stars + reviews) // (2 * reviews) if reviews else None


def check_form(form: GoodsForm, currency: str) -> None:
    """Refuse goods whose variants do not fit their options, share a choice or a SKU, or cost what nothing may cost."""
    choices: set[tuple[int, ...]] = set()
    for variant in form.variants:
        _check_choice(form.options, variant.choice)
        choices.add(variant.choice)
        check_price(variant.price, variant.compare_at, currency)
    if len(choices) != len(form.variants):
        raise Refused(CatalogRefusal.OPTIONS, "two variants are the same choice")
    if len({variant.sku for variant in form.variants}) != len(form.variants):
        raise Refused(CatalogRefusal.SKU_TAKEN, "two variants have the same SKU")
    named = [variant.id for variant in form.variants if variant.id]
    if len(set(named)) != len(named):
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND, "a variant is named twice")


def _check_choice(options: Sequence[GoodsOption], choice: Sequence[int]) -> None:
    if len(choice) != len(options) or any(place >= len(option.values) for place, option in zip(choice, options, strict=True)):
        raise Refused(CatalogRefusal.OPTIONS, "a variant chooses one value of every option")


def check_price(price: Money, compare_at: Money | None, currency: str) -> None:
    """Refuse a price of nothing, above `PRICE_MAX`, in another currency than the shop's, or not below what it is compared with."""
    if price.currency != currency or (compare_at and compare_at.currency != currency):
        raise Refused(CatalogRefusal.PRICE, f"the shop sells in {currency}")
    if not 0 < price.amount <= PRICE_MAX or (compare_at and compare_at.amount > PRICE_MAX):
        raise Refused(CatalogRefusal.PRICE, f"a price is from 1 to {PRICE_MAX} minor units")
    if compare_at is not None and compare_at <= price:
        raise Refused(CatalogRefusal.PRICE, "what a price is compared with is higher")


def option_texts(options: Sequence[GoodsOption], choice: Sequence[int]) -> tuple[str, str]:
    """A choice in words, Chinese and English: `红 / L`; where there is no English word the Chinese one stands."""
    values = [option.values[place] for option, place in zip(options, choice, strict=True)]
    return " / ".join(value.name for value in values), " / ".join(value.name_en or value.name for value in values)


def picture_of(form: GoodsForm, choice: Sequence[int]) -> str:
    """What shows a variant: the picture of the first value it chooses that has one, else the first of its goods; empty without any."""
    own = (option.values[place].picture for option, place in zip(form.options, choice, strict=True))
    return next(filter(None, (*own, *form.pictures)), "")


OPTION_PICTURES_SHOWN = 6
"""So many of the pictures of an option a list shows."""


def option_pictures(options: Iterable[GoodsOption]) -> tuple[str, ...]:
    """What a list shows of what there is to choose from: the first pictures of the first option that has some, each once."""
    found = ([value.picture for value in option.values if value.picture] for option in options)
    return tuple(dict.fromkeys(next(filter(None, found), [])))[:OPTION_PICTURES_SHOWN]


# Shipping


class Measure(StrEnum):
    """What shipping is charged by."""

    PIECE = "piece"
    WEIGHT = "weight"


Fee = Annotated[int, Meta(ge=0, le=FEE_MAX, description="Whole minor units of the shop's currency.")]
Units = Annotated[int, Meta(ge=1, le=UNITS_MAX, description="Pieces, or grams.")]


class Rate(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What shipping costs: the first units together, then each further step that has begun; nothing from an amount of goods on."""

    first_units: Units = 1
    first_fee: Fee
    further_units: Units = 1
    further_fee: Fee = 0
    free_from: Annotated[int, Meta(ge=0, le=10**15)] | None = None


class Zone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Places with one rate; without a rate they are not served."""

    places: Annotated[tuple[Place, ...], Meta(min_length=1, max_length=PLACES_MAX)]
    rate: Rate | None = None


class ShippingTemplate(Struct, frozen=True, kw_only=True):
    """What shipping costs to where (运费模板): a region's zone before its country's, then everywhere else."""

    id: ShippingTemplateId
    shop_id: ShopId
    name: str
    measure: Measure
    currency: Currency
    zones: tuple[Zone, ...] = ()
    elsewhere: Rate | None = None
    """For every place in no zone; without it such places are not served."""

    def rate(self, country: str, region: str) -> Rate | None:
        """The rate to a place, or nothing where it is not served; the region is in its one form, as that of an address is."""
        whole: Rate | None = self.elsewhere
        for zone in self.zones:
            for place in zone.places:
                if place.country == country:
                    if place.region == region:
                        return zone.rate
                    if not place.region:
                        whole = zone.rate
        return whole


Placed = TypeVar("Placed", Zone, Source)


def places_in_one_form(ones: Iterable[Placed]) -> tuple[Placed, ...]:
    """Whatever has places, with each region in its one form; refuses regions that their country does not have."""
    return tuple(replace(one, places=tuple(_formed(place) for place in one.places)) for one in ones)


def in_one_form(zones: Sequence[Zone]) -> tuple[Zone, ...]:
    """The zones with each region in its one form; refuses regions that their country does not have, and zones that share a place."""
    formed = places_in_one_form(zones)
    places = [place for zone in formed for place in zone.places]
    if len({(place.country, place.region) for place in places}) != len(places):
        raise Refused(CatalogRefusal.PLACES_OVERLAP, "a place is in one zone only")
    return formed


def _formed(place: Place) -> Place:
    region = region_of(place.country, place.region) if place.region else ""
    if region is None:
        raise Refused(CatalogRefusal.REGION_UNKNOWN, f"{place.country} has other regions", figures=regions_of(place.country))
    return Place(country=place.country, region=region)


def shipping_cost(template: ShippingTemplate, *, country: str, region: str, pieces: int, weight_g: int, goods: int) -> int:
    """What shipping costs, exactly, in minor units of the template's currency, as what the goods cost.

    The first fee, and the further fee for each further step that has begun. Refuses a place not served.
    """
    rate = template.rate(country, region)
    if rate is None:
        raise Refused(CatalogRefusal.REGION_NOT_SERVED, "the shop does not ship there")
    if rate.free_from is not None and goods >= rate.free_from:
        return 0
    further = (pieces if template.measure is Measure.PIECE else weight_g) - rate.first_units
    if further <= 0:
        return rate.first_fee
    return rate.first_fee - (-further // rate.further_units) * rate.further_fee
