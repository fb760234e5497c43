"""Who asks: set by the edge from what it has verified, never by the client."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from yunduan.kernel.ids import PersonId, SessionId, ShopId

NOBODY = PersonId("")
_NO_SHOPS: Mapping[ShopId, frozenset[str]] = MappingProxyType({})


class Actor(Struct, frozen=True, kw_only=True):
    """A caller. `person` is empty for whoever has not signed in and for the cloud itself; an empty person owns nothing."""

    person: PersonId = NOBODY
    session: SessionId = SessionId("")
    scopes: frozenset[str] = frozenset()
    operator_roles: frozenset[str] = frozenset()
    shop_roles: Mapping[ShopId, frozenset[str]] = _NO_SHOPS
    origin: str = ""
    """Where an unsigned call comes from (a network address): what limits are counted by."""
    is_system: bool = False

    @property
    def principal(self) -> str:
        """Whose keys these are: two principals never share one."""
        return self.person or ("system" if self.is_system else "anonymous")

    def owns(self, person: PersonId) -> bool:
        """Whether this is that very person; nobody owns what belongs to nobody."""
        return bool(person) and person == self.person

    def serves(self, shop: ShopId, *roles: str) -> bool:
        """Whether the caller has one of these roles in a shop; without roles, any role."""
        held = self.shop_roles.get(shop)
        return held is not None and (not roles or not held.isdisjoint(roles))

    def operates(self, *roles: str) -> bool:
        """Whether the caller has one of these roles among the operators; without roles, any role."""
        return bool(self.operator_roles) and (not roles or not self.operator_roles.isdisjoint(roles))


ANONYMOUS = Actor()
SYSTEM = Actor(is_system=True)
"""The cloud itself: alarms, followers, imports."""
