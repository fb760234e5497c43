"""What the ledger tells; transfers themselves are read from the book, in its own gapless order."""

from yunduan.kernel.ids import TransferId
from yunduan.kernel.messages import Fact


class HoldExpired(Fact):
    """A hold has ended by itself because its time had passed; its whole amount is free again."""

    pending_id: TransferId
    transfer_id: TransferId
