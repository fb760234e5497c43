"""The rows of what stands on shops' papers: apart from the shops themselves, which every checkout reads."""

from msgspec import Struct

from yunduan.kernel.ids import PersonId, ShopId
from yunduan.runtime.ports import Table


class Sender(Struct, frozen=True, gc=False):
    """A shop's address and telephone (`Postal` as JSON), under somebody's key; nothing sealed when it has taken them back."""

    shop_id: ShopId
    person: PersonId
    sealed: bytes
    at: int


SENDER: Table[ShopId, Sender] = Table(
    name="shop_sender",
    columns={"shop_id": str, "person": str, "sealed": bytes, "at": int},
    value=lambda row: Sender(*row),
    row=lambda one: (one.shop_id, one.person, one.sealed, one.at),
    remembered=1_000,
)
