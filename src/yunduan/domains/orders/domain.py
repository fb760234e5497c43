"""Everything that orders show to the composition root."""

from yunduan.domains.orders import agreed, commands, facts, queries, receiving, reviewing, shipping, whereabouts
from yunduan.domains.orders.followers import FOLLOWERS
from yunduan.domains.orders.routes import ROUTES
from yunduan.runtime.registry import Domain

DOMAIN = Domain(
    name="orders",
    package="yunduan.domains.orders",
    commands=(
        commands.add_to_cart,
        commands.change_cart_line,
        commands.remove_from_cart,
        commands.checkout,
        agreed.place_agreed,
        commands.cancel_unpaid,
        commands.cancel_order,
        commands.decline_order,
        shipping.ship_order,
        shipping.ship_parcel,
        receiving.confirm_receipt,
        receiving.receive_unasked,
        receiving.extend_receipt,
        commands.refund_order,
        commands.review_order,
        reviewing.follow_up_review,
        reviewing.answer_review,
    ),
    queries=(
        queries.cart_of,
        queries.preview_checkout,
        queries.order_of,
        queries.order_numbered,
        queries.shop_order_of,
        queries.order_refunds,
        queries.shop_order_refunds,
        queries.my_orders,
        queries.shop_orders,
        queries.reviews_of_goods,
        queries.orders_by_state,
        queries.names_of,
        whereabouts.order_money,
        whereabouts.shop_order_money,
    ),
    facts=(
        facts.OrderPlaced,
        facts.OrderPaid,
        facts.OrderPartlyShipped,
        facts.OrderShipped,
        facts.OrderRestCancelled,
        facts.OrderReceived,
        facts.ReceiptExtended,
        facts.OrderCancelled,
        facts.OrderRefunded,
        facts.OrderReviewed,
        facts.ReviewAddedTo,
    ),
    followers=FOLLOWERS,
    routes=ROUTES,
)
