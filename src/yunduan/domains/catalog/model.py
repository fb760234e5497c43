"""Shops, goods, stock and shipping as frozen values, and the decisions about them: pure, no input or output."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.kernel.ids import CategoryId, GoodsId, HoldId, LocationId, PersonId, ShippingTemplateId, ShopId, VariantId
from yunduan.kernel.money import Currency, Money
from yunduan.kernel.refusals import RefusalCode, Refused, invariant
from yunduan.kernel.regions import region_of, regions_of

PRICE_MAX = 10**10
"""Of one piece, in minor units: a cart of fifty lines of 999 pieces at this price is still an amount."""
QUANTITY_MAX = 999
ON_HAND_MAX = 10**9
FEE_MAX = 10**8
UNITS_MAX = 10**7
WEIGHT_G_MAX = 10**6
PPM = 1_000_000
DEPTH_MAX = 4
CATEGORIES_MAX = 1_000
LOCATIONS_MAX = 20
TEMPLATES_MAX = 50
OPTIONS_MAX = 3
VALUES_MAX = 50
VARIANTS_MAX = 200
PICTURES_MAX = 20
ZONES_MAX = 50
PLACES_MAX = 100
LINES_MAX = 500
LIMIT_DAYS_MAX = 365
ATTRIBUTE_MAX = 10**12
VALUES_TOLD_MAX = 80
WAITS_MAX = 50
"""For so many variants one person may wait."""

_PLAIN = r"(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
_LINES = r"(?![\s\S]*[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
_INK = r"(?=[\s\S]*\S)"
_END = r"(?![\s\S])"
Name = Annotated[str, Meta(min_length=1, max_length=60, pattern=f"^{_INK}{_PLAIN}", description="No control characters, not blank.")]
MaybeName = Annotated[str, Meta(max_length=60, pattern=f"^{_PLAIN}")]
Title = Annotated[
    str, Meta(min_length=1, max_length=120, pattern=f"^{_INK}{_PLAIN}", description="No control characters, not blank.", examples=["龙井"])
]
MaybeTitle = Annotated[str, Meta(max_length=240, pattern=f"^{_PLAIN}")]
Description = Annotated[
    str, Meta(max_length=10_000, pattern=f"^{_LINES}", description="Plain text; line feeds are its only control characters.")
]
Sku = Annotated[str, Meta(min_length=1, max_length=64, pattern=rf"^[0-9A-Za-z][0-9A-Za-z._/-]*{_END}", examples=["TEA-250"])]
Barcode = Annotated[str, Meta(max_length=32, pattern=rf"^[0-9A-Za-z.-]*{_END}")]
Country = Annotated[str, Meta(pattern=rf"^[A-Z]{{2}}{_END}", description="An ISO 3166-1 code.", examples=["CN"])]
Region = Annotated[str, Meta(max_length=64, pattern=f"^{_PLAIN}", description="A subdivision of the country, as addresses name it.")]
Picture = Annotated[
    str,
    Meta(
        max_length=160,
        pattern=rf"^(?![\s\S]*\.\.)(?![\s\S]*//)[A-Za-z0-9][A-Za-z0-9/_.-]*{_END}",
        description="A reference into the marketplace's own media, never an address elsewhere: it is found under `/media/`.",
        examples=["goods/teapot.18639ff552eb.webp"],
    ),
]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX, examples=[1])]
Ppm = Annotated[int, Meta(ge=0, le=PPM, description="Millionths.", examples=[50_000])]
Weight = Annotated[int, Meta(ge=0, le=WEIGHT_G_MAX, description="Grams.", examples=[250])]


class CatalogRefusal(RefusalCode):
    """What the catalog refuses."""

    SHOP_NOT_FOUND = "shop_not_found", "There is no such shop, or it is not open."
    CATEGORY_NOT_FOUND = "category_not_found", "There is no such category."
    CATEGORY_TOO_DEEP = "category_too_deep", "The category tree has no more levels."
    CATEGORIES_FULL = "categories_full", "There are as many categories as there may be."
    GOODS_NOT_FOUND = "goods_not_found", "There are no such goods, or they are not this shop's, or not on sale."
    GOODS_CHANGED = "goods_changed", "Somebody has changed the goods meanwhile: read them, and send the version that they have now."
    GOODS_STATE = "goods_state_forbids", "Goods in this state cannot become what was asked; `figures` say what they can."
    SCHEDULE = "schedule_out_of_range", "Goods go on sale after now, and within ninety days."
    VARIANT_NOT_FOUND = "variant_not_found", "There is no such variant, or it is not of these goods, or of this shop."
    OPTIONS = "options_do_not_match", "Each variant chooses one value of every option, and no two choose the same."
    PRICE = "price_not_allowed", "A price is in the shop's currency, is more than nothing, and is below what it is compared with."
    NOT_CHARGED = "comparison_not_charged", "What a price is compared with was itself charged within the last thirty days, for long enough."
    ATTRIBUTE_TAKEN = "attribute_taken", "Another attribute of this category, or of one above it, has this key."
    ATTRIBUTE_FORM = "attribute_form", "Only a choice has values, and it has some; only a number has a unit."
    ATTRIBUTE_KEPT = "attribute_kept", "An attribute, its kind, its unit and the places of its values stay: goods have told them."
    ATTRIBUTE_VALUE = "attribute_value", "The category does not ask this of its goods, or asks for a value of another kind."
    FILTER = "filter_unknown", "The category has no such attribute, or one of another kind."
    CURRENCY = "currency_unknown", "This is no currency of ISO 4217."
    SKU_TAKEN = "sku_taken", "Another variant of the shop has this SKU."
    LOCATION_NOT_FOUND = "location_not_found", "The shop has no such location."
    LOCATIONS_NAMED = "locations_not_all_named", "Each location of the shop is named once; `figures` say which it has."
    SAME_LOCATION = "same_location", "Pieces move from one location to another."
    LOCATIONS_FULL = "locations_full", "The shop has as many locations as it may have."
    LOCATION_NOT_EMPTY = (
        "location_not_empty",
        "Pieces lie at the location: move them, ship them, or count them away, first.",
    )
    LOCATION_LAST = "location_is_the_last", "A shop has one location at least."
    TEMPLATE_NOT_FOUND = "shipping_template_not_found", "The shop has no such shipping template."
    TEMPLATES_FULL = "shipping_templates_full", "The shop has as many shipping templates as it may have."
    PLACES_OVERLAP = "places_overlap", "A place is in one zone of a shipping template only."
    STOCK_HELD = "stock_is_held", "So many pieces are promised to orders; `figures` say how many there are and how many are held."
    STOCK_TOO_LARGE = "stock_too_large", "More pieces than stock can be counted in."
    SOLD_OUT = "sold_out", "There are too few pieces; `figures` say how many are left of each variant."
    NOT_FROM_ONE = (
        "not_from_one_location",
        "No one location of the shop has all of this, and it does not split orders; `figures` say how many pieces leave together.",
    )
    HOLD_NOT_FOUND = "hold_not_found", "No stock is held under this id."
    HOLD_EXISTS = "hold_exists", "Other stock is held under this id."
    HOLD_STATE = "hold_state_forbids", "The stock of this hold has been released, or has left, already."
    EXCEEDS_TAKEN = "exceeds_taken", "More comes back than has left."
    EXCEEDS_HELD = "more_than_is_held", "More would leave than is held."
    REGION_NOT_SERVED = "region_not_served", "A shop does not ship to this address."
    REGION_UNKNOWN = "place_unknown", "The country has no such region; `figures` name those that it has."
    APPLICATION_NOT_FOUND = "application_not_found", "There is no such application for a shop, or it is somebody else's."
    APPLICATION_WAITING = "application_waiting", "An application of this person waits already: withdraw it, or wait for the answer."
    APPLICATIONS_FULL = "applications_full", "This person has applied as often as anybody may."
    LICENCE_PICTURE_NOT_FOUND = "licence_picture_not_found", "This person has sent no such picture, or the application does not name it."
    LICENCE_PICTURES_FULL = "licence_pictures_full", "So many pictures that no application names are the most: apply with some."
    APPLICATION_STATE = "application_state_forbids", "The application has been decided or withdrawn."
    OWN_GOODS = "own_goods", "Nobody decides as an operator about goods of a shop that they work in."
    OWN_APPLICATION = "own_application", "Nobody decides about an application of their own."
    NOT_SOLD_OUT = "not_sold_out", "There are pieces of it to buy now."
    WAITS_FULL = "waits_full", "This person waits for as many things as anybody may: let go of one."
    HOLIDAY = "holiday_out_of_range", "A holiday ends after now, and within ninety days."
    CURSOR = "cursor_not_of_this_list", "The cursor was not given out by this list in this order: begin at its start."


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
    str, Meta(max_length=30, pattern=rf"^[a-z][a-z0-9_]*{_END}", description="What programs call it.", examples=["organic"])
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


class Offer(Struct, frozen=True, kw_only=True, gc=False):
    """A variant as it can be bought now."""

    variant_id: VariantId
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
    available: int
    limit: BuyerLimit | None = None


class Standing(Struct, frozen=True, kw_only=True, gc=False):
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


# Stock


class Stock(Struct, frozen=True, kw_only=True, gc=False):
    """Pieces of one variant at one location: on hand, and of these promised to orders."""

    variant_id: VariantId
    location_id: LocationId
    on_hand: int = 0
    held: int = 0

    @property
    def available(self) -> int:
        """What can still be sold."""
        return self.on_hand - self.held

    def moved(self, *, on_hand: int = 0, held: int = 0) -> "Stock":
        """After so many more, or fewer, are on hand and held; never fewer than none, and never more held than there are."""
        now = Stock(variant_id=self.variant_id, location_id=self.location_id, on_hand=self.on_hand + on_hand, held=self.held + held)
        invariant(0 <= now.held <= now.on_hand, f"{self.variant_id}: {now.held} held of {now.on_hand}")
        return now


class StockReason(StrEnum):
    """Why the number of pieces on hand was changed by hand."""

    COUNTED = "counted"
    RECEIVED = "received"
    DAMAGED = "damaged"
    LOST = "lost"
    MOVED = "moved"
    IMPORTED = "imported"


def counted(stock: Stock, on_hand: int) -> Stock:
    """The stock after a count; refuses to have less than is held, and more than anybody has."""
    if on_hand < stock.held:
        figures = StockFigures(on_hand=stock.on_hand, held=stock.held)
        raise Refused(CatalogRefusal.STOCK_HELD, "these pieces are promised to orders", figures=figures)
    if on_hand > ON_HAND_MAX:
        raise Refused(CatalogRefusal.STOCK_TOO_LARGE, f"{ON_HAND_MAX} pieces are the most")
    return stock.moved(on_hand=on_hand - stock.on_hand)


class StockFigures(Struct, frozen=True, kw_only=True):
    """What there is, for whoever was refused."""

    on_hand: int
    held: int


class HoldState(StrEnum):
    """Where a hold stands: held, then either released (and perhaps held anew), or taken because the goods have left."""

    HELD = "held"
    RELEASED = "released"
    TAKEN = "taken"


HOLD_MOVES: Mapping[HoldState, frozenset[HoldState]] = MappingProxyType(
    {
        HoldState.HELD: frozenset({HoldState.RELEASED, HoldState.TAKEN}),
        HoldState.RELEASED: frozenset({HoldState.HELD}),
        HoldState.TAKEN: frozenset(),
    }
)
"""From each state, the states that may follow; to be told again what has been done changes nothing.

What was released is held anew when it is paid for late and there is enough.
"""


class HoldLine(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """So many pieces of a variant."""

    variant_id: VariantId
    quantity: Quantity


class HeldLine(Struct, frozen=True, array_like=True, gc=False):
    """So many pieces of a variant at one location; of these, what has come back after they were taken."""

    variant_id: VariantId
    location_id: LocationId
    quantity: int
    returned: int = 0
    gone: int = 0
    """What has left while others of the hold still wait; once the hold is taken, all of it has."""

    @property
    def waits(self) -> int:
        """How many are still there, while the hold stands."""
        return self.quantity - self.gone


class Hold(Struct, frozen=True, kw_only=True):
    """Stock promised to one order."""

    id: HoldId
    state: HoldState
    lines: tuple[HeldLine, ...]

    def quantities(self) -> dict[VariantId, int]:
        """How many pieces of each variant it is for."""
        return totals((line.variant_id, line.quantity) for line in self.lines)


class Left(Struct, frozen=True, kw_only=True):
    """How many pieces of a variant can still be had."""

    variant_id: VariantId
    available: int


class Locations(Struct, frozen=True, kw_only=True):
    """The locations of a shop, in their order."""

    location_ids: tuple[LocationId, ...]


class Together(Struct, frozen=True, kw_only=True):
    """How many pieces of each variant the location can send that has most of the lines whole."""

    lines: tuple[Left, ...]


class SoldOut(Struct, frozen=True, kw_only=True):
    """What is left of each variant that there is too little of."""

    lines: tuple[Left, ...]


def totals(lines: Iterable[tuple[VariantId, int]]) -> dict[VariantId, int]:
    """Quantities by variant; a variant that comes twice is counted together."""
    summed: dict[VariantId, int] = {}
    for variant_id, quantity in lines:
        summed[variant_id] = summed.get(variant_id, 0) + quantity
    return summed


def part_gone(hold: Hold, part: Mapping[VariantId, int], place: LocationId | None = None) -> tuple[Hold, list[HeldLine]]:
    """A hold after some of its pieces have left, from one place if it is named, and which left from where; refuses more than still wait."""
    lines, changes, missing = [], [], dict(part)
    for line in hold.lines:
        pieces = min(missing.get(line.variant_id, 0), line.waits) if place in (None, line.location_id) else 0
        lines.append(replace(line, gone=line.gone + pieces))
        if pieces:
            missing[line.variant_id] -= pieces
            changes.append(HeldLine(line.variant_id, line.location_id, pieces))
    if any(missing.values()):
        raise Refused(CatalogRefusal.EXCEEDS_HELD, "more leaves than is held")
    return Hold(id=hold.id, state=hold.state, lines=tuple(lines)), changes


def ended(hold: Hold, to: HoldState) -> Hold:
    """A hold whose waiting pieces have been let go or have left. What had left before them has left whatever becomes of the rest."""
    if to is HoldState.RELEASED and (gone := [line for line in hold.lines if line.gone]):
        return Hold(id=hold.id, state=HoldState.TAKEN, lines=tuple(replace(line, quantity=line.gone, gone=0) for line in gone))
    return Hold(id=hold.id, state=to, lines=tuple(replace(line, gone=0) if line.gone else line for line in hold.lines))


def give_back(hold: Hold, back: Mapping[VariantId, int]) -> tuple[Hold, list[HeldLine]]:
    """A taken hold after pieces have come back, and which went where; refuses more than was taken and has not yet come back."""
    lines, changes, missing = [], [], dict(back)
    for line in hold.lines:
        part = min(missing.get(line.variant_id, 0), line.quantity - line.returned)
        lines.append(HeldLine(line.variant_id, line.location_id, line.quantity, line.returned + part))
        if part:
            missing[line.variant_id] -= part
            changes.append(HeldLine(line.variant_id, line.location_id, part))
    if any(missing.values()):
        raise Refused(CatalogRefusal.EXCEEDS_TAKEN, "more comes back than has left")
    return Hold(id=hold.id, state=hold.state, lines=tuple(lines)), changes


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


def shipping_cost(template: ShippingTemplate, *, country: str, region: str, pieces: int, weight_g: int, goods: Money) -> Money:
    """What shipping costs, exactly: the first fee, and the further fee for each further step that has begun. Refuses a place not served."""
    invariant(goods.currency == template.currency, "a shop ships in the currency that it sells in")
    rate = template.rate(country, region)
    if rate is None:
        raise Refused(CatalogRefusal.REGION_NOT_SERVED, "the shop does not ship there")
    if rate.free_from is not None and goods.amount >= rate.free_from:
        return Money(amount=0, currency=template.currency)
    units = pieces if template.measure is Measure.PIECE else weight_g
    steps = -(-max(0, units - rate.first_units) // rate.further_units)
    return Money(amount=rate.first_fee + steps * rate.further_fee, currency=template.currency)
