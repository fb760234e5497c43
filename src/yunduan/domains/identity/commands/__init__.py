"""What may be asked of identity: sign in and out, be reached, give and take roles, keep addresses, be erased."""

from yunduan.domains.identity.commands.addresses import AddAddress, ChangeAddress, RemoveAddress
from yunduan.domains.identity.commands.codes import (
    ConfirmContact,
    ForgetBudget,
    ForgetChallenge,
    OpenSession,
    RequestCode,
    RequestContactCode,
)
from yunduan.domains.identity.commands.erasure import EraseMe, ErasePerson
from yunduan.domains.identity.commands.letters import RETRY_MS, ForgetLetter, ForgetLetterDay, NoteDelivery, letter_key
from yunduan.domains.identity.commands.people import ChangeProfile, RegisterPerson
from yunduan.domains.identity.commands.roles import AppointOwner, GrantRole, GrantShopRole, WithdrawRole, WithdrawShopRole
from yunduan.domains.identity.commands.sessions import EndIdleSession, RevokeOtherSessions, RevokeSession, SignOut, TouchSession, token_hash

__all__ = [
    "RETRY_MS",
    "AddAddress",
    "AppointOwner",
    "ChangeAddress",
    "ChangeProfile",
    "ConfirmContact",
    "EndIdleSession",
    "EraseMe",
    "ErasePerson",
    "ForgetBudget",
    "ForgetChallenge",
    "ForgetLetter",
    "ForgetLetterDay",
    "GrantRole",
    "GrantShopRole",
    "NoteDelivery",
    "OpenSession",
    "RegisterPerson",
    "RemoveAddress",
    "RequestCode",
    "RequestContactCode",
    "RevokeOtherSessions",
    "RevokeSession",
    "SignOut",
    "TouchSession",
    "WithdrawRole",
    "WithdrawShopRole",
    "letter_key",
    "token_hash",
]
