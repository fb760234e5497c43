"""One imaginary purchase, told by the examples of the documentation: what fields say where a declaration has no example of its own.

Somebody buys tea for 19.99 in a shop that sends it for nothing, and pays over the sandbox. Ids that belong together look alike.
"""

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any

AT_MS = 1_790_000_000_000
"""Some day in September 2026, on which every example happens."""
MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
_DIGITS = "01a10c3e5f00000a1b2c3d4e00"
PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "account": "wal",
        "address": "adr",
        "alert": "alr",
        "category": "cat",
        "challenge": "chl",
        "checkout": "chk",
        "credit": "esc",
        "debit": "wal",
        "escrow": "esc",
        "goods": "gds",
        "hold": "hld",
        "item": "var",
        "items": "var",
        "job": "job",
        "letter": "chl",
        "location": "loc",
        "order": "ord",
        "other": "esc",
        "owner": "per",
        "parent": "cat",
        "path": "cat",
        "payer": "per",
        "payment": "pay",
        "person": "per",
        "refund": "rfd",
        "review": "rev",
        "reviewed": "var",
        "session": "ses",
        "shop": "shp",
        "template": "tpl",
        "transfer": "fnd",
        "variant": "var",
    }
)
"""What the ids in a field begin with, by the last word of its name."""


def prefix_of(name: str) -> str:
    """What the ids in a field of this name begin with; nothing where the name does not tell."""
    return PREFIXES.get(name.removesuffix("_id").removesuffix("_ids").rpartition("_")[2], "")


def id_of(prefix: str) -> str:
    """The one example of an id of this kind."""
    return f"{prefix}_{_DIGITS}"


def _hash(of: str) -> str:
    return sha256(of.encode()).hexdigest()


def _yuan(fen: int) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


FIELDS: Mapping[str, Any] = MappingProxyType(
    {
        # Names and texts
        "name": "茶庄",
        "name_en": "Tea House",
        "title": "龙井",
        "title_en": "Longjing",
        "about": "",
        "about_en": "",
        "description": "",
        "description_en": "",
        "option_text": "",
        "option_text_en": "",
        "picture": "goods/teapot.18639ff552eb.webp",
        "sku": "TEA-250",
        "shop_name": "茶庄",
        "shop_name_en": "Tea House",
        "country": "CN",
        "region": "浙江",
        "currency": "CNY",
        "nickname": "小云",
        "phone": "+8613800138000",
        "email": "",
        "contact": "+86****8000",
        "author": "买家 7f3a",
        "device": "手机",
        "text": "好茶",
        "note": "请放门卫",
        "carrier": "SF Express",
        "tracking": "SF1234567890",
        "channel": "sandbox",
        "code": "042042",
        "role": "packer",
        "number": "381966011273",
        "reference": "chg_" + _DIGITS + "00",
        "event": "evt_1",
        "outcome": "captured",
        "reason": "counted",
        "what": "fund",
        "why": "",
        "root": _hash("root"),
        "previous": _hash("previous"),
        "hash": _hash("hash"),
        "token": "yds_cnOeHaXztp83mA6LGbA-f19DoXmej-f6gDcm3PdPq90",
        # Numbers
        "held": 1,
        "on_hand": 100,
        "available": 99,
        "on_hand_before": 0,
        "on_hand_after": 100,
        "sold": 12,
        "reviews": 3,
        "rating_hundredths": 480,
        "commission_ppm": 50_000,
        "weight_g": 250,
        "choice": [0],
        "tries_left": 0,
        "first_fee": 800,
        "amount": 1999,
        "change": -1999,
        "balance": 8001,
        "expires_at": AT_MS + 10 * MINUTE_MS,
        "resolved_at": 0,
        "after": None,
        "before": None,
        "next": None,
        "away_until": 0,
        "back_at": AT_MS + 7 * DAY_MS,
        "SetHolidayBody.back_at": 0,
        "shop_id": id_of("shp"),
        "person_id": id_of("per"),
        # What stands elsewhere than its name says
        "Account.id": id_of("wal"),
        "Account.debits_posted": 1999,
        "Account.credits_posted": 10_000,
        "Account.debits_pending": 0,
        "Account.credits_pending": 0,
        "Account.code": 10,
        "AccountShown.id": id_of("wal"),
        "Alert.id": id_of("alr"),
        "Alert.reason": "charge_unknown",
        "BalanceAt.id": id_of("wal"),
        "Balance.available": _yuan(8001),
        "Balance.held": _yuan(0),
        "CartItem.price_changed": False,
        "CartItem.is_gone": False,
        "Charge.state": "pending",
        "CategoryTree.items": [
            {"id": id_of("cat"), "parent": None, "name": "茶", "name_en": "Tea", "path": [id_of("cat")]},
        ],
        "ChangeCategoryBody.name": "茶",
        "ChangeCategoryBody.name_en": "Tea",
        "CreateCategory.name": "茶",
        "CreateCategory.name_en": "Tea",
        "CreateLocationBody.name": "杭州仓",
        "CreateLocationBody.region": "浙江",
        "CreateShop.name_en": "Tea House",
        "DeskLine.id": id_of("gds"),
        "Device.expires_at": AT_MS + 90 * DAY_MS,
        "Goods.id": id_of("gds"),
        "Goods.state": "on_sale",
        "Goods.listed_at": AT_MS,
        "Line.id": id_of("fnd"),
        "Line.code": 11,
        "Line.pending": None,
        "Location.id": id_of("loc"),
        "Location.name": "杭州仓",
        "Letter.contact": "+8613800138000",
        "Letter.text": "【云端】验证码 042042，10 分钟内有效，请勿告诉他人。",
        "MoneyLine.id": id_of("fnd"),
        "OrderGivenBack.state": "refunded",
        "OrderGivenBack.left": _yuan(0),
        "OrderView.refunded": _yuan(0),
        "OrderView.received_at": 0,
        "OrderView.ended_at": 0,
        "OrderView.reviewed": [],
        "ParcelShipped.state": "partly_shipped",
        "parcel": 1,
        "MoneyOfOrder.state": "shipped",
        "MoneyOfOrder.says": "19.99 CNY 由平台担保；如无异议，9月30日付给商家。",
        "MoneyOfOrder.says_en": "19.99 CNY is held; it goes to the shop on 30 September unless you say otherwise.",
        "MoneyPart.where": "held",
        "MoneyPart.until": AT_MS + 10 * DAY_MS,
        "OrderView.state": "shipped",
        "OrderView.unshipped": [],
        "OrderView.receive_by": AT_MS + 10 * DAY_MS,
        "OrderView.may_extend": True,
        "ReceiptPutOff.receive_by": AT_MS + 17 * DAY_MS,
        "OrderView.commission": None,
        "Payment.id": id_of("pay"),
        "Payment.due": AT_MS + 15 * MINUTE_MS,
        "PaymentStarted.redirects": [
            {
                "channel": "sandbox",
                "url": f"http://127.0.0.1:8000/sandbox/pay?reference=chg_{_DIGITS}00&amount=1999&currency=CNY&signature=…",
            }
        ],
        "Placed.pay_by": AT_MS + 15 * MINUTE_MS,
        "PlacedOrder.state": "placed",
        "PlatformAccount.id": "acc_commissioncny",
        "PlatformAccount.name": "commission",
        "PlatformAccount.balance": 100,
        "Proof.path": [_hash("neighbour")],
        "Profile.operator_roles": [],
        "Profile.shop_roles": {id_of("shp"): ["owner"]},
        "ReviewView.stars": 5,
        "ReviewView.follow_up": "",
        "ReviewView.answer": "谢谢",
        "SessionToken.expires_at": AT_MS + 90 * DAY_MS,
        "SetShippingTemplateBody.name": "全国包邮",
        "SetShippingTemplateBody.elsewhere": {"first_units": 1, "first_fee": 0, "further_units": 1, "further_fee": 0, "free_from": None},
        "ShippingTemplate.id": id_of("tpl"),
        "ShippingTemplate.name": "全国包邮",
        "ShippingTemplate.elsewhere": {"first_units": 1, "first_fee": 0, "further_units": 1, "further_fee": 0, "free_from": None},
        "Shop.id": id_of("shp"),
        "ShopFace.id": id_of("shp"),
        "StaffMember.nickname": "小林",
        "StatementOf.id": id_of("wal"),
        "TransferRecord.id": id_of("fnd"),
        "TransferRecord.code": 11,
        "TransferRecord.due": None,
        "TransferRecord.pending_ref": None,
        "TransferRecord.debit_balance_after": 8001,
        "TransferRecord.credit_balance_after": 1999,
        "TransferRecord.credit_prev_seq": 0,
        "TrialLine.code": 10,
        "TrialLine.debits_posted": 1999,
        "TrialLine.credits_posted": 10_000,
        "TrialLine.debits_pending": 0,
        "TrialLine.credits_pending": 0,
        "card.id": id_of("gds"),
        "goods.id": id_of("gds"),
        "goods.options": [{"name": "重量", "name_en": "Weight", "values": [{"name": "250 克", "name_en": "250 g"}]}],
        "item.id": id_of("gds"),
        "item.compare_at": None,
        "shop.id": id_of("shp"),
        "variant.id": id_of("var"),
        "variant.compare_at": None,
        # Where things stand
        "ChargeState": "pending",
        "GoodsState": "on_sale",
        "Kind": "single",
        "Language": "zh",
        "OperatorRole": "service",
        "OrderState": "paid",
        "PaymentState": "pending",
        "ShopRole": "packer",
    }
)
"""By `Form.field` (a form that has no name is called after the field that holds it), by the name of an enumeration, or by field."""
ANSWERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "AdjustStock": {"on_hand": 105},
        "AppointOwner": {"roles": ["owner"]},
        "CancelOrder": {"state": "cancelled"},
        "ChangeGoods": {"version": 2},
        "ChainHead": {"fork": None},
        "ConfirmReceipt": {"state": "received"},
        "DeclineOrder": {"state": "cancelled"},
        "GrantRole": {"shop_id": "", "roles": ["service"]},
        "Operators": {"roles": ["service"]},
        "PublishGoods": {"version": 2},
        "RemoveFromCart": {"lines": 0, "pieces": 0},
        "ResolveAlert": {"resolved_at": AT_MS + MINUTE_MS},
        "SetPrice": {"version": 2},
        "ShipOrder": {"state": "shipped"},
        "WithdrawGoods": {"version": 2, "state": "off_sale"},
        "WithdrawRole": {"shop_id": "", "roles": []},
        "WithdrawShopRole": {"roles": []},
    }
)
"""How an operation's answer (or each line of it) differs from the same form elsewhere."""
