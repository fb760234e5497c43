"""What can be asked of search: goods by what somebody types, suggestions while they type, and why something comes first."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from yunduan.domains.catalog.findable import CardsOf, ReadyCard, UnitsOf
from yunduan.domains.search import asked, filtering, finding, paging, recents, store_recent, store_settings
from yunduan.domains.search.asked import Counting
from yunduan.domains.search.finding import Asked, Filter, Finder, Matched
from yunduan.domains.search.model import (
    Cursor,
    Explanation,
    Facets,
    Filters,
    Loosened,
    Mark,
    Part,
    SearchRefusal,
    SearchSettings,
    SearchSort,
    SearchText,
    Suggested,
    Suggestion,
    Suggestions,
)
from yunduan.domains.search.recalling import Recent
from yunduan.domains.search.store import Index
from yunduan.domains.search.words import runs
from yunduan.kernel.ids import CategoryId, GoodsId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Currency
from yunduan.kernel.refusals import BusyError, Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

Amount = Annotated[int, Meta(ge=0, le=10**12, description="Minor units.")]
PAGE_MAX = 50
PAGES_RECALLED = 256
"""So many pages of searches are remembered with their cards: four MiB, where nobody asks for more than twenty."""
SUGGESTED_OF_A_KIND = 3
SUGGESTED_GOODS = 5
SUGGESTED_RECENT = 10
"""So many recent queries, while nothing has been typed."""
NAMES_MAX = 20
_canonical = msgspec.msgpack.Encoder().encode


class Found(Struct, frozen=True, kw_only=True):
    """Goods that were found, with what of their titles was looked for."""

    card: ReadyCard
    marks: tuple[Mark, ...]
    marks_en: tuple[Mark, ...]


class Findings(Struct, frozen=True, kw_only=True):
    """One page of what was found; `after` asks for the next, and is absent at the end."""

    items: tuple[Found, ...]
    total: int
    total_is_least: bool
    """Whether there are more than were counted."""
    facets: Facets | None
    """On the first page."""
    did_you_mean: str | None
    """What was asked, with words put right that nothing has."""
    loosened: Loosened
    left_out: tuple[str, ...]
    """Words that nothing had together with the others."""
    after: Cursor | None


class SearchGoods(Query[Findings], refuses={SearchRefusal.CURSOR, SearchRefusal.FILTER}):
    """Goods by what somebody has typed: Chinese, English, pinyin in full or by first letters, with a slip or without.

    Where nothing has every word, `loosened` says what was done to find anything. Words and quotes have no other meaning than themselves.
    """

    q: SearchText = ""
    category_id: CategoryId | None = None
    shop_id: ShopId | None = None
    filters: Filters = ""
    currency: Currency | None = None
    price_from: Amount | None = None
    price_to: Amount | None = None
    """Below this."""
    in_stock: bool = False
    free_shipping: bool = False
    rating_from: Annotated[int, Meta(ge=100, le=500, description="Hundredths of a star.")] | None = None
    one_per_shop: bool = False
    sort: SearchSort = SearchSort.BEST
    after: Cursor | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


class SuggestWords(Query[Suggestions]):
    """What somebody may be about to type: what many ask, and categories, shops and goods whose names go on like this."""

    q: SearchText = ""


class SearchMine(SearchGoods, refuses=SearchGoods.refuses):
    """The same for whoever is signed in: what they search for is remembered, if they want that (`RememberQueries`), and only then."""


class SuggestMine(SuggestWords):
    """The same for whoever is signed in: what they have searched for comes first, if they have it remembered.

    Where nothing has been typed, that is all.
    """


class ExplainPlace(Query[Explanation], refuses={SearchRefusal.NOT_FOUND}):
    """Why goods stand where they stand when somebody searches for this: each part of their score."""

    goods_id: GoodsId
    q: SearchText = ""


class SearchSettingsNow(Query[SearchSettings]):
    """What decides what comes first, and which words are taken for others."""


class ChangeList(Struct, frozen=True, kw_only=True):
    """One page of what was set; `after` asks for the next."""

    items: tuple[store_settings.SettingsChange, ...]
    after: int | None


class SearchSettingsChanges(Query[ChangeList]):
    """What was set for search, by whom, and why, the latest first."""

    after: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20


@answers(SearchGoods)
def search_goods(at: Asking, ask: SearchGoods) -> Findings:
    """Find, then read the cards of the page as they are now: what went off sale a moment ago is left out."""
    index, finder = _ready(at)
    search = _canonical(msgspec.structs.replace(ask, after=None, limit=20))
    place = paging.place_of(ask.after, search) if ask.after else None
    said, recent = store_settings.now(at), at.port(Recent)
    known = recent.of(search, finder.shelf, said, now_ms=at.now, began_ms=place.began_ms if place else None)
    if known is None:
        began_ms = place.began_ms if place else at.now
        matched = finding.find(index, finder.shelf, _asked(at, ask, index, said, began_ms, counts=place is None), finder.nearest)
        began_ms = matched.began_ms or began_ms
        if place is None:
            recent.keep(search, said, began_ms, matched)
    else:
        began_ms, matched = known
    if place is None and matched.plan.slots:
        at.port(Counting).note(ask.q, is_empty=matched.loosened is not Loosened.NOTHING)
    documents, values = paging.after(matched, place)
    page = documents[: ask.limit].tolist()
    following = None
    if len(documents) > ask.limit:
        following = paging.cursor(paging.Place(began_ms, int(values[ask.limit - 1]), page[-1]), search)
    return Findings(
        items=_found(at, index, page, matched) if known is None or place is not None else _found_again(at, index, page, matched, search),
        total=matched.total,
        total_is_least=matched.total_is_least,
        facets=matched.facets if place is None else None,
        did_you_mean=matched.plan.did_you_mean(),
        loosened=matched.loosened,
        left_out=matched.left_out,
        after=following,
    )


def _ready(at: Asking) -> tuple[Index, Finder]:
    finder = at.port(Finder)
    index = finder.refresh()
    if index is None:
        raise BusyError("the index is being made")
    return index, finder


def _asked(at: Asking, ask: SearchGoods, index: Index, said: SearchSettings, began_ms: int, *, counts: bool) -> Asked:
    units = at.ask(UnitsOf(category_id=ask.category_id)) if ask.filters and ask.category_id is not None else {}
    values, numbers = filtering.understood(ask.filters, index, units)
    wanted = Filter(
        category_id=ask.category_id,
        shop_id=ask.shop_id,
        attributes=values,
        numbers=numbers,
        price_from=ask.price_from,
        price_to=ask.price_to,
        currency=ask.currency,
        in_stock=ask.in_stock,
        free_shipping=ask.free_shipping,
        rating_from=ask.rating_from,
    )
    return Asked(
        text=ask.q,
        filter=wanted,
        sort=ask.sort,
        weights=said.weights,
        distinct=ask.one_per_shop,
        counts=counts,
        now_ms=began_ms,
        synonyms=said.synonyms,
        stops=frozenset(said.stops),
    )


def _found_again(at: Asking, index: Index, page: list[int], matched: Matched, search: bytes) -> tuple[Found, ...]:
    """The first page of a search that is remembered: as long as no card changes, it is remembered as well, beside the room of lists."""
    pages: dict[tuple[bytes, int], tuple[Matched, tuple[Found, ...]]] = at.recall("card", "searches", dict, most=2**60, size=lambda _: 0)
    key = search, len(page)
    before = pages.get(key)
    if before is not None and before[0] is matched:
        return before[1]
    if len(pages) >= PAGES_RECALLED:
        pages.clear()
    pages[key] = matched, _found(at, index, page, matched)
    return pages[key][1]


def _found(at: Asking, index: Index, page: list[int], matched: Matched) -> tuple[Found, ...]:
    titles = index.titles(page)
    cards = at.ask(CardsOf(goods_ids=tuple([titles[no].goods_id for no in page if no in titles])))
    shown = list(dict.fromkeys([word for slot in matched.plan.slots for word in slot.shown if word]))
    return tuple(
        [
            Found(
                card=cards[titled.goods_id],
                marks=finding.marks(titled.plain, shown),
                marks_en=finding.marks(titled.plain_en, shown),
            )
            for no in page
            if (titled := titles.get(no)) is not None and titled.goods_id in cards
        ]
    )


@answers(SuggestWords)
def suggest_words(at: Asking, ask: SuggestWords) -> Suggestions:
    """What everybody is suggested."""
    return Suggestions(items=_suggested(at, ask, ()))


@answers(SearchMine)
def search_mine(at: Asking, ask: SearchMine) -> Findings:
    """It is noted that the caller has asked, on the first page, beside the others' counts."""
    found = search_goods(at, ask)
    if ask.after is None and store_recent.recents_of(at, at.actor.person) is not None:
        at.port(Counting).note_own(at.actor.person, ask.q, at_ms=at.now)
    return found


@answers(SuggestMine)
def suggest_mine(at: Asking, ask: SuggestMine) -> Suggestions:
    """The caller's own, what was asked here in the last seconds among them."""
    one, begun = store_recent.recents_of(at, at.actor.person), recents.same(ask.q)
    mine: list[str] = []
    if one is not None:
        entries = recents.remembered(recents.opened(at, one), at.port(Counting).own(one.person), after=one.cleared_at)
        going_on = [entry.text for entry in entries if not entry.is_gone and recents.same(entry.text).startswith(begun)]
        mine = going_on[:SUGGESTED_OF_A_KIND] if begun else going_on[:SUGGESTED_RECENT]
    return Suggestions(items=_suggested(at, ask, mine) if begun else tuple([_recent(text) for text in mine]))


def _recent(text: str) -> Suggestion:
    return Suggestion(kind=Suggested.RECENT, text=text, text_en="")


def _suggested(at: Asking, ask: SuggestWords, mine: Sequence[str]) -> tuple[Suggestion, ...]:
    """Names first, since there are few; then goods by their scores."""
    index, finder = _ready(at)
    typed = Asked(text=ask.q, counts=False, is_typing=True, is_strict=True, now_ms=at.now, weights=store_settings.now(at).weights)
    matched = finding.find(index, finder.shelf, typed)
    if not matched.plan.slots:
        return ()
    names = index.labelled(matched.plan.of_names(), NAMES_MAX)
    categories, shops = ([name for name in names if name.kind == kind][:SUGGESTED_OF_A_KIND] for kind in ("category", "shop"))
    begun = " ".join(runs(ask.q))
    known = {begun, *map(recents.same, mine)}
    popular = [text for text in asked.popular(at) if text.startswith(begun) and text not in known][:SUGGESTED_OF_A_KIND]
    items = [
        *map(_recent, mine),
        *[Suggestion(kind=Suggested.QUERY, text=text, text_en="") for text in popular],
        *[Suggestion(kind=Suggested.CATEGORY, text=one.title, text_en=one.title_en, category_id=CategoryId(one.id)) for one in categories],
        *[Suggestion(kind=Suggested.SHOP, text=one.title, text_en=one.title_en, shop_id=ShopId(one.id)) for one in shops],
    ]
    best = matched.ranked[:SUGGESTED_GOODS].tolist()
    titles = index.titles(best)
    items += [
        Suggestion(kind=Suggested.GOODS, text=titled.title, text_en=titled.title_en, goods_id=titled.goods_id)
        for no in best
        if (titled := titles.get(no)) is not None
    ]
    return tuple(items)


@answers(ExplainPlace)
def explain_place(at: Asking, ask: ExplainPlace) -> Explanation:
    """Search as anybody would, and take the parts of that one score."""
    index, finder = _ready(at)
    known = index.documents((ask.goods_id,))
    if ask.goods_id not in known:
        raise Refused(SearchRefusal.NOT_FOUND)
    said = store_settings.now(at)
    wanted = Asked(text=ask.q, counts=False, now_ms=at.now, weights=said.weights, synonyms=said.synonyms, stops=frozenset(said.stops))
    place, total, values = finding.explained(index, finder.shelf, wanted, known[ask.goods_id][0])
    parts = []
    for name, value in values.items():
        weight, ppm = getattr(said.weights, name), round(value * 1_000_000)
        parts.append(Part(name=name, value_ppm=ppm, weight=weight, points=ppm * weight // 100))
    return Explanation(place=place, total=total, points=sum(part.points for part in parts), parts=tuple(parts))


@answers(SearchSettingsNow)
def search_settings_now(at: Asking, ask: SearchSettingsNow) -> SearchSettings:  # noqa: ARG001 - every query has this form
    """The one row."""
    return store_settings.now(at)


@answers(SearchSettingsChanges)
def search_settings_changes(at: Asking, ask: SearchSettingsChanges) -> ChangeList:
    """By their numbers."""
    found = store_settings.changes(at, before=ask.after or 2**53, limit=ask.limit + 1)
    items = tuple(found[: ask.limit])
    return ChangeList(items=items, after=items[-1].seq if len(found) > ask.limit else None)
