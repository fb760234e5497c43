"""The life of an order once more, as the tests have it: written out by who acts, so that the table of the model is not its own judge."""

from yunduan.domains.orders.model import OrderState, Step, Who

WRITTEN = {
    "cloud": {
        "placed": {"pay": "paid", "lapse": "cancelled"},
        "paid": {"cancel": "cancelled", "refund_part": "paid", "refund_rest": "refunded"},
        "partly_shipped": {
            "arrive": "partly_shipped",
            "cancel_rest": "shipped",
            "refund_part": "partly_shipped",
            "refund_rest": "refunded",
        },
        "shipped": {"arrive": "shipped", "receive": "received", "refund_part": "shipped", "refund_rest": "refunded"},
        "received": {"refund_part": "received", "refund_rest": "refunded"},
        "cancelled": {"retake": "paid"},
    },
    "buyer": {
        "placed": {"cancel": "cancelled", "agree_price": "cancelled", "redirect": "placed"},
        "paid": {"cancel": "cancelled", "redirect": "paid", "wait_longer": "paid", "claim": "paid"},
        "partly_shipped": {"cancel_rest": "shipped", "wait_longer": "partly_shipped", "claim": "partly_shipped"},
        "shipped": {"receive": "received", "extend": "shipped", "claim": "shipped", "claim_return": "shipped"},
        "received": {"review": "received", "claim": "received", "claim_return": "received"},
    },
    "shop": {
        "placed": {"offer_price": "placed"},
        "paid": {
            "cancel": "cancelled",
            "ship_part": "partly_shipped",
            "ship": "shipped",
            "refund_part": "paid",
            "refund_rest": "refunded",
        },
        "partly_shipped": {
            "ship_part": "partly_shipped",
            "ship": "shipped",
            "cancel_rest": "shipped",
            "refund_part": "partly_shipped",
            "refund_rest": "refunded",
            "send_again": "partly_shipped",
        },
        "shipped": {"refund_part": "shipped", "refund_rest": "refunded", "send_again": "shipped"},
        "received": {"refund_part": "received", "refund_rest": "refunded"},
    },
    "operator": {
        "paid": {"refund_part": "paid", "refund_rest": "refunded"},
        "partly_shipped": {"refund_part": "partly_shipped", "refund_rest": "refunded"},
        "shipped": {"refund_part": "shipped", "refund_rest": "refunded", "receive": "received"},
        "received": {"refund_part": "received", "refund_rest": "refunded"},
    },
}
"""Who may do what where, and where that leads; nothing else is possible."""

AFTER = {
    (OrderState(state), Step(step), Who(who)): OrderState(after)
    for who, states in WRITTEN.items()
    for state, steps in states.items()
    for step, after in steps.items()
}


def steps_from(state: OrderState, who: Who) -> set[Step]:
    """What somebody may do with an order in a state."""
    return {Step(step) for step in WRITTEN[who.value].get(state.value, {})}
