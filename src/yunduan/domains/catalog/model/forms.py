"""The forms of what is typed in about shops and goods, with their limits, and what the catalogue refuses."""

from typing import Annotated

from msgspec import Meta

from yunduan.kernel.refusals import RefusalCode

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
