"""A toy domain with one route of each kind, and a door for each way to fail."""

import time
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId, PersonId, SessionId, ShopId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import BusyError, FaultError, RefusalCode, Refused
from yunduan.runtime.ports import Table
from yunduan.runtime.registry import ANYONE, RECORD, SELF, Domain, Owner, Route, answers, handles
from yunduan.runtime.transaction import Asking, Tx


class ShelfRefusal(RefusalCode):
    """Why the shelf says no."""

    BOOK_NOT_FOUND = "book_not_found", "There is no such book."
    SHELF_FULL = "shelf_full", "There is no room on the shelf."
    TOO_MANY_BOOKS = "too_many_books", "Too many books came at once."
    NOT_DECLARED = "not_declared", "No message declares this."
    CODE_WRONG = "code_wrong", "The door stays closed."


class Book(Struct, frozen=True, kw_only=True):
    """A book on the shelf."""

    id: OrderId
    owner: PersonId
    title: str
    pages: int


class Left(Struct, frozen=True, kw_only=True):
    """How much room there is, and when to come again."""

    left: int
    again_at: int = 0


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one page costs."""

    page: Annotated[int, Meta(ge=1)]
    money: Money


def _book(row: Any) -> Book:
    return Book(id=row[0], owner=row[1], title=row[2], pages=row[3])


BOOKS: Table[str, Book] = Table(
    name="book",
    columns={"id": str, "owner": str, "title": str, "pages": int},
    value=_book,
    row=lambda book: (book.id, book.owner, book.title, book.pages),
)
Title = Annotated[str, Meta(min_length=1, max_length=80, description="On the cover.", examples=["红楼梦"])]
Pages = Annotated[int, Meta(ge=1, le=10_000, examples=[120])]
CODES = frozenset({ShelfRefusal.BOOK_NOT_FOUND, ShelfRefusal.SHELF_FULL, ShelfRefusal.TOO_MANY_BOOKS})


class AddBook(Command[Book], refuses=CODES, spends_key=True):
    """Put a book on one's own shelf.

    It stays there.
    """

    title: Title
    pages: Pages = 100
    prices: Annotated[tuple[Price, ...], Meta(max_length=3)] = ()


class RenameBook(Command[Book], refuses=(ShelfRefusal.BOOK_NOT_FOUND,)):
    """Change the title of one's own book."""

    book_id: OrderId
    title: Title


class StampBook(Command[None], refuses=(ShelfRefusal.BOOK_NOT_FOUND,)):
    """The shop's staff stamps a book."""

    shop_id: ShopId
    book_id: OrderId


class Knock(Command[int], refuses=(ShelfRefusal.CODE_WRONG,)):
    """Count a knock, whoever knocks."""

    code: str = ""


class Deliver(Command[str]):
    """Somebody else's words, as they came."""

    sender: Annotated[str, Meta(pattern="^[a-z]+$")]
    body: bytes
    signature: str


class Misbehave(Command[None], refuses=(ShelfRefusal.SHELF_FULL,)):
    """Break, fault or refuse in every way there is."""

    how: str


class BookOf(Query[Book], refuses=(ShelfRefusal.BOOK_NOT_FOUND,)):
    """One's own book."""

    book_id: OrderId


class Shelf(Query[tuple[Book, ...]]):
    """Everybody's books, by title."""

    limit: Annotated[int, Meta(ge=1, le=50, description="At most so many.")] = 20
    starts: Annotated[str, Meta(max_length=20)] = ""
    ids: tuple[OrderId, ...] = ()


class Mine(Query[int]):
    """How many books are one's own."""


class Stock(Query[int]):
    """How many books a shop could stamp."""

    shop_id: ShopId


class All(Query[int]):
    """How many books there are, for operators."""


class Whence(Query[str]):
    """Where the caller comes from."""


@answers(Whence)
def whence(at: Asking, ask: Whence) -> str:
    """As the edge has it."""
    return at.actor.origin


class Stumble(Query[None]):
    """Break, fault or dawdle."""

    how: str


class Slowly(Query[int], slow=True):
    """Answered beside the loop."""


@handles(AddBook)
def add_book(tx: Tx, ask: AddBook) -> Book:
    """Refuses by title, so that a test can choose."""
    if ask.title == "full":
        raise Refused(ShelfRefusal.SHELF_FULL, "no room", figures=Left(left=0))
    if ask.title == "often":
        raise Refused(ShelfRefusal.TOO_MANY_BOOKS, "wait", figures=Left(left=0, again_at=int(time.time() * 1000) + 90_000))
    book = Book(id=OrderId(tx.id("ord")), owner=tx.actor.person, title=ask.title, pages=ask.pages)
    tx.add(BOOKS, book.id, book)
    return book


@handles(RenameBook)
def rename_book(tx: Tx, ask: RenameBook) -> Book:
    """Whose book it is not, to that person it is not there."""
    book = tx.get(BOOKS, ask.book_id)
    if book is None or not tx.actor.owns(book.owner):
        raise Refused(ShelfRefusal.BOOK_NOT_FOUND)
    book = msgspec.structs.replace(book, title=ask.title)
    tx.put(BOOKS, book.id, book)
    return book


@handles(StampBook)
def stamp_book(tx: Tx, ask: StampBook) -> None:
    """Only looks."""
    if tx.get(BOOKS, ask.book_id) is None:
        raise Refused(ShelfRefusal.BOOK_NOT_FOUND)


@handles(Knock)
def knock(tx: Tx, ask: Knock) -> int:
    """What the edge makes of the answer is the route's business."""
    return 1 if ask.code == "good" else 0


@handles(Deliver)
def deliver(tx: Tx, ask: Deliver) -> str:
    """Says back what came."""
    return f"{ask.sender} {ask.signature} {ask.body.hex()}"


@handles(Misbehave)
def misbehave(tx: Tx, ask: Misbehave) -> None:
    """As told."""
    if ask.how == "undeclared":
        raise Refused(ShelfRefusal.NOT_DECLARED)
    if ask.how == "fault":
        raise FaultError("the disk is on fire")
    raise ZeroDivisionError("call +8613812345678 or a.b@example.com")


@answers(BookOf)
def book_of(at: Asking, ask: BookOf) -> Book:
    """By key."""
    book = at.get(BOOKS, ask.book_id)
    if book is None or not at.actor.owns(book.owner):
        raise Refused(ShelfRefusal.BOOK_NOT_FOUND)
    return book


@answers(Shelf)
def shelf(at: Asking, ask: Shelf) -> tuple[Book, ...]:
    """In order."""
    rows = at.rows("SELECT id, owner, title, pages FROM book ORDER BY title, id LIMIT ?", (ask.limit,))
    return tuple(book for row in rows if (book := _book(row)).title.startswith(ask.starts) and (not ask.ids or book.id in ask.ids))


def _count(at: Asking, owner: str = "") -> int:
    row = at.row("SELECT count(*) FROM book WHERE owner = ? OR ? = ''", (owner, owner))
    return int(row[0]) if row else 0


@answers(Mine)
def mine(at: Asking, ask: Mine) -> int:
    """By whoever asks."""
    return _count(at, at.actor.person)


@answers(Stock)
def stock(at: Asking, ask: Stock) -> int:
    """All of them."""
    return _count(at)


@answers(All)
def all_books(at: Asking, ask: All) -> int:
    """All of them."""
    return _count(at)


@answers(Slowly)
def slowly(at: Asking, ask: Slowly) -> int:
    """All of them."""
    return _count(at)


@answers(Stumble)
def stumble(at: Asking, ask: Stumble) -> None:
    """As told."""
    match ask.how:
        case "undeclared":
            raise Refused(ShelfRefusal.NOT_DECLARED)
        case "busy":
            raise BusyError("too much")
        case "dawdle":
            time.sleep(0.3)
        case "die":
            raise ZeroDivisionError("call +8613812345678 or a.b@example.com")


def reveal(answer: int, port: Any) -> str:
    """The word behind the door, or a refusal after the commit."""
    if not answer:
        raise Refused(ShelfRefusal.CODE_WRONG, "try again", figures=Left(left=4))
    return "sesame"


def take(path: Any, headers: Any, body: bytes, port: Any) -> Deliver:
    """The message of a request as it came."""
    return Deliver(sender=path["sender"], body=body, signature=headers.get("x-signature", ""))


ROUTES = (
    Route("GET", "/books", Shelf, None, ANYONE, client=("limit", "starts", "ids")),
    Route("POST", "/books", AddBook, "books:write", SELF, client=("title", "pages", "prices"), summary="Add a book"),
    Route("GET", "/books/mine", Mine, "books:read", SELF),
    Route("GET", "/books/{book_id}", BookOf, "books:read", RECORD),
    Route("PATCH", "/books/{book_id}", RenameBook, "books:write", RECORD, client=("title",)),
    Route("GET", "/shops/{shop_id}/books", Stock, "shop:read", Owner.shop("owner", "packer")),
    Route("POST", "/shops/{shop_id}/books/{book_id}/stamp", StampBook, "shop:write", Owner.shop("owner")),
    Route("GET", "/operators/books", All, "operate", Owner.operator("admin")),
    Route("POST", "/door", Knock, None, ANYONE, client=("code",), takes_key=False, reveals=reveal),
    Route("POST", "/senders/{sender}/words", Deliver, None, ANYONE, client=("body", "signature"), takes_key=False, takes=take),
    Route("POST", "/mischief", Misbehave, None, ANYONE, client=("how",)),
    Route("GET", "/stumbles", Stumble, None, ANYONE, client=("how",)),
    Route("GET", "/slowly", Slowly, None, ANYONE),
    Route("GET", "/whence", Whence, None, ANYONE),
)
DOMAIN = Domain(
    name="shelf",
    package="support.shelf",
    commands=(add_book, rename_book, stamp_book, knock, deliver, misbehave),
    queries=(whence, book_of, shelf, mine, stock, all_books, slowly, stumble),
    routes=ROUTES,
)
SHOP, OTHER_SHOP = ShopId("shp_1"), ShopId("shp_2")
SCOPES = frozenset({"books:read", "books:write", "shop:read", "shop:write", "operate"})


def _caller(name: str, scopes: frozenset[str] = SCOPES, **roles: Any) -> Actor:
    return Actor(person=PersonId(f"per_{name}"), session=SessionId(f"ses_{name}"), scopes=scopes, **roles)


CALLERS = {
    b"buyer": _caller("buyer"),
    b"other": _caller("other"),
    b"reader": _caller("buyer", frozenset({"books:read"})),
    b"owner": _caller("owner", shop_roles={SHOP: frozenset({"owner"})}),
    b"packer": _caller("packer", shop_roles={SHOP: frozenset({"packer"})}),
    b"stranger": _caller("stranger", shop_roles={OTHER_SHOP: frozenset({"owner"})}),
    b"admin": _caller("admin", operator_roles=frozenset({"admin"})),
    b"analyst": _caller("analyst", operator_roles=frozenset({"analyst"})),
}


def admits(token: bytes, origin: str) -> Actor | None:
    """Tokens are names here."""
    caller = CALLERS.get(token)
    return msgspec.structs.replace(caller, origin=origin) if caller else None
