"""Matches documents by words: whole words by their postings, everything else by FTS5.

Both weigh words by BM25. For that FTS5 counts the documents of every word anew, by walking through all of them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from operator import mul

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from yunduan.domains.search.columns import Columns, Places
from yunduan.domains.search.model import CALLED_MAX, MATCHES_MAX, SCORED_MAX, TYPED_MAX
from yunduan.domains.search.planning import Begun, Plan, Slot
from yunduan.domains.search.store import Index
from yunduan.domains.search.store_postings import Postings

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]
_DOCUMENT = np.uint32(0xFFFFFF00)
_SAYS = np.uint32(0xFF)
_LATIN = "\u02ff"
_FEW = 40
"""So few numbers are added up one by one."""
_NOT_THERE = np.uint32(256)
_NOTHING = np.zeros(0, np.uint32)
_SAID_BY_LETTERS = 128
"""What first letters say of a document: half of what a word can."""


class Hits(Struct, frozen=True):
    """Documents that were found by their words, or all there are, in order."""

    documents: Places
    points: Points | None = None
    """How well their words match, where that is known of each: the more the better, held against the others alone."""
    expression: str = ""
    is_least: bool = False


_NO_PLACES: Places = np.zeros(0, np.int64)
NO_HITS = Hits(_NO_PLACES)


def has_all(index: Index, columns: Columns, planned: Plan) -> Hits:
    """What has every word."""
    if planned.is_of_whole_words():
        hits = _whole(index, columns, planned.slots)
        if hits is not None and (len(hits.documents) or not planned.is_narrow):
            return hits
    return matches(index, columns, planned.all())


def matches(index: Index, columns: Columns, expression: str) -> Hits:
    """What an expression finds. Of few it is known how well."""
    found = index.matched(expression, SCORED_MAX + 1)
    if len(found) <= SCORED_MAX:  # BM25 only now: it walks through all that has any of the words
        scored = index.scored(expression, SCORED_MAX) if len(found) > 1 else [(no, -1.0) for no in found]
        documents = np.array([row[0] for row in scored], np.int64)
        points = np.array([-row[1] for row in scored], np.float64)
        is_there = there(columns, documents)
        if np.count_nonzero(is_there) < len(is_there):
            documents, points = documents[is_there], points[is_there]
        return Hits(documents, points, expression)
    documents = np.array(index.matched(expression, MATCHES_MAX), np.int64)
    return Hits(documents[there(columns, documents)], None, expression, is_least=len(documents) == MATCHES_MAX)


def begins(index: Index, columns: Columns, planned: Plan) -> Hits:
    """What has words of which the last may go on, whatever they weigh: how rare is what begins with a letter says little.

    BM25 would walk through all that begins so to count it, once more for each way in which it may be meant: a tenth of a second of
    the loop for one letter and a hundred thousand goods.
    """
    if found := _going_on(index, columns, planned.slots):
        return found
    return _begins(index, columns, planned.all())


def _begins(index: Index, columns: Columns, expression: str) -> Hits:
    found = index.matched(expression, TYPED_MAX + 1)
    is_least = len(found) > TYPED_MAX
    if is_least:
        found = sorted({*found, *index.matched_last(expression, TYPED_MAX)})
    documents = np.array(found, np.int64)
    return Hits(documents[there(columns, documents)], is_least=is_least)


def _going_on(index: Index, columns: Columns, slots: Sequence[Slot]) -> Hits | None:
    """What has every word but the last, and one that begins as that does, by postings; nothing where only FTS5 can say.

    FTS5 would walk through all that has the syllables, which are few and usual, to find where they follow one another.
    """
    *others, last = slots
    if not all(slot.parts or slot.any for slot in others):
        return None
    for way in last.goes_on:
        words = [*others, Slot(asked=last.asked, expression="", parts=way.words)] if way.words else others
        if words or not way.is_syllable:
            found = _among_words(index, columns, way, words) if words else _begun(index, columns, way.head, last.begins)
            if found is None or len(found):
                return None if found is None else _ends(found)
    return None


def _among_words(index: Index, columns: Columns, way: Begun, words: Sequence[Slot]) -> Places | None:
    """Of what has all of some words, what has one that begins so."""
    whole = _whole(index, columns, words)
    begun = _begun(index, columns, way.head)
    if whole is None or (len(whole.documents) > CALLED_MAX if way.is_syllable else begun is None):
        return None
    has = _are_among(whole.documents, _NO_PLACES if begun is None else begun)
    if way.is_syllable:
        has[~has] = _by_titles(index, whole.documents[~has].tolist(), way.head)
    return whole.documents[has]


def _begun(index: Index, columns: Columns, head: str, letters: str = "") -> Places | None:
    """What has a word that begins so, or words of these first letters, in order; nothing where that are too many to be read together."""
    postings = index.filed.begun(head)
    if postings is None:
        return None
    begins = np.zeros(len(columns), np.bool_)
    for some in (postings >> 8, np.array(_by_letters(index, letters) if letters else (), np.uint32)):
        begins[some[some < len(begins)]] = True
    documents = np.flatnonzero(begins)
    return documents[there(columns, documents)]


def _by_titles(index: Index, documents: Sequence[int], head: str) -> list[bool]:
    """Which documents have a character that is mostly read as letters begin, wherever it stands in a title, or a word of such letters."""
    called = index.called(documents)
    signs = "".join(set("".join([titles for _, titles in called])))
    read = [sign for sign, syllable in index.syllables(signs).items() if syllable.startswith(head) and sign > _LATIN]
    begins = re.compile("|".join([f"(?<![a-z0-9]){head}", *(f"[{''.join(some)}]" for some in (read,) if some)])).search
    has = {no for no, titles in called if begins(titles)}
    return [no in has for no in documents]


def _ends(documents: Places) -> Hits:
    """The first and the last of many."""
    if len(documents) <= 2 * TYPED_MAX + 1:
        return Hits(documents)
    return Hits(np.concatenate((documents[: TYPED_MAX + 1], documents[-TYPED_MAX:])), is_least=True)


def there(columns: Columns, documents: Places) -> Mask:
    """Which are shown; not those that were added since the columns were taken over, a moment ago."""
    if len(documents) and documents.max() >= len(columns):
        are_there = np.zeros(len(documents), np.bool_)
        known = documents < len(columns)
        are_there[known] = there(columns, documents[known])
        return are_there
    return columns["is_there"][documents] == 1  # type: ignore[no-any-return]


def _whole(index: Index, columns: Columns, slots: Sequence[Slot]) -> Hits | None:
    """What has every one of some words that terms tell; nothing where only FTS5 can say."""
    known = index.filed.of([term for slot in slots for term in slot.terms() if term])
    lists = _lists(index, known, slots)
    if lists is None:
        return None
    first = lists[0][0]
    keys = first & _DOCUMENT
    says: list[Postings] = []
    for postings, _ in lists[1:]:
        if not len(keys):
            return NO_HITS
        here = postings.take(postings.searchsorted(keys), mode="clip") ^ keys
        has = here < _NOT_THERE
        if np.count_nonzero(has) < len(keys):
            keys, first, here = keys[has], first[has], here[has]
            says = [other[has] for other in says]
        says.append(here)
    documents = (first >> 8).astype(np.int64)
    points = _points(lists, [first & _SAYS, *says], index.filed.documents)
    has = there(columns, documents)
    for slot in slots:
        if slot.whole and len(keys):
            doubtful = _without(known[slot.whole], keys) & has
            count = np.count_nonzero(doubtful)
            if count > SCORED_MAX:
                return None
            if count:  # its parts are there, perhaps not one after the other
                known_to = sorted(index.matched_among(slot.expression, documents[doubtful].tolist()))
                has[doubtful] = _are_among(documents[doubtful], np.array(known_to, np.int64))
    if np.count_nonzero(has) < len(has):
        documents, points = documents[has], points[has]
    return Hits(documents[:MATCHES_MAX], points[:MATCHES_MAX], is_least=len(documents) > MATCHES_MAX)


_List = tuple[Postings, Slot]


def _lists(index: Index, known: Mapping[str, Postings], slots: Sequence[Slot]) -> list[_List] | None:
    """The postings that documents must be in, the shortest first."""
    lists = [(known[part], slot) for slot in slots for part in slot.parts]
    for slot in slots:
        if slot.any and not slot.parts:
            if slot.pairs and all(len(known[pair]) for pair in slot.pairs):
                return None
            lists.append((_united(index, [known[term] for term in slot.any], slot.begins), slot))
    return sorted(lists, key=_length)


def _united(index: Index, lists: Sequence[Postings], begins: str) -> Postings:
    """What has any of some terms, or begins so: each document once, with the most that is said of it."""
    some = [postings for postings in lists if len(postings)]
    if begins and (begun := _by_letters(index, begins)):
        some.append(np.array([no << 8 | _SAID_BY_LETTERS for no in begun], np.uint32))
    if not some:
        return _NOTHING
    if len(some) == 1:
        return some[0]
    united = np.sort(np.concatenate(some))
    lasts: Postings = united[np.append(united[1:] >> 8 != united[:-1] >> 8, [True])]
    return lasts


def _by_letters(index: Index, letters: str) -> list[int]:
    """What has words whose first letters are these, or begin so, in order."""
    return sorted(index.matched(f'initials : "{letters}" *', MATCHES_MAX))


def _length(one: _List) -> int:
    return len(one[0])


def _points(lists: Sequence[_List], says: Sequence[Postings], documents: int) -> Points:
    """Each word by how rare it is and how much it says of a document; of several parts the one that is the rarest."""
    weights: list[float] = []
    counted: list[Slot] = []
    for postings, slot in lists:
        is_counted = len(slot.parts) == 1 or not any(slot is other for other in counted)
        weights.append(_rareness(len(postings), documents) if is_counted else 0.0)
        counted.append(slot)
    if len(says[0]) <= _FEW:
        return np.array([sum(map(mul, weights, one)) for one in zip(*[some.tolist() for some in says], strict=True)], np.float64)
    points: Points = np.dot(np.array(weights), np.array(says, np.float64))
    return points


def _are_among(documents: Places, others: Places) -> Mask:
    """Which documents are among others, which are in order."""
    if not len(others):
        return np.zeros(len(documents), np.bool_)
    among: Mask = others.take(others.searchsorted(documents), mode="clip") == documents
    return among


def _without(postings: Postings, keys: Postings) -> Mask:
    """Which documents a term does not have."""
    if not len(postings):
        return np.ones(len(keys), np.bool_)
    without: Mask = (postings.take(postings.searchsorted(keys), mode="clip") ^ keys) >= _NOT_THERE
    return without


def _rareness(having: int, documents: int) -> float:
    """How much it says that a document has a word that so many of all have."""
    return math.log1p((max(0, documents - having) + 0.5) / (having + 0.5))
