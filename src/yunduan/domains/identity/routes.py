"""Where identity is reached, and by whom."""

from collections.abc import Callable
from typing import Any

from yunduan.domains.identity import commands, forms, queries
from yunduan.domains.identity.model import (
    ContactAnswered,
    IdentityRefusal,
    OperatorRole,
    SessionOpened,
    SessionToken,
    ShopRole,
    TriesLeft,
    Vault,
)
from yunduan.kernel.ids import PersonId, SessionId
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import ANYONE, RECORD, SELF, Owner, Route


def reveal_session(answer: SessionOpened, port: Callable[[type], Any]) -> SessionToken:
    """After the commit: the token to whoever gave the right code, the refusal `code_wrong` to whoever did not.

    The wrong try is on disk by then, which is why the refusal comes from here and not from the command.
    """
    if not answer.opened:
        raise Refused(IdentityRefusal.CODE_WRONG, figures=TriesLeft(tries_left=answer.tries_left))
    invariant(answer.session_id is not None and answer.person_id is not None, "an open session is somebody's")
    session, person = answer.session_id or SessionId(""), answer.person_id or PersonId("")
    vault: Vault = port(Vault)
    return SessionToken(token=vault.token(session), id=session, person_id=person, expires_at=answer.expires_at, is_new=answer.is_new)


def reveal_contact(answer: ContactAnswered, _port: Callable[[type], Any]) -> ContactAnswered:
    """After the commit: the refusal `code_wrong` to whoever did not give the right code."""
    if not answer.confirmed:
        raise Refused(IdentityRefusal.CODE_WRONG, figures=TriesLeft(tries_left=answer.tries_left))
    return answer


_ADMIN = Owner.operator(OperatorRole.ADMIN)
_BOSSES = Owner.shop(ShopRole.OWNER, ShopRole.MANAGER)
_READ, _WRITE = "identity:read", "identity:write"

ROUTES = (
    # A key's fingerprint must not become a way to check a guess of a phone number: codes are asked for without one.
    Route(
        "POST",
        "/sessions/codes",
        commands.RequestCode,
        None,
        ANYONE,
        client=("contact", "language", "region", "device"),
        summary="Have a code sent",
        takes_key=False,
    ),
    Route(
        "POST",
        "/sessions",
        commands.OpenSession,
        None,
        ANYONE,
        client=("challenge_id", "code", "device"),
        summary="Sign in with a code",
        reveals=reveal_session,
    ),
    Route("GET", "/development/mailbox", queries.Mailbox, None, ANYONE, summary="The last letters, in development"),
    Route("GET", "/me", queries.MyProfile, _READ, SELF, summary="What the cloud knows of me"),
    Route("PATCH", "/me", commands.ChangeProfile, _WRITE, SELF, client=("nickname", "language"), summary="Change nickname or language"),
    Route("DELETE", "/me", commands.EraseMe, _WRITE, SELF, summary="Be forgotten"),
    Route("GET", "/me/sessions", queries.MySessions, _READ, SELF, summary="My signed-in devices"),
    Route("DELETE", "/me/sessions", commands.RevokeOtherSessions, _WRITE, SELF, summary="Sign out every other device"),
    Route("DELETE", "/me/sessions/{session_id}", commands.RevokeSession, _WRITE, RECORD, summary="Sign out one device"),
    Route("POST", "/me/sign-out", commands.SignOut, _WRITE, SELF, summary="Sign this device out"),
    Route(
        "POST",
        "/me/contacts/codes",
        commands.RequestContactCode,
        _WRITE,
        SELF,
        client=("contact", "language", "region"),
        summary="Have a code sent to a new contact",
        takes_key=False,
    ),
    Route(
        "POST",
        "/me/contacts",
        commands.ConfirmContact,
        _WRITE,
        SELF,
        client=("challenge_id", "code"),
        summary="Confirm a new contact",
        reveals=reveal_contact,
    ),
    Route("GET", "/me/addresses", queries.AddressesOf, _READ, SELF, summary="My addresses"),
    Route("POST", "/me/addresses", commands.AddAddress, _WRITE, SELF, client=("address", "is_default"), summary="Keep an address"),
    Route(
        "PUT",
        "/me/addresses/{address_id}",
        commands.ChangeAddress,
        _WRITE,
        RECORD,
        client=("address", "is_default"),
        summary="Change an address",
    ),
    Route("DELETE", "/me/addresses/{address_id}", commands.RemoveAddress, _WRITE, RECORD, summary="Forget an address"),
    Route("POST", "/me/addresses/reading", forms.ReadAddress, _READ, SELF, ("text",), "Read an address that was pasted as one text"),
    Route("GET", "/address-forms/{country}", forms.AddressFormOf, None, ANYONE, ("region", "city"), "What an address has in a country"),
    Route("GET", "/shops/{shop_id}/staff", queries.StaffOf, "shop:read", _BOSSES, summary="Who works in a shop"),
    Route(
        "POST",
        "/shops/{shop_id}/staff",
        commands.GrantShopRole,
        "shop:write",
        _BOSSES,
        client=("person_id", "role"),
        summary="Give a role in a shop",
    ),
    Route(
        "DELETE",
        "/shops/{shop_id}/staff/{person_id}/{role}",
        commands.WithdrawShopRole,
        "shop:write",
        Owner.shop(),
        summary="Take a role in a shop back, or lay down one's own",
    ),
    Route("GET", "/operators", queries.Operators, "operate", _ADMIN, summary="Who works for the marketplace"),
    Route(
        "POST", "/operators", commands.GrantRole, "operate", _ADMIN, client=("person_id", "role"), summary="Give a role of the marketplace"
    ),
    Route(
        "DELETE", "/operators/{person_id}/{role}", commands.WithdrawRole, "operate", _ADMIN, summary="Take a role of the marketplace back"
    ),
    Route("POST", "/owners", commands.AppointOwner, "operate", _ADMIN, client=("shop_id", "person_id"), summary="Make somebody own a shop"),
    Route("DELETE", "/people/{person_id}", commands.ErasePerson, "operate", _ADMIN, summary="Forget a person"),
)
