"""The papers' own words, in Chinese and in English."""

from collections.abc import Mapping
from types import MappingProxyType

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "waybills": ("面单", "Waybills"),
        "packing_slips": ("装箱单", "Packing slips"),
        "packing_slip": ("装箱单", "Packing slip"),
        "parcel": ("包裹 {parcel}/{parcels}", "Parcel {parcel}/{parcels}"),
        "one_parcel": ("包裹 {parcel}", "Parcel {parcel}"),
        "unsent": ("待发货", "To be packed"),
        "to": ("收", "TO"),
        "from": ("寄", "FROM"),
        "order": ("订单号", "Order"),
        "pieces": ("件数", "Pieces"),
        "shipped": ("发货", "Shipped"),
        "placed": ("下单", "Placed"),
        "signature": ("签收人", "Received by"),
        "date": ("日期", "Date"),
        "cut": ("地址未印全，请查看订单。", "The address is not all here: see the order."),
        "boxed": ("\ufffd 表示此处有无法印出的字符，请查看订单。", "\ufffd stands for a character that cannot be printed: see the order."),
        "sku": ("货号", "SKU"),
        "goods": ("商品", "Goods"),
        "quantity": ("数量", "Qty"),
        "all": ("合计 {lines} 项，共 {pieces} 件", "{lines} lines, {pieces} pieces in all"),
        "elsewhere": ("本单另有 {pieces} 件不在此包裹内。", "{pieces} more pieces of this order are not in this parcel."),
        "note": ("买家留言", "Note from the buyer"),
        "line_note": ("备注：{note}", "Note: {note}"),
        "return": ("退换货", "Returns"),
        "return_hint": (
            "签收后 {days} 天内，可在“我的订单”中凭订单号申请退货；请保持商品完好，并将此单随货寄回。部分类目仅因质量问题可退。",
            (
                "Within {days} days of receipt, ask for a return in “My orders” by the order number. Send this slip back with the goods as"
                " they came. Goods of some categories may be returned for a fault only."
            ),
        ),
        "no_return_hint": (
            "如有质量问题，请在“我的订单”中凭订单号申请售后。",
            "If something is wrong with the goods, ask for help in “My orders” by the order number.",
        ),
        "sender": ("寄件方：{who}，{phone}，{address}", "Sent by {who}, {phone}, {address}"),
        "page": ("第 {page} 页，共 {pages} 页", "Page {page} of {pages}"),
    }
)


def word(name: str, language: str, **values: object) -> str:
    """What a paper says."""
    chinese, english = WORDS[name]
    return (english if language == "en" else chinese).format(**values)


def in_fours(number: str) -> str:
    """An order number as people read it out."""
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))
