"""The statements on attributes, and on lists that are filtered by them."""

from collections.abc import Sequence

import msgspec

from yunduan.domains.catalog import store
from yunduan.domains.catalog.attributes import FILTERS_MAX, Attribute, CategoryAttributes, Wanted, number_of
from yunduan.domains.catalog.lists import Sort
from yunduan.domains.catalog.model import AttributeValue, Category
from yunduan.kernel.ids import CategoryId, GoodsId
from yunduan.runtime.ports import Row, Table
from yunduan.runtime.transaction import Asking, Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CategoryAttributes).decode
ATTRIBUTES: Table[CategoryId, CategoryAttributes] = Table(
    name="category_attributes",
    columns={"category_id": str, "body": bytes},
    value=lambda row: _decode(row[1]),
    row=lambda one: (one.category_id, _encode(one)),
    shown=1_000,
)
_FORGET = "DELETE FROM card_attribute WHERE goods_id = ?"
_TELL = "INSERT INTO card_attribute (goods_id, attribute, value) VALUES (?, ?, ?)"
_HAS = "EXISTS (SELECT 1 FROM card_attribute a WHERE a.goods_id = card.goods_id AND a.attribute = ? AND a.value BETWEEN ? AND ?)"


def _filtered(scope: str, sort: Sort, *, first: bool, filters: int) -> str:
    order = store.ORDERS[sort]
    way, beyond = ("DESC", "<") if order.descending else ("ASC", ">")
    where = [f"{scope} = ?", *([] if first else [f"({order.column}, goods_id) {beyond} (?, ?)"]), *[_HAS] * filters]
    return (
        f"SELECT body, {order.column}, goods_id FROM card WHERE {' AND '.join(where)} ORDER BY {order.column} {way}, goods_id {way} LIMIT ?"  # noqa: S608 - names from this module, never from data
    )


_LISTS = {
    (level, sort, first, filters): _filtered(f"category{level}", sort, first=first, filters=filters)
    for level in (1, 2, 3, 4)
    for sort in Sort
    for first in (True, False)
    for filters in range(FILTERS_MAX + 1)
}


def attributes_of(at: Asking, category: Category) -> dict[str, Attribute]:
    """What is asked of goods of a category, by those above it and by itself; what is asked above counts."""
    found = at.get_many(ATTRIBUTES, category.path_ids)
    asked: dict[str, Attribute] = {}
    for id in category.path_ids:
        for attribute in found[id].attributes if id in found else ():
            asked.setdefault(attribute.key, attribute)
    return asked


def tell(tx: Tx, id: GoodsId, values: Sequence[AttributeValue]) -> None:
    """Let lists be filtered by what goods tell of themselves now, and by nothing else."""
    tx.write(_FORGET, (id,))
    for value in values:
        tx.append(_TELL, (id, value.key, number_of(value.value)))


def filtered(
    at: Asking, category: Category, wanted: Sequence[Wanted], *, sort: Sort, after: tuple[int, str] | None, limit: int
) -> list[Row]:
    """(card, value it is sorted by, goods) of a category's goods that have all that is wanted, from after a place on."""
    said: list[object] = [part for one in wanted for part in (one.key, one.low, one.high)]
    arguments = (category.id, *(after or ()), *said, limit)
    return at.rows(_LISTS[len(category.path_ids), sort, after is None, len(wanted)], arguments)
