"""The ids of postings, charges and requests: derived from what they belong to, so that each can be made once only."""

from yunduan.kernel.ids import PaymentId, TransferId, sibling


def step_id(of: str, step: str, number: int = 0) -> TransferId:
    """The id of a posting: one step of the story of a payment, a charge, an order or a refund, so that it can happen once only.

    A number below 10 tells several of one kind apart; the ledger appends three digits more for each transfer.
    """
    return TransferId(f"{sibling(of, step)}{number}")


def charge_reference(payment_id: PaymentId, number: int) -> str:
    """The name by which a channel knows a charge."""
    return f"{sibling(payment_id, 'chg')}{number:02d}"


DIFFERENCE_NUMBER = 99
"""Of the charge for what a channel collected beyond an imported payment's orders."""


def payment_of_reference(reference: str) -> PaymentId:
    """The payment that a charge belongs to, if there is one."""
    return PaymentId(sibling(reference[:-2], "pay"))


def request_id(refund_id: str, number: int) -> str:
    """The name by which a channel knows one piece of a refund: the same however often it is asked."""
    return f"{sibling(refund_id, 'req')}{number:02d}"


def again_id(chargeback_id: str) -> str:
    """The name by which a channel knows what it is asked for once more, since a bank had it and has returned it."""
    return sibling(chargeback_id, "rfa")


def return_id(reference: str) -> str:
    """The name by which a channel knows the return of a whole charge, one that it collected for nothing."""
    return sibling(reference, "ret")
