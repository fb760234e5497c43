"""Everything that payments refuse."""

from yunduan.kernel.refusals import RefusalCode


class PaymentRefusal(RefusalCode):
    """Everything that payments refuse; a wallet that is too small is the ledger's `insufficient_funds`."""

    TENDERS_DO_NOT_MATCH = (
        "tenders_do_not_match",
        "The tenders are not the total in its currency, one is empty, or one names a channel that is none.",
    )
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range", "The amount is nothing, or more than may be moved at once."
    CHANNEL_UNKNOWN = "channel_unknown", "There is no such payment channel here, or it collects by no such method."
    KEPT_BY_PROVIDER = (
        "kept_by_provider",
        "This channel keeps what it collects for orders: no wallet is filled by it, and nothing is paid out over it.",
    )
    NOT_FOUND = "payment_not_found", "There is no such payment, or it is somebody else's."
    EXISTS = "payment_exists", "There is a payment by this id already."
    ENDED = "payment_ended", "The payment has been made already."
    NOT_CAPTURED = "payment_not_captured", "The payment has not been made."
    NOTIFICATION_FORGED = "notification_forged", "The channel did not sign this."
    NOTIFICATION_STALE = "notification_stale", "The channel signed this too long ago."
    NOTIFICATION_MALFORMED = "notification_malformed", "This is signed by the channel, and no notification."
    ESCROW_NOT_FOUND = "escrow_not_found", "Nothing was ever paid for this order."
    ESCROW_NOT_HELD = "escrow_not_held", "Nothing is held for this order any more."
    ESCROW_SETTLED = "escrow_settled", "The shop has been paid already."
    ESCROW_NOT_SETTLED = "escrow_not_settled", "The shop has not been paid yet: the money is still held."
    BEING_SPLIT = "escrow_being_split", "The provider that keeps this money is dividing it: nothing of it moves until it has answered."
    SPLIT_NOT_FOUND = "split_not_found", "No provider was asked for such a split."
    SPLIT_NOT_REFUSED = "split_not_refused", "The provider has not refused this split: it is done, or on its way."
    EXCEEDS_HELD = "exceeds_held", "More than is held for the order."
    EXCEEDS_CAPTURED = "exceeds_captured", "More than was paid for the order and has not gone back."
    NOT_KEPT = "not_kept", "This channel keeps nothing: what it collects is ours at once."
    BOOKED_ALREADY = "booked_already", "This line of the provider's statement has been booked."
    REFUND_NOT_FOUND = "refund_not_found", "There is no such refund."
    REFUND_EXISTS = "refund_exists", "There is a refund by this id, of another order or amount."
    OUTGOING_NOT_FOUND = "outgoing_not_found", "No such request to a channel was made."
    ALERT_NOT_FOUND = "alert_not_found", "There is no such alert."
    PAYEE_NOT_FOUND = "payee_not_found", "No account has been named that could be paid out to."
    PAYEE_NOT_VERIFIED = "payee_not_verified", "The channel has not confirmed that the account is its owner's."
    PAYEE_WAITS = "payee_waits", "The account was named a short while ago: its owner has time to notice, until it may be paid out to."
    PAYOUT_NOT_FOUND = "payout_not_found", "There is no such payout."
    PAYOUT_NOT_AWAITED = "payout_not_awaited", "Nobody's approval is waited for: it is on its way, or has ended."
    APPROVED_BY_THE_SAME = "approved_by_the_same", "Whoever asked for it, or has approved it already, cannot be the next to approve it."
    UNCLAIMED_NOT_FOUND = "unclaimed_not_found", "There is no such money, or it is somebody else's."
    UNCLAIMED_TAKEN = "unclaimed_taken", "It has been taken already, or is on its way to the account that was named."
    WALLET_OFF = "wallet_off", "This market has no wallets; what is in one can be withdrawn."
    EXCEEDS_DAY = "exceeds_day", "More than may go into or out of this wallet in one day."
    SHOP_OWES = "shop_owes", "The shop owes the marketplace: its money pays that first."
    PROMOTIONS_EMPTY = "promotions_empty", "The marketplace has set nothing more aside for this discount."
    CHARGED_BACK = (
        "charged_back",
        "The payer's bank has taken money of this order back: nothing of it ships or moves until that is decided.",
    )
    CHARGEBACK_NOT_FOUND = "chargeback_not_found", "There is no such chargeback, or it is about somebody else's order."
    CHARGEBACK_OTHER_STATE = "chargeback_in_other_state", "The chargeback is in no state for this step; `figures` say in which."
    FIGURES_AGREE = "figures_agree", "The bank has decided nothing about this chargeback that differs from what it had told before."
    DECISION_FLAWED = (
        "decision_flawed",
        "The bank's decision names another charge, merchant or currency: the chargeback can be ended by our figures alone.",
    )
    NOTHING_TO_BEAR = (
        "nothing_to_bear",
        "The alert is of no chargeback of more than is left of a charge of ours, or it has been taken by now.",
    )
    EVIDENCE_LATE = "evidence_late", "Evidence about this chargeback was due earlier."
    EVIDENCE_FULL = "evidence_full", "A shop has given as much evidence about a chargeback as it may."
