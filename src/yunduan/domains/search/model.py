"""Search as frozen values: what can be asked, what is answered, and how much each part of a score weighs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.model import Name
from yunduan.kernel.ids import CategoryId, GoodsId, ShopId
from yunduan.kernel.refusals import RefusalCode

TEXT_MAX = 200
"""So many characters has a text that is searched: it is part of an address, nine bytes a character."""
TERMS_MAX = 12
"""So many words of what is asked are looked for."""
RESULTS_MAX = 1_000
"""So many results can be leafed through; who looks further has not said what they want."""
MATCHES_MAX = 20_000
"""So many documents are counted and ranked; of more, those that come first in the index."""
TYPED_MAX = 1_000
"""Of what has a word that may go on so many documents are ranked that were made first, and so many that were made last."""
CALLED_MAX = 1_000
"""So many titles are looked through, in two or three milliseconds, for characters that are read as what has been typed begins."""
NUMBER_MAX = 10**13
"""No number that goods tell of themselves is larger, or less than the same below nothing."""
SCORED_MAX = 400
"""So many documents are weighed by their words exactly; of more, the best by everything else."""


class SearchRefusal(RefusalCode):
    """What search refuses."""

    CURSOR = "search_cursor_not_of_this_search", "The cursor was not given out by this search in this order: begin at its start."
    FILTER = (
        "search_filter_unknown",
        "A filter names what no goods on sale tell of themselves, or not so: the attributes of a category say what can be named.",
    )
    NOT_FOUND = "search_goods_not_found", "The index has no such goods: they are not on sale, or were changed a moment ago."


class Weights(Struct, frozen=True, kw_only=True):
    """How much each part of a score weighs, in hundredths, each part being from 0 to 1."""

    text: int = 1_000
    sales: int = 200
    rating: int = 100
    shop: int = 50
    freshness: int = 50
    stock: int = 300


Weight = Annotated[int, Meta(ge=0, le=10_000, description="Hundredths.", examples=[200])]


class WeightsForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights as they are set."""

    text: Weight
    sales: Weight
    rating: Weight
    shop: Weight
    freshness: Weight
    stock: Weight


class SynonymForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word, and those that are looked for besides."""

    word: Name
    others: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=20)]


class SearchSort(StrEnum):
    """The order of what is found."""

    BEST = "best"
    BEST_SOLD = "best_sold"
    NEWEST = "newest"
    PRICE_UP = "price_up"
    PRICE_DOWN = "price_down"


TYPED = r"^[^\x00]*(?![\s\S])"
SearchText = Annotated[
    str, Meta(max_length=TEXT_MAX, pattern=TYPED, description="What somebody has typed, in any form.", examples=["longjing"])
]
Cursor = Annotated[
    str, Meta(min_length=1, max_length=160, pattern=r"^[A-Za-z0-9_-]+(?![\s\S])", description="Where the next page begins; opaque.")
]


_NUMBER = "-?[0-9]{1,13}"
_ONE = rf"[a-z][a-z0-9_]{{0,29}}:(yes|no|{_NUMBER}(\.\.({_NUMBER})?)?|\.\.{_NUMBER})"
Filters = Annotated[
    str,
    Meta(
        max_length=400,
        pattern=rf"^({_ONE}(,{_ONE}){{0,9}})?(?![\s\S])",
        description="What goods must tell of themselves, divided by commas: `key:yes`, `key:no`, `key:3` (a place in a list, or a number),"
        " `key:100..250`, `key:100..`, `key:..250`. Any of what is said of one key, all of the keys.",
        examples=["organic:yes"],
    ),
]


class Loosened(StrEnum):
    """What was done to find anything."""

    NOTHING = "nothing"
    READ_ALIKE = "read_alike"
    """Chinese words were taken by how they are read."""
    WORDS_LEFT_OUT = "words_left_out"
    """Not all of the words had to be there."""
    PARTS = "parts"
    """Only characters of the words were there."""
    NEAR = "near"
    """Nothing has any of the words: these are what sells best."""


class Counted(Struct, frozen=True, kw_only=True):
    """How many goods of what was found have something, whatever else of the same kind was chosen."""

    value: str
    """What to filter by: the id of a category or shop, or `key:value`."""
    name: str
    name_en: str
    count: int


class PriceBand(Struct, frozen=True, kw_only=True):
    """How many goods cost from one amount to below another; the last band has no end."""

    from_amount: int
    to_amount: int | None
    count: int


class NumberBand(Struct, frozen=True, kw_only=True):
    """How many goods have a number from one to another, both included."""

    from_number: int
    to_number: int
    count: int


class NumberCounted(Struct, frozen=True, kw_only=True):
    """A number that goods of what was found tell of themselves, in its unit: the least, the most, and how many lie where between."""

    key: str
    name: str
    name_en: str
    unit: str
    from_number: int
    to_number: int
    count: int
    bands: tuple[NumberBand, ...]


class Facets(Struct, frozen=True, kw_only=True):
    """What was found, counted: each list the most frequent first."""

    categories: tuple[Counted, ...]
    shops: tuple[Counted, ...]
    attributes: tuple[Counted, ...]
    """By `key:value`, as filters name them."""
    numbers: tuple[NumberCounted, ...]
    """The numbers that most tell of themselves, whatever number was chosen."""
    currency: str
    """The currency of most of what was found, of which the bands are."""
    prices: tuple[PriceBand, ...]
    in_stock: int
    free_shipping: int
    rated_four: int
    """How many have four stars or more on average."""


class Mark(Struct, frozen=True, gc=False):
    """A part of a title, in characters: from one to before another."""

    start: int
    end: int


class Suggested(StrEnum):
    """What is suggested while somebody types."""

    RECENT = "recent"
    """What the caller has searched for before."""
    QUERY = "query"
    CATEGORY = "category"
    SHOP = "shop"
    GOODS = "goods"


class Suggestion(Struct, frozen=True, kw_only=True):
    """One thing to choose while typing, with the id of what it names; a query names nothing."""

    kind: Suggested
    text: str
    text_en: str
    category_id: CategoryId | None = None
    shop_id: ShopId | None = None
    goods_id: GoodsId | None = None


class Suggestions(Struct, frozen=True, kw_only=True):
    """What can be chosen while typing: one's own recent queries, those that many ask, then categories, shops and goods."""

    items: tuple[Suggestion, ...]


class Part(Struct, frozen=True, kw_only=True):
    """One part of a score: how good the goods are in it, what that weighs, and what it comes to."""

    name: str
    value_ppm: int
    """From 0 to a million."""
    weight: int
    points: int
    """Millionths, hundredths of the weight taken off."""


class Explanation(Struct, frozen=True, kw_only=True):
    """Why goods stand where they stand in a search."""

    place: int | None
    """1 for the first; nothing when the search does not find them, or only far behind."""
    total: int
    points: int
    parts: tuple[Part, ...]


class SearchSettings(Struct, frozen=True, kw_only=True):
    """What operators have set for search; published, since it decides what is seen first."""

    weights: Weights = Weights()
    synonyms: Mapping[str, tuple[str, ...]] = {}
    """Words, each with those that are looked for besides."""
    stops: tuple[str, ...] = ()
    """Words that are left out where others stand beside them."""


class SearchSettingsForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same as it is set, whole."""

    weights: WeightsForm
    synonyms: Annotated[tuple[SynonymForm, ...], Meta(max_length=1_000)] = ()
    stops: Annotated[tuple[Name, ...], Meta(max_length=200)] = ()
