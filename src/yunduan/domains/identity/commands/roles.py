"""Roles: given and taken at once, by the rows as they are and not as the edge saw them."""

from yunduan.domains.identity import model, store
from yunduan.domains.identity.commands import people
from yunduan.domains.identity.facts import (
    RoleGranted,
    RoleWithdrawn,
)
from yunduan.domains.identity.model import (
    IdentityRefusal,
    OperatorRole,
    RolesHeld,
    ShopRole,
    Shops,
)
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class GrantRole(Command[RolesHeld], refuses=(IdentityRefusal.NOT_ALLOWED, IdentityRefusal.PERSON_NOT_FOUND, IdentityRefusal.ROLES_FULL)):
    """Let somebody work for the marketplace; by an admin, or by the cloud itself for the first one."""

    person_id: PersonId
    role: OperatorRole


class WithdrawRole(Command[RolesHeld], refuses=(IdentityRefusal.NOT_ALLOWED, IdentityRefusal.ROLE_NOT_FOUND, IdentityRefusal.LAST_ADMIN)):
    """Take a role of the marketplace back; the last admin stays."""

    person_id: PersonId
    role: OperatorRole


class GrantShopRole(
    Command[RolesHeld], refuses=(IdentityRefusal.NOT_ALLOWED, IdentityRefusal.PERSON_NOT_FOUND, IdentityRefusal.ROLES_FULL)
):
    """Let somebody work in a shop: an owner gives any role, a manager those of service and packer."""

    shop_id: ShopId
    person_id: PersonId
    role: ShopRole


class WithdrawShopRole(
    Command[RolesHeld], refuses=(IdentityRefusal.NOT_ALLOWED, IdentityRefusal.ROLE_NOT_FOUND, IdentityRefusal.LAST_OWNER)
):
    """Take a role in a shop back; the last owner stays. Whoever may give a role may take it, and anybody may lay down their own."""

    shop_id: ShopId
    person_id: PersonId
    role: ShopRole


class AppointOwner(
    Command[RolesHeld],
    refuses=(IdentityRefusal.NOT_ALLOWED, IdentityRefusal.SHOP_UNKNOWN, IdentityRefusal.PERSON_NOT_FOUND, IdentityRefusal.ROLES_FULL),
):
    """Make somebody the owner of a shop: by an admin; or within the command that founds the shop, as long as it has no staff."""

    shop_id: ShopId
    person_id: PersonId


@handles(GrantRole)
def grant_role(tx: Tx, ask: GrantRole) -> RolesHeld:
    """At once: the next request sees it."""
    _refuse_unless_allowed(tx, "", ask.role)
    return _grant(tx, ask.person_id, "", ask.role)


@handles(GrantShopRole)
def grant_shop_role(tx: Tx, ask: GrantShopRole) -> RolesHeld:
    """At once: the next request sees it."""
    _refuse_unless_allowed(tx, ask.shop_id, ask.role)
    return _grant(tx, ask.person_id, ask.shop_id, ask.role)


@handles(AppointOwner)
def appoint_owner(tx: Tx, ask: AppointOwner) -> RolesHeld:
    """Its route asks for an admin, so only a shop that is being founded comes here by anybody else."""
    shops: Shops = tx.port(Shops)  # type: ignore[type-abstract] # a protocol is the name of its port
    if not shops.is_there(tx, ask.shop_id):
        raise Refused(IdentityRefusal.SHOP_UNKNOWN)
    if store.staff_count(tx, ask.shop_id):
        _refuse_unless_allowed(tx, ask.shop_id, ShopRole.OWNER)
    return _grant(tx, ask.person_id, ask.shop_id, ShopRole.OWNER)


@handles(WithdrawRole)
def withdraw_role(tx: Tx, ask: WithdrawRole) -> RolesHeld:
    """At once: the next request sees it."""
    return _withdraw(tx, ask.person_id, "", ask.role)


@handles(WithdrawShopRole)
def withdraw_shop_role(tx: Tx, ask: WithdrawShopRole) -> RolesHeld:
    """At once: the next request sees it."""
    return _withdraw(tx, ask.person_id, ask.shop_id, ask.role)


def _refuse_unless_allowed(tx: Tx, shop_id: str, role: str) -> None:
    """By the rows as they are now, not as the edge saw them: a role withdrawn a moment ago gives nothing."""
    if tx.actor.is_system:
        return
    held = store.roles_of(tx, tx.actor.person) if tx.actor.person else []
    if not model.may_change_role(held, shop_id=shop_id, role=role):
        raise Refused(IdentityRefusal.NOT_ALLOWED)


def _grant(tx: Tx, person_id: PersonId, shop_id: str, role: str) -> RolesHeld:
    people.present(tx, person_id)
    held = store.roles_of(tx, person_id)
    if model.Held(shop_id, role) not in held:
        if len(held) >= model.ROLES_MAX or store.staff_count(tx, shop_id) >= model.STAFF_MAX:
            raise Refused(IdentityRefusal.ROLES_FULL)
        founds = role == ShopRole.OWNER and not store.staff_count(tx, shop_id)
        tx.write_one(store.GIVE_ROLE, (person_id, shop_id, str(role), tx.now))
        tx.tell(RoleGranted(person_id=person_id, shop_id=shop_id, role=role, by=tx.actor.person, founds=founds))
    return _roles_held(tx, person_id, shop_id)


def _withdraw(tx: Tx, person_id: PersonId, shop_id: str, role: str) -> RolesHeld:
    if not tx.actor.owns(person_id):
        _refuse_unless_allowed(tx, shop_id, role)
    if model.Held(shop_id, role) not in store.roles_of(tx, person_id):
        raise Refused(IdentityRefusal.ROLE_NOT_FOUND)
    refuse_last(tx, shop_id, role)
    take(tx, person_id, shop_id, role)
    return _roles_held(tx, person_id, shop_id)


def refuse_last(tx: Tx, shop_id: str, role: str) -> None:
    """Refuse to take the role of the last owner of a shop, or of the last admin."""
    if not shop_id and role == OperatorRole.ADMIN and store.holders(tx, shop_id, role) == 1:
        raise Refused(IdentityRefusal.LAST_ADMIN)
    if shop_id and role == ShopRole.OWNER and store.holders(tx, shop_id, role) == 1:
        raise Refused(IdentityRefusal.LAST_OWNER, shop_id)


def take(tx: Tx, person_id: PersonId, shop_id: str, role: str) -> None:
    """Take a role that is held."""
    tx.write_one(store.TAKE_ROLE, (person_id, shop_id, str(role)))
    tx.tell(RoleWithdrawn(person_id=person_id, shop_id=shop_id, role=role, by=tx.actor.person))


def _roles_held(tx: Tx, person_id: PersonId, shop_id: str) -> RolesHeld:
    roles = tuple(held.role for held in store.roles_of(tx, person_id) if held.shop_id == shop_id)
    return RolesHeld(person_id=person_id, shop_id=ShopId(shop_id) if shop_id else None, roles=roles)
