"""A cloud that has a ledger and nothing else, and short words for what is posted in it."""

from typing import Any, Self

from yunduan.domains.ledger.audit import Audited, audit
from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.ledger.domain import DOMAIN as LEDGER
from yunduan.domains.ledger.model import Account, AccountFlag, Kind, NewAccount, Transfer
from yunduan.domains.ledger.queries import AccountOf
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.money import Money
from yunduan.runtime.domain import DOMAIN as RUNTIME
from yunduan.runtime.ports import Store
from yunduan.testing import World

LIMITED = AccountFlag.DEBITS_WITHIN_CREDITS


def cny(amount: int) -> Money:
    return Money(amount=amount, currency="CNY")


def new(name: str, flags: AccountFlag = LIMITED, *, currency: str = "CNY", code: int = 1) -> NewAccount:
    return NewAccount(id=AccountId(f"acc_{name}"), currency=currency, code=code, flags=flags)


def move(id: str, debit: str, credit: str, amount: int, *, currency: str = "CNY", kind: Kind = Kind.SINGLE, **more: Any) -> Transfer:
    return Transfer(
        id=TransferId(f"trf_{id}"),
        debit=AccountId(f"acc_{debit}"),
        credit=AccountId(f"acc_{credit}"),
        amount=Money(amount=amount, currency=currency),
        code=more.pop("code", 7),
        kind=kind,
        **more,
    )


class Books(World):
    """The ledger alone under virtual time."""

    @classmethod
    def on(cls, store: Store, **settings: Any) -> Self:
        """On a store."""
        return cls(store, domains=(RUNTIME, LEDGER), **settings)

    def open_accounts(self) -> None:
        """`bank` without a limit, `ann` and `bob` never below zero."""
        self.send(PostTransfers(transfers=(), opening=(new("bank", AccountFlag.NONE), new("ann"), new("bob"))))

    def post(self, *transfers: Transfer, opening: tuple[NewAccount, ...] = (), closing: tuple[str, ...] = ()) -> None:
        """Post linked transfers."""
        self.send(PostTransfers(transfers=transfers, opening=opening, closing=tuple(AccountId(f"acc_{name}") for name in closing)))

    def refused(self, *transfers: Transfer, opening: tuple[NewAccount, ...] = (), closing: tuple[str, ...] = ()) -> str:
        """The code that linked transfers are refused with, having changed nothing at all."""
        before = self.everything()
        command = PostTransfers(transfers=transfers, opening=opening, closing=tuple(AccountId(f"acc_{name}") for name in closing))
        code = self.refusal(command)
        assert self.everything() == before
        return code

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """Every row of the ledger."""
        tables = ("account", "counter", "transfer", "resolution", "milestone", "block", "fork", "alarm", "fact")
        return [sorted(self.rows(f"SELECT * FROM {table}"), key=repr) for table in tables]

    def account(self, name: str) -> Account:
        """An account."""
        account = self.ask(AccountOf(id=AccountId(f"acc_{name}")))
        assert account is not None
        return account

    def counters(self, name: str) -> tuple[int, int, int, int]:
        """Debits and credits posted, debits and credits pending."""
        account = self.account(name)
        return account.debits_posted, account.credits_posted, account.debits_pending, account.credits_pending

    def audited(self) -> Audited:
        """The whole book, read from the store."""
        reader = self.cloud.store.reader()
        try:
            return audit(reader)
        finally:
            reader.close()
