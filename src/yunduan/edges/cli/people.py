"""`yunduan person …`: people, their roles, and the letters of the development mailbox."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from yunduan.domains.identity.commands import GrantRole, RegisterPerson, WithdrawRole
from yunduan.domains.identity.model import Language, Letter, OperatorRole, contact_of
from yunduan.domains.identity.queries import Mailbox, PersonByContact
from yunduan.domains.notices.model import NoticeLetter
from yunduan.domains.notices.queries import NoticeMailbox
from yunduan.edges.cli.screen import BAD, console, errors
from yunduan.edges.cli.ways import DataFolder, settings_of, with_operator
from yunduan.edges.operator import Operator, RefusedThereError
from yunduan.kernel.ids import PersonId
from yunduan.kernel.refusals import Refused

app = typer.Typer(help="People and what they may do.", no_args_is_help=True)


def _given(contact: str) -> str:
    if not contact.strip():
        raise typer.BadParameter("a phone number or an e-mail address is wanted")
    return contact


Contact = Annotated[str, typer.Argument(callback=_given, help="A phone number (+86…) or an e-mail address.")]
Person = Annotated[str, typer.Argument(help="The person's id (per_…), or a phone number or e-mail address.")]


@app.command()
def register(contact: Contact, nickname: str = "", language: Language = Language.ZH, data: DataFolder = None) -> None:
    """Make a person who can sign in by a phone number or an e-mail address; begins the marketplace where there is none yet."""
    settings = settings_of(data)
    by = {"email": contact} if "@" in contact else {"phone": contact}
    ask = RegisterPerson(**by, nickname=nickname, language=language, region=settings.phone.region)
    console.print(with_operator(settings, lambda operator: operator.send(ask), begins=True).person_id)


@app.command()
def find(contact: Contact, data: DataFolder = None) -> None:
    """Say whose phone number or e-mail address it is."""
    console.print(person_named(contact, data))


@app.command()
def grant(person: Person, role: OperatorRole, data: DataFolder = None) -> None:
    """Let somebody work for the marketplace; the first admin is made here."""
    id = person_named(person, data)
    held = with_operator(settings_of(data), lambda operator: operator.send(GrantRole(person_id=id, role=role)))
    console.print(f"{held.person_id}: {', '.join(held.roles)}")


@app.command()
def withdraw(person: Person, role: OperatorRole, data: DataFolder = None) -> None:
    """Take a role away again."""
    id = person_named(person, data)
    held = with_operator(settings_of(data), lambda operator: operator.send(WithdrawRole(person_id=id, role=role)))
    console.print(f"{held.person_id}: {', '.join(held.roles) or 'no role'}")


@app.command()
def code(contact: Contact, data: DataFolder = None) -> None:
    """Print the last code that was sent to a contact, for signing in while nothing carries letters."""
    settings = settings_of(data)
    kept = _as_kept(contact, region=settings.phone.region)
    letters = with_operator(settings, lambda operator: operator.ask(Mailbox())).items
    found = next((letter.code for letter in letters if letter.contact == kept and letter.code), None)
    if found is None:
        errors.print(BAD, f"no letter to {contact} lies in the mailbox")
        raise typer.Exit(1)
    console.print(found)


@app.command()
def mailbox(data: DataFolder = None) -> None:
    """Show the last letters, with the codes to sign in by, and those about notices."""
    table = Table("at", "to", "code", "text", box=None)
    codes, notices = with_operator(settings_of(data), _both)
    rows = [(it.at, it.contact, it.code, it.text) for it in codes] + [(it.at, it.contact, "", it.text) for it in notices]
    for at, *rest in sorted(rows, key=lambda row: row[0], reverse=True):
        table.add_row(datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S"), *rest)
    console.print(table)


async def _both(operator: Operator) -> tuple[tuple[Letter, ...], tuple[NoticeLetter, ...]]:
    return (await operator.ask(Mailbox())).items, (await operator.ask(NoticeMailbox())).items


def _as_kept(contact: str, *, region: str) -> str:
    """A contact in its one form, as signing in makes it."""
    try:
        return contact_of(contact, region=region).text
    except Refused as refused:
        raise RefusedThereError(refused.code, refused.detail) from refused


def person_named(named: str, data: DataFolder) -> PersonId:
    """The id of a person given by id or by contact; ends the process when nobody is known by it."""
    if named.startswith("per_"):
        return PersonId(named)
    found = with_operator(settings_of(data), lambda operator: operator.ask(PersonByContact(contact=named)))
    if found is None:
        errors.print(BAD, f"nobody is known by {named}")
        raise typer.Exit(1)
    return found
