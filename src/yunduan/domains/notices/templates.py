"""What notices say, in Chinese and in English: data, and how its gaps are filled."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from yunduan.domains.identity.model import Language
from yunduan.domains.notices.model import NoticeKind


class Words(Struct, frozen=True):
    """A heading and a sentence or two."""

    title: str
    text: str


_ZH, _EN = Language.ZH, Language.EN
_KIND = NoticeKind
TEMPLATES: Mapping[NoticeKind, Mapping[Language, Words]] = MappingProxyType(
    {
        _KIND.DEVICE_SIGNED_IN: {
            _ZH: Words("新设备登录", "您的账户刚刚在一台新设备上登录。如非本人操作，请立即在“登录设备”中将其退出。"),
            _EN: Words(
                "A new device has signed in",
                "A device that was not known has signed in to your account. If this was not you, sign it out under your devices at once.",
            ),
        },
        _KIND.DEVICE_SIGNED_OUT: {
            _ZH: Words("一台设备已退出登录", "您的一台设备已被您的另一台设备退出登录。如非本人操作，请立即联系平台客服。"),
            _EN: Words(
                "A device was signed out",
                "One of your devices was signed out from another one. If this was not you, tell the marketplace at once.",
            ),
        },
        _KIND.DEVICES_SIGNED_OUT: {
            _ZH: Words("其他设备已退出登录", "您的其他 {number} 台设备已退出登录。如非本人操作，请立即联系平台客服。"),
            _EN: Words(
                "Your other devices were signed out",
                "Every device but one was signed out of your account, {number} in all. If this was not you, tell the marketplace at once.",
            ),
        },
        _KIND.CONTACT_CONFIRMED: {
            _ZH: Words("登录方式已变更", "您的{contact}已更新，其他设备已退出登录。如非本人操作，请立即联系平台客服。"),
            _EN: Words(
                "Your account has another contact",
                "Your {contact} was set anew, and other devices were signed out. If this was not you, tell the marketplace at once.",
            ),
        },
        _KIND.ROLE_GIVEN: {
            _ZH: Words("您有了新角色", "您已成为{where}的{role}。"),
            _EN: Words("You have a new role", "In {where} you are now: {role}."),
        },
        _KIND.ROLE_TAKEN: {
            _ZH: Words("您的角色已取消", "您不再是{where}的{role}。"),
            _EN: Words("A role of yours has ended", "In {where} you are no longer: {role}."),
        },
        _KIND.ORDER_WAITS: {
            _ZH: Words("店铺休假", "{shop}正在休假，{until}恢复营业。您的订单 {order}（{goods}）可能稍后发出。"),
            _EN: Words("The shop is on holiday", "{shop} is on holiday until {until}. Order {order} ({goods}) may leave later."),
        },
        _KIND.SALE_REPRICED: {
            _ZH: Words("买家同意了改价", "{shop}：买家同意了您修改的价格，新订单 {order}（{goods}）合计 {amount}。"),
            _EN: Words("The price is agreed", "{shop}: the buyer has agreed to your price. It is order {order} ({goods}) now, {amount}."),
        },
        _KIND.ORDER_PAID: {
            _ZH: Words("付款成功", "订单 {order}（{goods}）已付款 {amount}，{shop}正在备货。"),
            _EN: Words("Payment received", "{amount} for order {order} ({goods}) has arrived. {shop} is getting it ready."),
        },
        _KIND.ORDER_PAID_LATE: {
            _ZH: Words("付款迟到，订单已恢复", "订单 {order}（{goods}）超时后收到 {amount}，商品仍有货，订单已恢复，{shop}正在备货。"),
            _EN: Words(
                "Paid late, and it stands again",
                "{amount} for order {order} ({goods}) came after its time. The goods were still there, so the order stands again:"
                " {shop} is getting it ready.",
            ),
        },
        _KIND.PAYMENT_PUT_OFF: {
            _ZH: Words("付款处理中", "您的 {amount} 付款正在到账途中，商品为您保留至{until}。"),
            _EN: Words("Your payment is on its way", "Your payment of {amount} is on its way. What you ordered is held until {until}."),
        },
        _KIND.ORDER_REPRICED: {
            _ZH: Words("商家修改了价格", "{shop}将订单 {order}（{goods}）的价格改为 {amount}，请确认并付款。"),
            _EN: Words("Another price", "{shop} offers order {order} ({goods}) for {amount}. Agree to it by paying."),
        },
        _KIND.OFFER_TAKEN_BACK: {
            _ZH: Words("商家撤回了改价", "{shop}撤回了对订单 {order}（{goods}）的改价，价格仍为 {amount}。"),
            _EN: Words("The price is as it was", "{shop} has taken back its other price for order {order} ({goods}): it costs {amount}."),
        },
        _KIND.ORDER_SHIPPED: {
            _ZH: Words("已发货", "订单 {order}（{goods}）已由{shop}发出。"),
            _EN: Words("On its way", "{shop} has shipped order {order} ({goods})."),
        },
        _KIND.ORDER_PARTLY_SHIPPED: {
            _ZH: Words("部分商品已发货", "{shop}已发出订单 {order}（{goods}）的第 {number} 个包裹，其余商品随后发出。"),
            _EN: Words("A parcel is on its way", "{shop} has shipped parcel {number} of order {order} ({goods}). The rest follows."),
        },
        _KIND.ORDER_DELIVERED: {
            _ZH: Words("已送达", "订单 {order}（{goods}）的第 {number} 个包裹已送达，请确认收货。"),
            _EN: Words("Delivered", "Parcel {number} of order {order} ({goods}) was delivered. Say that it has arrived."),
        },
        _KIND.ORDER_CAME_BACK: {
            _ZH: Words(
                "包裹已退回商家",
                "订单 {order}（{goods}）的第 {number} 个包裹未能送达，已退回{shop}。商家{until}前未重新发出的，将为您退款。",
            ),
            _EN: Words(
                "Gone back to the shop",
                "Parcel {number} of order {order} ({goods}) has gone back to {shop}. Unless it is sent again by {until}, you are refunded.",
            ),
        },
        _KIND.ORDER_SENT_AGAIN: {
            _ZH: Words("包裹已重新发出", "{shop}已重新发出订单 {order}（{goods}）中被退回的商品，现为第 {number} 个包裹。"),
            _EN: Words("Sent once more", "{shop} has sent what had come back of order {order} ({goods}) again, as parcel {number}."),
        },
        _KIND.ORDER_REST_CANCELLED: {
            _ZH: Words("未发商品已取消", "订单 {order}（{goods}）中尚未发出的商品已取消，{amount} 将原路退回。"),
            _EN: Words(
                "The rest was cancelled", "What had not left of order {order} ({goods}) was cancelled. {amount} goes back the way it came."
            ),
        },
        _KIND.ORDER_RECEIVED: {
            _ZH: Words("已自动确认收货", "订单 {order}（{goods}）已到期自动确认收货，货款已付给{shop}。"),
            _EN: Words(
                "Taken as received", "The time for order {order} ({goods}) has passed: it counts as received, and {shop} has its money."
            ),
        },
        _KIND.ORDER_RULED: {
            _ZH: Words("订单按裁决完成", "按平台的裁决，订单 {order}（{goods}）视为已收货，剩余货款已付给{shop}。"),
            _EN: Words(
                "Received by a ruling",
                "By the marketplace's ruling order {order} ({goods}) counts as received, and {shop} has what is left.",
            ),
        },
        _KIND.ORDER_LAPSED: {
            _ZH: Words("订单已取消", "订单 {order}（{goods}）未按时付款，已自动取消。"),
            _EN: Words("Order cancelled", "Order {order} ({goods}) was not paid in time and has been cancelled."),
        },
        _KIND.ORDER_DECLINED: {
            _ZH: Words("商家取消了订单", "{shop}无法发货，已取消订单 {order}（{goods}），{amount} 将原路退回。"),
            _EN: Words(
                "The shop has cancelled",
                "{shop} cannot ship order {order} ({goods}) and has cancelled it. {amount} goes back the way it came.",
            ),
        },
        _KIND.ORDER_OVERDUE: {
            _ZH: Words("商家逾期未发货", "{shop}未按时发出订单 {order}（{goods}），未发出的部分已取消，{amount} 将原路退回。"),
            _EN: Words(
                "Not shipped in time",
                "{shop} has not shipped order {order} ({goods}) in time. What had not left is off: {amount} goes back the way it came.",
            ),
        },
        _KIND.ORDER_REFUNDED: {
            _ZH: Words("退款已发起", "订单 {order}（{goods}）的 {amount} 正在原路退回。"),
            _EN: Words("A refund is on its way", "{amount} of order {order} ({goods}) goes back the way it came."),
        },
        _KIND.ORDER_CHARGED_BACK: {
            _ZH: Words("付款被银行追回", "您的付款银行追回了订单 {order}（{goods}）的 {amount}。银行作出决定前，订单暂停处理。"),
            _EN: Words(
                "Your bank has taken a payment back",
                "The payer's bank has taken {amount} of order {order} ({goods}) back. Until it has decided, the order stands still.",
            ),
        },
        _KIND.ORDER_GOES_ON: {
            _ZH: Words("订单恢复处理", "银行已退还订单 {order}（{goods}）被追回的 {amount}，订单照常进行。"),
            _EN: Words(
                "The order goes on", "The bank has returned {amount} that it had taken of order {order} ({goods}). The order goes on."
            ),
        },
        _KIND.ORDER_PART_LOST: {
            _ZH: Words("部分付款由银行退回", "银行已决定：订单 {order}（{goods}）的 {amount} 由银行退给付款人，订单其余部分照常进行。"),
            _EN: Words(
                "A part was paid back by the bank",
                "The bank has decided: {amount} of order {order} ({goods}) is the payer's for good. The order goes on with what is left.",
            ),
        },
        _KIND.ORDER_LOST: {
            _ZH: Words("银行已退款，订单已结束", "银行已决定：订单 {order}（{goods}）的 {amount} 由银行退给付款人，订单已结束。"),
            _EN: Words(
                "Paid back by the bank: the order has ended",
                "The bank has decided: {amount} of order {order} ({goods}) is the payer's for good, and the order has ended.",
            ),
        },
        _KIND.REFUND_ARRIVED: {
            _ZH: Words("退款已到账", "订单 {order}（{goods}）的退款 {amount} 已到账。"),
            _EN: Words("Your refund has arrived", "The refund of {amount} for order {order} ({goods}) has arrived."),
        },
        _KIND.REFUND_DIVERTED: {
            _ZH: Words("退款已存入钱包", "订单 {order}（{goods}）的退款已全部到位，其中 {amount} 已按您的选择存入钱包。"),
            _EN: Words(
                "Your refund is in your wallet",
                "The refund for order {order} ({goods}) is complete; {amount} of it is in your wallet, as you wished.",
            ),
        },
        _KIND.MONEY_UNCLAIMED: {
            _ZH: Words("退款无法原路退回", "{amount} 无法原路退回。请选择存入钱包，或退到您的收款账户；在您选择之前，这笔钱一直为您保留。"),
            _EN: Words(
                "Say where your money goes",
                "{amount} could not go back the way it was paid. Choose your wallet or your account; it is kept for you.",
            ),
        },
        _KIND.UNCLAIMED_ENDING: {
            _ZH: Words("退款存管期限将至", "您有 {amount} 的退款由支付机构存管至{until}，请在此之前选择退到您的收款账户。"),
            _EN: Words(
                "Your money is kept until {until}",
                "The payment provider keeps {amount} of yours until {until} only. Please have it paid to your account before.",
            ),
        },
        _KIND.REVIEW_ANSWERED: {
            _ZH: Words("商家回复了您的评价", "{shop}回复了您对“{goods}”的评价。"),
            _EN: Words("Your review has an answer", "{shop} has answered your review of {goods}."),
        },
        _KIND.POSTAGE_PAID: {
            _ZH: Words("退货运费已到账", "{shop}承担订单 {order}（{goods}）的退货运费，{amount} 已存入您的钱包。"),
            _EN: Words(
                "The way back is paid", "{shop} pays for what you sent back of order {order} ({goods}): {amount} is in your wallet."
            ),
        },
        _KIND.REVIEW_HIDDEN: {
            _ZH: Words("您的评价已被隐藏", "经平台审核，您对“{goods}”的评价已被隐藏。"),
            _EN: Words("Your review is hidden", "The marketplace has hidden your review of {goods}."),
        },
        _KIND.REPORT_UPHELD: {
            _ZH: Words("举报已处理", "您举报的对“{goods}”的评价已被隐藏，谢谢。"),
            _EN: Words("What you reported is hidden", "The review of {goods} that you reported is hidden. Thank you."),
        },
        _KIND.REPORT_DISMISSED: {
            _ZH: Words("举报已处理", "您举报的对“{goods}”的评价经审核予以保留。"),
            _EN: Words("What you reported stays", "The review of {goods} that you reported was looked at, and stays."),
        },
        _KIND.BACK_IN_STOCK: {
            _ZH: Words("到货提醒", "您关注的“{goods}”{choice}在{shop}又有货了。"),
            _EN: Words("Back in stock", "{goods}{choice}, which you asked about, is there again at {shop}."),
        },
        _KIND.WALLET_TOPPED_UP: {
            _ZH: Words("充值成功", "{amount} 已存入您的钱包。"),
            _EN: Words("Money is in your wallet", "{amount} has arrived in your wallet."),
        },
        _KIND.TOP_UP_PUT_OFF: {
            _ZH: Words("充值处理中", "您的 {amount} 充值正在到账途中，将等候至{until}。"),
            _EN: Words("Your top-up is on its way", "Your top-up of {amount} is on its way. It is waited for until {until}."),
        },
        _KIND.TOP_UP_FAILED: {
            _ZH: Words("充值未成功", "充值 {amount} 未完成，没有扣款。"),
            _EN: Words("Nothing was paid in", "The top-up of {amount} came to nothing. Nothing was taken."),
        },
        _KIND.PAYMENT_RETURNED: {
            _ZH: Words("付款已退回", "{amount} 到账时订单已结束，款项正在原路退回。"),
            _EN: Words("Your payment goes back", "{amount} arrived after the order had ended and goes back the way it came."),
        },
        _KIND.PAYEE_NAMED: {
            _ZH: Words("收款账户已更改", "{whose}的收款账户已更改，{until}起方可打款。如非本人操作，请立即重新填写您的账户。"),
            _EN: Words(
                "Another account was named",
                "Another account was named for {whose}; it is not paid out to before {until}. If this was not you, name your own at once.",
            ),
        },
        _KIND.PAYEE_CONFIRMED: {
            _ZH: Words("收款账户已确认", "{whose}的收款账户已通过核验。如非本人操作，请立即联系平台客服。"),
            _EN: Words(
                "An account is confirmed",
                "The account that {whose} is paid out to is confirmed. If this was not you, tell the marketplace at once.",
            ),
        },
        _KIND.PAYEE_REFUSED: {
            _ZH: Words("收款账户未通过核验", "{whose}的收款账户与户名不符，请重新填写。"),
            _EN: Words("An account is not confirmed", "The account that was named for {whose} is not its holder's. Name another."),
        },
        _KIND.PAYOUT_PAID: {
            _ZH: Words("提现已到账", "{whose}的提现 {amount} 已付到收款账户。"),
            _EN: Words("A payout has arrived", "The payout of {amount} from {whose} has been paid."),
        },
        _KIND.PAYOUT_RETURNED: {
            _ZH: Words("提现被退回", "{whose}的提现 {amount} 被渠道退回，款项已返还。"),
            _EN: Words("A payout came back", "The channel returned the payout of {amount} from {whose}. All of it is back."),
        },
        _KIND.PAYOUT_DECLINED: {
            _ZH: Words("提现未获批准", "{whose}的提现 {amount} 未获平台批准，款项已返还。"),
            _EN: Words("A payout was declined", "The marketplace declined the payout of {amount} from {whose}. All of it is back."),
        },
        _KIND.APPLICATION_APPROVED: {
            _ZH: Words("开店申请已通过", "{shop}已开张，您是店主。"),
            _EN: Words("Your shop is approved", "{shop} is open, and you are its owner."),
        },
        _KIND.APPLICATION_REJECTED: {
            _ZH: Words("开店申请未通过", "您的开店申请未通过，原因见申请详情。"),
            _EN: Words("Your application was rejected", "Your application for a shop was rejected. It says why."),
        },
        _KIND.CASE_OPENED: {
            _ZH: Words("买家申请售后", "{shop}：订单 {order}（{goods}）的买家申请退款 {amount}。请在{until}前处理，逾期视为同意。"),
            _EN: Words(
                "A buyer asks for money back",
                "{shop}: the buyer of order {order} ({goods}) asks for {amount} back. Answer by {until}, or it counts as agreed.",
            ),
        },
        _KIND.CASE_RETURN_ASKED: {
            _ZH: Words("买家申请退货", "{shop}：订单 {order}（{goods}）的买家申请退货退款 {amount}。请在{until}前处理，逾期视为同意。"),
            _EN: Words(
                "A buyer wants to send goods back",
                "{shop}: the buyer of order {order} ({goods}) would return goods for {amount}. Answer by {until}, or it counts as agreed.",
            ),
        },
        _KIND.CASE_EXCHANGE_ASKED: {
            _ZH: Words("买家申请换货", "{shop}：订单 {order}（{goods}）的买家申请换货。请在{until}前处理，逾期视为同意。"),
            _EN: Words(
                "A buyer asks for an exchange",
                "{shop}: the buyer of order {order} ({goods}) asks for other goods instead. Answer by {until}, or it counts as agreed.",
            ),
        },
        _KIND.CASE_AGREED: {
            _ZH: Words("售后已同意", "订单 {order}（{goods}）的售后已同意，{amount} 将退给买家。"),
            _EN: Words("A case is agreed", "The case about order {order} ({goods}) is agreed: {amount} goes back to the buyer."),
        },
        _KIND.CASE_RETURN_AGREED: {
            _ZH: Words("同意退货", "订单 {order}（{goods}）同意退货，买家请在{until}前寄回；{shop}收到后退款 {amount}。"),
            _EN: Words(
                "A return is agreed",
                "The goods of order {order} ({goods}) are to be sent back by {until}; {amount} goes back when {shop} has them.",
            ),
        },
        _KIND.CASE_OFFERED: {
            _ZH: Words("商家提出方案", "{shop}就订单 {order}（{goods}）提出退款 {amount}，请在{until}前答复，逾期视为撤销申请。"),
            _EN: Words(
                "The shop makes an offer",
                "{shop} offers {amount} for order {order} ({goods}). Answer by {until}, or the case is withdrawn.",
            ),
        },
        _KIND.CASE_REFUSED: {
            _ZH: Words("商家拒绝了申请", "{shop}拒绝了订单 {order}（{goods}）的售后申请。您可在{until}前请平台介入，逾期视为撤销申请。"),
            _EN: Words(
                "The shop refuses",
                "{shop} refuses what was asked for order {order} ({goods}). Call an operator by {until}, or it is withdrawn.",
            ),
        },
        _KIND.CASE_ACCEPTED: {
            _ZH: Words("买家接受了方案", "{shop}：买家接受了订单 {order}（{goods}）退款 {amount} 的方案。"),
            _EN: Words("The buyer accepts", "{shop}: the buyer of order {order} ({goods}) accepts {amount}."),
        },
        _KIND.CASE_SENT_BACK: {
            _ZH: Words("退货已寄出", "{shop}：订单 {order}（{goods}）的退货已寄出，请在{until}前确认收货。"),
            _EN: Words(
                "Goods are on their way back",
                "{shop}: the goods of order {order} ({goods}) were sent back. Say by {until} whether they have arrived.",
            ),
        },
        _KIND.CASE_ARRIVED: {
            _ZH: Words("退货已签收", "订单 {order}（{goods}）的退货已签收，{amount} 将退给买家。"),
            _EN: Words("The goods are back", "The goods of order {order} ({goods}) are back, and {amount} goes back to the buyer."),
        },
        _KIND.CASE_DISPUTED: {
            _ZH: Words("平台已介入", "订单 {order}（{goods}）的售后已请平台介入，双方请在{until}前举证。"),
            _EN: Words(
                "An operator was called",
                "An operator was called about order {order} ({goods}). Both sides may give evidence until {until}.",
            ),
        },
        _KIND.CASE_EVIDENCE: {
            _ZH: Words("对方提交了证据", "订单 {order}（{goods}）的售后中，对方提交了新的说明。"),
            _EN: Words("The other side has spoken", "The other side has given evidence in the case about order {order} ({goods})."),
        },
        _KIND.CASE_RULED: {
            _ZH: Words("平台已裁决", "订单 {order}（{goods}）的售后已裁决：{amount} 退给买家。"),
            _EN: Words("The case is ruled", "The case about order {order} ({goods}) is ruled: {amount} goes back to the buyer."),
        },
        _KIND.CASE_DISMISSED: {
            _ZH: Words("售后申请被驳回", "平台驳回了订单 {order}（{goods}）的售后申请。"),
            _EN: Words("The case is dismissed", "The marketplace has dismissed the case about order {order} ({goods})."),
        },
        _KIND.CASE_WITHDRAWN: {
            _ZH: Words("售后已撤销", "订单 {order}（{goods}）的售后申请已撤销。"),
            _EN: Words("A case is withdrawn", "The case about order {order} ({goods}) is withdrawn."),
        },
        _KIND.CASE_EXCHANGE_AGREED: {
            _ZH: Words("同意换货", "订单 {order}（{goods}）同意换货，替换商品已为买家保留。买家请在{until}前寄回。"),
            _EN: Words(
                "An exchange is agreed",
                "What was asked for in exchange for goods of order {order} ({goods}) is held. They are to be sent back by {until}.",
            ),
        },
        _KIND.CASE_REPLACEMENT_GONE: {
            _ZH: Words(
                "换货商品已售罄",
                "订单 {order}（{goods}）想换的商品已无货，可改为退货退款 {amount}；{until}前不答复视为撤销。",
            ),
            _EN: Words(
                "What was wanted in exchange is gone",
                "For order {order} ({goods}) there is {amount} for the goods sent back, if the buyer says so by {until}.",
            ),
        },
        _KIND.CASE_REPLACEMENT_DUE: {
            _ZH: Words("退回的商品已签收", "订单 {order}（{goods}）的商品已退回，{shop}应在{until}前寄出替换商品，逾期改为退款 {amount}。"),
            _EN: Words(
                "The goods are back",
                "The goods of order {order} ({goods}) are back. {shop} sends the others by {until}, or {amount} goes back instead.",
            ),
        },
        _KIND.CASE_REPLACED: {
            _ZH: Words("替换商品已寄出", "{shop}已寄出订单 {order}（{goods}）的替换商品，收到后请确认，逾期将于{until}视为收到。"),
            _EN: Words(
                "What you get in exchange is on its way",
                "{shop} has sent what is given in exchange for order {order} ({goods}). It counts as received on {until}.",
            ),
        },
        _KIND.CASE_EXCHANGED: {
            _ZH: Words("换货已完成", "订单 {order}（{goods}）的换货已完成。"),
            _EN: Words("An exchange is complete", "The exchange for order {order} ({goods}) is complete."),
        },
        _KIND.CASE_REFUND_INSTEAD: {
            _ZH: Words("换货改为退款", "订单 {order}（{goods}）的换货改为退款，{amount} 将退给买家。"),
            _EN: Words(
                "Money instead of an exchange", "Instead of other goods for order {order} ({goods}), {amount} goes back to the buyer."
            ),
        },
        _KIND.CASE_RESEND_RULED: {
            _ZH: Words(
                "商品须重新寄给买家",
                "平台驳回了订单 {order}（{goods}）的售后申请，退回的商品归买家所有。{shop}应在{until}前重新寄出，逾期退款 {amount}。",
            ),
            _EN: Words(
                "The goods go to the buyer again",
                "The case about order {order} ({goods}) is dismissed, and the goods are the buyer's. "
                "{shop} sends them again by {until}, or {amount} goes back instead.",
            ),
        },
        _KIND.CASE_RESENT: {
            _ZH: Words("商品已重新寄出", "{shop}已重新寄出订单 {order}（{goods}）的商品，收到后请确认，逾期将于{until}视为收到。"),
            _EN: Words(
                "Your goods are on their way again",
                "{shop} has sent the goods of order {order} ({goods}) again. They count as received on {until}.",
            ),
        },
        _KIND.CASE_HAD_AGAIN: {
            _ZH: Words("重新寄出的商品已收到", "订单 {order}（{goods}）重新寄出的商品已收到，售后已结束。"),
            _EN: Words("The goods have come again", "The goods of order {order} ({goods}) have come again, and the case is closed."),
        },
        _KIND.CASE_NOT_RESENT: {
            _ZH: Words("商品未重新寄出，已退款", "订单 {order}（{goods}）退回的商品逾期未重新寄出，{amount} 退给买家。"),
            _EN: Words(
                "Not sent again: money back",
                "The goods of order {order} ({goods}) were not sent again in time, and {amount} goes back to the buyer.",
            ),
        },
        _KIND.SALE_PAID: {
            _ZH: Words("新订单", "{shop}：订单 {order}（{goods}）已付款 {amount}，请发货。"),
            _EN: Words("A new order", "{shop}: order {order} ({goods}) is paid, {amount}. Please ship it."),
        },
        _KIND.SALE_REDIRECTED: {
            _ZH: Words("买家修改了收货地址", "{shop}：订单 {order}（{goods}）的收货地址已修改，请按新地址发货。"),
            _EN: Words("Another address", "{shop}: order {order} ({goods}) goes to another address. Ship it there."),
        },
        _KIND.SALE_CANCELLED: {
            _ZH: Words("买家取消了订单", "{shop}：订单 {order}（{goods}）已由买家取消，请勿发货。"),
            _EN: Words("The buyer has cancelled", "{shop}: the buyer has cancelled order {order} ({goods}). Do not ship it."),
        },
        _KIND.SALE_DUE: {
            _ZH: Words("请尽快发货", "{shop}：订单 {order}（{goods}）请在{until}前发出，逾期未发出的部分将自动取消并全额退款。"),
            _EN: Words(
                "Ship it soon",
                "{shop}: order {order} ({goods}) has to leave by {until}; what has not is cancelled by itself, and its money goes back.",
            ),
        },
        _KIND.SALE_OVERDUE: {
            _ZH: Words("逾期未发货，已取消", "{shop}：订单 {order}（{goods}）逾期未发货，未发出的部分已取消并退款 {amount}，请勿再发。"),
            _EN: Words(
                "Not shipped in time: cancelled",
                "{shop}: order {order} ({goods}) was not shipped in time. What had not left is off, {amount} goes back. Do not ship it.",
            ),
        },
        _KIND.SALE_WAITED_FOR: {
            _ZH: Words("买家同意延长发货时间", "{shop}：订单 {order}（{goods}）的买家同意等到{until}发货。"),
            _EN: Words("The buyer waits longer for it", "{shop}: the buyer of order {order} ({goods}) agrees to wait until {until}."),
        },
        _KIND.SALE_RECEIVED: {
            _ZH: Words("货款已到账", "{shop}：订单 {order}（{goods}）已收货，{amount} 已到账。"),
            _EN: Words("An order is settled", "{shop}: order {order} ({goods}) was received, and {amount} is the shop's."),
        },
        _KIND.SALE_SPLIT_LATE: {
            _ZH: Words("货款分账延迟", "{shop}：订单 {order}（{goods}）的 {amount} 仍由支付机构存管，暂未分账，平台正在处理。"),
            _EN: Words(
                "A split is late",
                "{shop}: {amount} of order {order} ({goods}) is kept by the payment provider, which has not divided it yet. "
                "The marketplace sees to it.",
            ),
        },
        _KIND.SALE_HOLD_ENDING: {
            _ZH: Words(
                "存管期限将至",
                "{shop}：订单 {order}（{goods}）的 {amount} 由支付机构存管至{until}，此前已发货则付给店铺，否则退给买家。",
            ),
            _EN: Words(
                "A hold ends soon",
                "{shop}: the provider keeps {amount} of order {order} ({goods}) until {until}. Before that it goes to the shop if the "
                "goods have left, and back otherwise.",
            ),
        },
        _KIND.SALE_SPLIT_KEPT: {
            _ZH: Words(
                "分账回退失败",
                "{shop}：支付机构无法从您的账户回退订单 {order} 的 {amount}，退款改由店铺余额、保证金支付，不足部分记为欠款。",
            ),
            _EN: Words(
                "A split could not be taken back",
                "{shop}: the provider could not take {amount} of order {order} back for a refund. It comes out of the shop's balance or "
                "deposit instead; the rest is owed.",
            ),
        },
        _KIND.SALE_REFUNDED: {
            _ZH: Words("平台已退款", "{shop}：平台已将订单 {order}（{goods}）的 {amount} 退给买家。"),
            _EN: Words(
                "The marketplace has refunded", "{shop}: the marketplace has given {amount} of order {order} ({goods}) back to the buyer."
            ),
        },
        _KIND.SALE_DRAWN_BACK: {
            _ZH: Words("结算后退款", "{shop}：订单 {order}（{goods}）结算后退给买家 {amount}。"),
            _EN: Words(
                "A refund after the settlement", "{shop}: {amount} of order {order} ({goods}), which was settled, went back to the buyer."
            ),
        },
        _KIND.SALE_POSTAGE: {
            _ZH: Words("已支付退货运费", "{shop}：订单 {order}（{goods}）的退货运费 {amount} 已从店铺款项中付给买家。"),
            _EN: Words("Postage was paid", "{shop}: {amount} of the shop's money paid for sending goods of order {order} ({goods}) back."),
        },
        _KIND.CLAIM_PAID_OFF: {
            _ZH: Words("欠款已抵扣", "{shop}：新到货款中有 {amount} 用于偿还平台垫付的退款。"),
            _EN: Words("A claim is paid off", "{shop}: {amount} of new money has paid what the marketplace had paid for the shop."),
        },
        _KIND.DEPOSIT_RELEASED: {
            _ZH: Words("保证金已退回", "{shop}：{amount} 保证金已退回店铺余额。"),
            _EN: Words("A deposit is released", "{shop}: {amount} of the deposit is back in the shop's balance."),
        },
        _KIND.SALE_CHARGED_BACK: {
            _ZH: Words("付款被拒付", "{shop}：订单 {order}（{goods}）的付款 {amount} 被付款人的银行追回，请勿发货，并在{until}前举证。"),
            _EN: Words(
                "A payment was charged back",
                "{shop}: the payer's bank has taken {amount} of order {order} ({goods}) back. Do not ship; give evidence by {until}.",
            ),
        },
        _KIND.CHARGEBACK_WON: {
            _ZH: Words("拒付已撤销", "{shop}：订单 {order}（{goods}）被追回的 {amount} 已退还，订单照常进行。"),
            _EN: Words("A chargeback is won", "{shop}: {amount} of order {order} ({goods}) has come back. The order goes on."),
        },
        _KIND.CHARGEBACK_LOST: {
            _ZH: Words("拒付成立", "{shop}：订单 {order}（{goods}）的 {amount} 归买家所有。"),
            _EN: Words("A chargeback is lost", "{shop}: {amount} of order {order} ({goods}) is the buyer's for good."),
        },
        _KIND.CHARGEBACK_OPENED: {
            _ZH: Words("新的拒付", "一笔 {amount} 的付款被付款人的银行追回，举证截止到{until}。"),
            _EN: Words("A chargeback", "A payer's bank has taken {amount} back. Evidence is heard until {until}."),
        },
        _KIND.EVIDENCE_DUE: {
            _ZH: Words("举证即将截止", "{shop}：订单 {order}（{goods}）的付款 {amount} 被拒付，您尚未举证，请在{until}前提交。"),
            _EN: Words(
                "Evidence is due",
                "{shop}: nothing was said yet against the chargeback of {amount} of order {order} ({goods}). Give evidence by {until}.",
            ),
        },
        _KIND.EVIDENCE_REFUSED: {
            _ZH: Words("举证材料未被接收", "{shop}：支付渠道未接收针对 {amount} 拒付提交的材料，请在{until}前重新提交。"),
            _EN: Words(
                "Evidence was not taken",
                "{shop}: the payment channel would not take what was said against a chargeback of {amount}. "
                "Please say it again by {until}.",
            ),
        },
        _KIND.CONCESSION_REFUSED: {
            _ZH: Words("放弃抗辩未被接收", "支付渠道未接收对一笔 {amount} 拒付的放弃抗辩，请重新提交。"),
            _EN: Words(
                "A concession was not taken",
                "The payment channel would not take it that a chargeback of {amount} is not contested. Please have it told again.",
            ),
        },
        _KIND.SALE_PUT_OFF: {
            _ZH: Words("买家延长了收货时间", "{shop}：订单 {order}（{goods}）的买家尚未收到货，已延长收货时间。"),
            _EN: Words(
                "The buyer waits longer",
                "{shop}: order {order} ({goods}) has not reached its buyer, who has extended the time to receive it.",
            ),
        },
        _KIND.SALE_CAME_BACK: {
            _ZH: Words(
                "包裹被退回",
                "{shop}：订单 {order}（{goods}）的第 {number} 个包裹未能送达，已退回。请在{until}前重新发出，否则自动退款给买家。",
            ),
            _EN: Words(
                "A parcel has come back",
                "{shop}: parcel {number} of order {order} ({goods}) was not delivered. Send it again by {until}, or its buyer is refunded.",
            ),
        },
        _KIND.SALE_NOT_SENT_AGAIN: {
            _ZH: Words(
                "退回的包裹已退款",
                "{shop}：订单 {order}（{goods}）的第 {number} 个包裹未重新发出，已向买家退款 {amount}。收到商品后请确认入库。",
            ),
            _EN: Words(
                "A parcel was paid back",
                "{shop}: parcel {number} of order {order} ({goods}) was not sent again; {amount} went back. Say when its goods are in.",
            ),
        },
        _KIND.SALE_REVIEWED: {
            _ZH: Words("新评价", "{shop}：“{goods}”收到 {number} 星评价。"),
            _EN: Words("A new review", "{shop}: {goods} was given {number} of 5 stars."),
        },
        _KIND.REVIEW_CONTINUED: {
            _ZH: Words("买家追加了评价", "{shop}：“{goods}”的一条评价有追加内容。"),
            _EN: Words("A review was added to", "{shop}: the author of a review of {goods} has said more."),
        },
        _KIND.STOCK_LOW: {
            _ZH: Words("库存不足", "{shop}：“{goods}”只剩 {number} 件可售。"),
            _EN: Words("Stock is low", "{shop}: of {goods} there are {number} left to sell."),
        },
        _KIND.STOCK_OUT: {
            _ZH: Words("已售罄", "{shop}：“{goods}”已售罄。"),
            _EN: Words("Sold out", "{shop}: {goods} is sold out."),
        },
        _KIND.GOODS_APPROVED: {
            _ZH: Words("商品审核通过", "{shop}：“{goods}”已通过审核，立即开售；设有开售时间的，到时开售。"),
            _EN: Words("Goods are approved", "{shop}: {goods} was approved. It is on sale now, or will be at the time that you have set."),
        },
        _KIND.GOODS_REJECTED: {
            _ZH: Words("商品审核未通过", "{shop}：“{goods}”未通过审核，已退回为草稿，原因见平台决定。"),
            _EN: Words("Goods were sent back", "{shop}: {goods} was not approved and is a draft again. The ruling says why."),
        },
        _KIND.GOODS_BANNED: {
            _ZH: Words("商品已被禁售", "{shop}：平台已禁售“{goods}”，原因见平台决定；已售出的订单照常处理。"),
            _EN: Words("Goods are banned", "{shop}: the marketplace has banned {goods}. The ruling says why; what was sold goes on."),
        },
        _KIND.BAN_LIFTED: {
            _ZH: Words("商品已解除禁售", "{shop}：“{goods}”已解除禁售，目前为下架状态。"),
            _EN: Words("A ban is lifted", "{shop}: the ban of {goods} is lifted. It is off sale until you publish it."),
        },
        _KIND.SHOP_SUSPENDED: {
            _ZH: Words("店铺已被暂停", "平台已暂停{shop}营业，进行中的订单照常处理。"),
            _EN: Words("The shop is suspended", "The marketplace has suspended {shop}. Orders that are under way go on."),
        },
        _KIND.SHOP_REOPENED: {
            _ZH: Words("店铺已恢复营业", "平台已恢复{shop}营业。"),
            _EN: Words("The shop is open again", "The marketplace has opened {shop} again."),
        },
        _KIND.SHOP_APPLIED: {
            _ZH: Words("新的开店申请", "有人申请开店，请审核。"),
            _EN: Words("An application for a shop", "Somebody has applied for a shop and waits for a decision."),
        },
        _KIND.GOODS_TO_REVIEW: {
            _ZH: Words("商品待审核", "{shop}：“{goods}”等待审核。"),
            _EN: Words("Goods wait for a review", "{shop}: {goods} waits to be approved."),
        },
        _KIND.PAYOUT_AWAITED: {
            _ZH: Words("提现待审批", "一笔 {amount} 的提现等待审批。"),
            _EN: Words("A payout waits for approval", "A payout of {amount} waits to be approved."),
        },
        _KIND.CASE_TO_RULE: {
            _ZH: Words("售后待裁决", "订单 {order}（{goods}）的举证期已结束，请在{until}前裁决，逾期按买家申请处理。"),
            _EN: Words(
                "A case is to be ruled",
                "Evidence about order {order} ({goods}) is closed. Rule by {until}, or the buyer is given what they ask.",
            ),
        },
        _KIND.REVIEW_REPORTED: {
            _ZH: Words("评价被举报", "{shop}：对“{goods}”的一条评价被举报，请审核。"),
            _EN: Words("A review was reported", "{shop}: somebody has reported a review of {goods}. Please decide about it."),
        },
        _KIND.SPLIT_REFUSED: {
            _ZH: Words("支付机构拒绝分账", "{shop}：支付机构拒绝对订单 {order} 的 {amount} 分账，请核实原因后重新发起。"),
            _EN: Words(
                "A split was refused",
                "{shop}: the provider would not divide {amount} of order {order}. Please see why, and have it asked again.",
            ),
        },
        _KIND.HOLD_ENDING: {
            _ZH: Words("存管期限将至", "{shop}：订单 {order} 的 {amount} 由支付机构存管至{until}，请确认届时能够结算或退款。"),
            _EN: Words(
                "A hold ends soon",
                "{shop}: the provider keeps {amount} of order {order} until {until}. Please see that it is settled or goes back by then.",
            ),
        },
        _KIND.KEPT_ENDING: {
            _ZH: Words("存管期限将至", "一笔 {amount} 的待领退款或拒付补偿款由支付机构存管至{until}，请在此之前处理。"),
            _EN: Words(
                "A hold ends soon",
                "The provider keeps {amount} until {until}, outside any order: a refund that waits for its payer, or what makes up for a "
                "lost chargeback. Please see that it leaves by then.",
            ),
        },
        _KIND.UNCLAIMED_LATE: {
            _ZH: Words("退款长期无人领取", "一笔 {amount} 的退款半年无人领取，请联系付款人。"),
            _EN: Words("Money that nobody claims", "A refund of {amount} has waited for its owner for half a year. Please find them."),
        },
        _KIND.PAYMENT_MISMATCHED: {
            _ZH: Words("渠道通知与账目不符", "支付渠道的一条通知（{amount}）与账目不符，请核对。"),
            _EN: Words(
                "A payment does not agree", "A channel's notification of {amount} does not agree with the books. Please look at it."
            ),
        },
    }
)
"""Every kind in every language.

The gaps: `order` (its number in fours), `goods`, `shop`, `whose` (a shop, or the reader's wallet), `amount`, `number`, `until` (a day),
`where` (a shop, or the marketplace), `role`, `contact`.
"""


MARKETPLACE = {_ZH: "平台", _EN: "the marketplace"}
ROLES: Mapping[str, Mapping[Language, str]] = MappingProxyType(
    {
        "owner": {_ZH: "店主", _EN: "owner"},
        "manager": {_ZH: "店长", _EN: "manager"},
        "service": {_ZH: "客服", _EN: "service"},
        "packer": {_ZH: "打包员", _EN: "packer"},
        "finance": {_ZH: "财务", _EN: "finance"},
        "admin": {_ZH: "管理员", _EN: "admin"},
        "risk": {_ZH: "风控", _EN: "risk"},
        "analyst": {_ZH: "分析师", _EN: "analyst"},
    }
)
CONTACTS: Mapping[str, Mapping[Language, str]] = MappingProxyType(
    {"phone": {_ZH: "手机号", _EN: "phone number"}, "email": {_ZH: "邮箱", _EN: "e-mail address"}}
)


def said(kind: NoticeKind, language: Language, gaps: Mapping[str, str]) -> Words:
    """A notice in words. What fills a gap is put there as it is, and never read for gaps of its own."""
    words = TEMPLATES[kind][language]
    return Words(words.title, words.text.format_map(gaps))
