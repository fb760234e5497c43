"""What can be done to shops, the category tree, goods, stock and shipping templates, each in one transaction."""

from yunduan.domains.catalog.commands.applying import (
    ApplicationNow,
    ApplyForShop,
    ApproveApplication,
    RejectApplication,
    WithdrawApplication,
)
from yunduan.domains.catalog.commands.categories import ChangeCategory, CreateCategory, SetAttributes
from yunduan.domains.catalog.commands.comparing import DropComparison
from yunduan.domains.catalog.commands.goods import ChangeGoods, CreateGoods, GoodsKept, PublishGoods, SetPrice, WithdrawGoods
from yunduan.domains.catalog.commands.locations import MoveStock, RemoveLocation, RenameLocation, SetSources
from yunduan.domains.catalog.commands.retaking import CanRetake, RetakeStock
from yunduan.domains.catalog.commands.reviewing import ApproveGoods, BanGoods, LiftBan, RejectGoods
from yunduan.domains.catalog.commands.scheduling import OpenScheduled, ScheduleGoods
from yunduan.domains.catalog.commands.senders import KeepSender, RemoveSender
from yunduan.domains.catalog.commands.shipping import CreateLocation, SetShippingTemplate
from yunduan.domains.catalog.commands.shops import (
    REFRESHED_AT_ONCE,
    ChangeShop,
    CreateShop,
    ReopenShop,
    SetCommission,
    SetHoliday,
    ShopCreatedAnswer,
    SuspendShop,
)
from yunduan.domains.catalog.commands.standings import (
    SHOWN_AT_ONCE,
    SHOWN_EVERY_MS,
    CountSale,
    RateGoods,
    SaleLine,
    UncountSale,
    UnrateGoods,
)
from yunduan.domains.catalog.commands.stock import (
    AdjustStock,
    HoldStock,
    ReleaseStock,
    RerouteStock,
    ReturnStock,
    SetStock,
    TakePart,
    TakeStock,
)
from yunduan.domains.catalog.commands.waiting import EndWaits, SeeWaits, StopWaiting, WaitForStock, Waiting

__all__ = [
    "REFRESHED_AT_ONCE",
    "SHOWN_AT_ONCE",
    "SHOWN_EVERY_MS",
    "AdjustStock",
    "ApplicationNow",
    "ApplyForShop",
    "ApproveApplication",
    "ApproveGoods",
    "BanGoods",
    "CanRetake",
    "ChangeCategory",
    "ChangeGoods",
    "ChangeShop",
    "CountSale",
    "CreateCategory",
    "CreateGoods",
    "CreateLocation",
    "CreateShop",
    "DropComparison",
    "EndWaits",
    "GoodsKept",
    "HoldStock",
    "KeepSender",
    "LiftBan",
    "MoveStock",
    "OpenScheduled",
    "PublishGoods",
    "RateGoods",
    "RejectApplication",
    "RejectGoods",
    "ReleaseStock",
    "RemoveLocation",
    "RemoveSender",
    "RenameLocation",
    "ReopenShop",
    "RerouteStock",
    "RetakeStock",
    "ReturnStock",
    "SaleLine",
    "ScheduleGoods",
    "SeeWaits",
    "SetAttributes",
    "SetCommission",
    "SetHoliday",
    "SetPrice",
    "SetShippingTemplate",
    "SetSources",
    "SetStock",
    "ShopCreatedAnswer",
    "StopWaiting",
    "SuspendShop",
    "TakePart",
    "TakeStock",
    "UncountSale",
    "UnrateGoods",
    "WaitForStock",
    "Waiting",
    "WithdrawApplication",
    "WithdrawGoods",
]
