"""What the toy market tells; `op` is the number of the command that did it."""

from yunduan.kernel.messages import Fact


class Minted(Fact):
    """Money was made."""

    op: int
    purse: str
    amount: int


class Paid(Fact):
    """Money has moved."""

    op: int
    payer: str
    payee: str
    amount: int


class Supplied(Fact):
    """Things have come."""

    op: int
    item: str
    quantity: int


class Reserved(Fact):
    """Things are held until `due`."""

    op: int
    item: str
    quantity: int
    due: int


class Taken(Fact):
    """What was held has been sold."""

    op: int
    hold: int


class Expired(Fact):
    """What was held is free again."""

    hold: int


class BellSet(Fact):
    """Something shall ring."""

    op: int
    due: int


class Rang(Fact):
    """It has rung; ringing twice would be told twice."""

    bell: int


class Surveyed(Fact):
    """The purses were counted."""

    op: int
    purses: int


class Thanked(Fact):
    """A follower has thanked for a payment."""

    op: int
