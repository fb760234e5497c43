"""What payments can be asked: one's wallet, a payment, an escrow, a shop's balance, and the platform's own accounts."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.ledger.model import Account, Block, Hash, Kind, LedgerRefusal, TransferRecord, leaf_of
from yunduan.domains.ledger.queries import LINES_MAX, AccountOf, Line, ProofOf, StatementOf, TrialBalance
from yunduan.domains.payments import drawing, model, offsetting, payees, postings, recourse, store
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.model import (
    Alert,
    Channels,
    Charge,
    Chargeback,
    ChargebackState,
    ChargeState,
    Escrow,
    EscrowState,
    Payment,
    PaymentRefusal,
    PaymentState,
    Refund,
    TenderKind,
)
from yunduan.domains.payments.store import CHARGEBACKS, ESCROWS, OUTGOING, PAYMENTS, REFUNDS
from yunduan.domains.payments.unclaimed import unclaimed_account
from yunduan.kernel.ids import LAST, AccountId, OrderId, PaymentId, PersonId, RefundId, ShopId, TransferId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Currency, Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

ALERTS_MAX = 100
CHARGEBACKS_MAX = 1_000
FEE = ".fee"
"""How the name of a chargeback ends in a channel's statement where its fee is meant."""
READERS = ("admin", "finance", "service", "risk")
"""Operators who may look at anybody's payment."""


class Balance(Struct, frozen=True, kw_only=True):
    """Money of one owner in one currency: what may be spent, and what is set aside for payments that are pending."""

    available: Money
    held: Money


class Balances(Struct, frozen=True, kw_only=True):
    """All money of one owner, a line for each currency."""

    balances: tuple[Balance, ...]


class MoneyLine(Struct, frozen=True, kw_only=True):
    """One movement of an account: `change` (minor units, with its sign) is what it did to the balance, `what` names the posting."""

    id: TransferId
    what: str
    kind: Kind
    other_id: AccountId
    amount: Money
    change: int
    balance: int
    at: int


class MoneyStatement(Struct, frozen=True, kw_only=True):
    """A page of movements, newest first; `after` asks for the following page."""

    items: tuple[MoneyLine, ...]
    after: int | None


After = Annotated[int, Meta(ge=1, le=2**53, description="The `after` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=LINES_MAX)]


class WalletOf(Query[Balances]):
    """The caller's wallet."""


class StatementOfWallet(Query[MoneyStatement], refuses=(LedgerRefusal.PAGE_NOT_FOUND,)):
    """The movements of the caller's wallet in one currency."""

    currency: Currency
    after: After | None = None
    limit: Limit = 50


class PersonalMoney(Struct, frozen=True, kw_only=True):
    """All money of one person: in each currency, what is in the wallet (set aside or not) and what is on its way over channels."""

    in_wallet: tuple[Money, ...]
    on_its_way: tuple[Money, ...]


class MoneyOf(Query[PersonalMoney]):
    """Whether anything of somebody's is here or on its way, in or out; whoever asks answers for who may see it."""

    person_id: PersonId


class PaymentOf(Query[Payment], refuses=(PaymentRefusal.NOT_FOUND,)):
    """A payment, for whoever pays it and for operators; to others it is as if it were not there."""

    payment_id: PaymentId


class EscrowOf(Query[Escrow], refuses=(PaymentRefusal.ESCROW_NOT_FOUND,)):
    """The money of an order that has been paid; whoever asks answers for who may see it."""

    order_id: OrderId


class KeptOfOrder(Struct, frozen=True, kw_only=True):
    """What providers keep of an order: `channel` is one that they keep it for, `until` when they keep it no longer, 0 when none does.

    `is_split` while they are asked to divide all that the order has.
    """

    amount: Money
    channel: str
    until: int
    is_split: bool


class KeptOf(Query[KeptOfOrder | None]):
    """Whether a provider keeps money of an order; whoever asks answers for who may know."""

    order_id: OrderId


class ShareState(StrEnum):
    """Where a part of what an order costs is before its money is in escrow, or when it never came to that."""

    UNPAID = "unpaid"
    """A channel has yet to be paid, or never was; or it is free in the wallet again."""
    IN_FLIGHT = "in_flight"
    SET_ASIDE = "set_aside"
    """In the payer's wallet, for nothing else."""
    COLLECTED = "collected"
    """A channel has it; others have yet to collect theirs."""
    RETURNING = "returning"
    RETURNED = "returned"
    IN_WALLET = "in_wallet"


class SharesOfOrder(Struct, frozen=True, kw_only=True):
    """What an order's buyer pays of it, by where that is; `due` is until when what is missing is waited for, 0 when it is not."""

    due: int
    shares: tuple[tuple[ShareState, Money], ...]


class SharesOf(Query[SharesOfOrder], refuses=(PaymentRefusal.NOT_FOUND,)):
    """Where the money of an order is that is not paid yet, or never was; whoever asks answers for who may know."""

    payment_id: PaymentId
    order_id: OrderId


class MovementsOf(Query[tuple[MoneyLine, ...]]):
    """The last movements of an order's money, the latest first; whoever asks answers for who may see them.

    Those of its escrow, and of what was drawn for refunds after the shop had been paid.
    """

    order_id: OrderId


class RefundOf(Query[Refund], refuses=(PaymentRefusal.REFUND_NOT_FOUND,)):
    """Where a refund is; whoever asks answers for who may see it."""

    refund_id: RefundId


class RefundsOf(Query[tuple[Refund, ...]]):
    """Refunds of an order, the latest first, from before one of them on; whoever asks answers for who may see them."""

    order_id: OrderId
    before: RefundId | None = None
    limit: Limit = 50


class ShopBalance(Balance, frozen=True, kw_only=True):
    """What a shop has in one currency: its balance, beside that what it has pledged, and what it owes the marketplace.

    `received` is what providers have given to it that keep their channels' money, less what came back: it has that there.
    """

    deposit: Money
    owed: Money
    received: Money


class ShopBalances(Struct, frozen=True, kw_only=True):
    """All money of one shop, a line for each currency."""

    balances: tuple[ShopBalance, ...]


class ShopBalanceOf(Query[ShopBalances]):
    """What a shop has earned and not yet been paid out, what it has pledged, and what it owes."""

    shop_id: ShopId


class ShopAccount(StrEnum):
    """Which account of a shop."""

    BALANCE = "balance"
    DEPOSIT = "deposit"
    RECEIVABLE = "receivable"
    """What it owes the marketplace: below zero by that."""
    RECEIVED = "received"
    """What providers have given to it."""


class StatementOfShop(Query[MoneyStatement], refuses=(LedgerRefusal.PAGE_NOT_FOUND,)):
    """The movements of a shop's balance in one currency, or of its deposit, or of what it owes."""

    shop_id: ShopId
    currency: Currency
    account: ShopAccount = ShopAccount.BALANCE
    after: After | None = None
    limit: Limit = 50


class Receipt(Struct, frozen=True, kw_only=True):
    """That a transfer is in the book, for an owner of its money: its leaf leads along `path` to the root of its block.

    `transfer` is what the leaf is the hash of (`ledger.chain`). It tells the balances of both accounts, so it is there only when both
    are the owner's; otherwise the leaf alone is what the marketplace is held to, by whoever may see the book.
    """

    transfer_id: TransferId
    what: str
    amount: Money
    at: int
    seq: int
    leaf: Hash
    path: tuple[Hash, ...]
    block: Block
    transfer: TransferRecord | None


class ReceiptOf(Query[Receipt], refuses=(LedgerRefusal.TRANSFER_NOT_FOUND,)):
    """A proof for a transfer of the caller's wallet, or of what they have paid; others are as if they were not there."""

    transfer_id: TransferId


class ReceiptOfShop(Query[Receipt], refuses=(LedgerRefusal.TRANSFER_NOT_FOUND,)):
    """A proof for a transfer of a shop's balance, or of the escrow of one of its orders."""

    shop_id: ShopId
    transfer_id: TransferId


class PlatformAccount(Struct, frozen=True, kw_only=True):
    """One of the marketplace's own accounts: credits less debits, in minor units, with its sign."""

    id: AccountId
    name: str
    balance: int


class PlatformAccounts(Struct, frozen=True, kw_only=True):
    """The marketplace's own accounts in one currency: a channel's balance is below zero by what it owes us."""

    currency: str
    items: tuple[PlatformAccount, ...]


class PlatformAccountsOf(Query[PlatformAccounts]):
    """Commission and what is missing of it, difference, promotions, what chargebacks cost; what each channel has collected, paid out and
    charged, and what is on its way.
    """

    currency: Currency


class Purpose(Struct, frozen=True, kw_only=True):
    """All accounts of one purpose in one currency, added up: what was debited and credited, in minor units."""

    name: str
    accounts: int
    debits: int
    credits: int

    @property
    def balance(self) -> int:
        """Credits less debits, with its sign: a channel's is below zero by what it owes us."""
        return self.credits - self.debits


class MoneyByPurpose(Query[tuple[Purpose, ...]], slow=True):
    """Where all money of one currency is: wallets, shops, escrow, what is on its way, channels, commission; together it is nothing."""

    currency: Currency


class OpenAlerts(Struct, frozen=True, kw_only=True):
    """Alerts that nobody has dealt with; `after` asks for the following page, nothing when there is none."""

    items: tuple[Alert, ...]
    after: str | None


class OpenAlertsOf(Query[OpenAlerts]):
    """Genuine notifications that did not match."""

    after: Annotated[str, Meta(pattern=r"^(alr_[0-9a-f]{26})?(?![\s\S])")] = ""
    limit: Annotated[int, Meta(ge=1, le=ALERTS_MAX)] = 50


class TheirLine(Struct, frozen=True, kw_only=True):
    """One line of a channel's own statement: collected, or when there is a `request` given back, paid out, taken back or charged."""

    reference: str
    amount: Money
    request: str = ""


class Discrepancy(Struct, frozen=True, kw_only=True):
    """A line of the channel's statement that our books do not have, or have otherwise; `ours` is what we have, 0 for nothing."""

    reference: str
    request: str
    theirs: int
    ours: int


class Reconciliation(Struct, frozen=True, kw_only=True):
    """Our books against a channel's: `clearing` is what we say that it owes us, `theirs` what its statement adds up to.

    When no line differs and the sums do, our books have something that the channel's statement does not.
    """

    clearing: int
    theirs: int
    discrepancies: tuple[Discrepancy, ...]

    @property
    def agrees(self) -> bool:
        """Whether the two are the same to the last unit."""
        return self.clearing == self.theirs and not self.discrepancies


class ReconciliationOf(Query[Reconciliation], refuses=(PaymentRefusal.CHANNEL_UNKNOWN,), slow=True):
    """Compare a channel's whole statement in one currency with our books, line by line and in all."""

    channel: model.ChannelName
    currency: Currency
    theirs: tuple[TheirLine, ...]


@answers(WalletOf)
def wallet_of(at: Asking, _: WalletOf) -> Balances:
    """Whoever asks sees their own."""
    return _balances(at, at.actor.person)


@answers(MoneyOf)
def money_of(at: Asking, ask: MoneyOf) -> PersonalMoney:
    """The wallets' accounts, and every payment and refund over a channel that the person has ever had."""
    accounts = [at.ask(AccountOf(id=purse.account)) for purse in store.purses(at, ask.person_id)]
    in_wallet = [Money(amount=account.balance, currency=account.currency) for account in accounts if account is not None]
    payments, refunds = store.of_payer(at, ask.person_id)
    on_its_way = model.on_its_way(list(at.get_many(PAYMENTS, payments).values()), list(at.get_many(REFUNDS, refunds).values()))
    on_its_way += [payout.amount for payout in store.open_payouts(at, ask.person_id)]
    contested = at.get_many(CHARGEBACKS, store.chargebacks_of(at, ask.person_id, LAST, CHARGEBACKS_MAX)).values()
    on_its_way += [chargeback.amount for chargeback in contested if not chargeback.is_decided]
    on_its_way += [offsetting.on_its_way_again(at, chargeback) for chargeback in contested if chargeback.offset_kept]
    return PersonalMoney(in_wallet=_by_currency(in_wallet), on_its_way=_by_currency(on_its_way))


def _by_currency(amounts: list[Money]) -> tuple[Money, ...]:
    currencies = sorted({money.currency for money in amounts if money})
    return tuple(model.total(currency, [money for money in amounts if money.currency == currency]) for currency in currencies)


@answers(ShopBalanceOf)
def shop_balance_of(at: Asking, ask: ShopBalanceOf) -> ShopBalances:
    """The edge has looked at the caller's role in this shop."""
    found = []
    for purse in store.purses(at, ask.shop_id):
        account, standing = at.ask(AccountOf(id=purse.account)), recourse.standing(at, ask.shop_id, purse.currency)
        found.append(
            ShopBalance(
                available=standing.available,
                held=Money(amount=account.debits_pending if account else 0, currency=purse.currency),
                deposit=standing.deposit,
                owed=standing.owed,
                received=recourse.available(at, model.received_account(ask.shop_id, purse.currency), purse.currency),
            )
        )
    return ShopBalances(balances=tuple(found))


def _balances(at: Asking, owner: str) -> Balances:
    accounts = [at.ask(AccountOf(id=purse.account)) for purse in store.purses(at, owner)] if owner else []
    return Balances(balances=tuple(_balance(account) for account in accounts if account is not None))


def _balance(account: Account) -> Balance:
    return Balance(available=account.available(), held=Money(amount=account.debits_pending, currency=account.currency))


@answers(StatementOfWallet)
def statement_of_wallet(at: Asking, ask: StatementOfWallet) -> MoneyStatement:
    """Whoever asks sees their own."""
    return _statement(at, model.wallet_account(at.actor.person, ask.currency), start=ask.after, limit=ask.limit)


@answers(StatementOfShop)
def statement_of_shop(at: Asking, ask: StatementOfShop) -> MoneyStatement:
    """The edge has looked at the caller's role in this shop."""
    return _statement(at, _ACCOUNTS[ask.account](ask.shop_id, ask.currency), start=ask.after, limit=ask.limit)


_ACCOUNTS = {
    ShopAccount.BALANCE: model.shop_account,
    ShopAccount.DEPOSIT: drawing.deposit_account,
    ShopAccount.RECEIVABLE: drawing.receivable_account,
    ShopAccount.RECEIVED: model.received_account,
}


def _statement(at: Asking, account: AccountId, *, start: int | None, limit: int) -> MoneyStatement:
    if at.ask(AccountOf(id=account)) is None:
        return MoneyStatement(items=(), after=None)
    page = at.ask(StatementOf(account_id=account, after=start, limit=limit))
    return MoneyStatement(items=tuple(_line(line) for line in page.items), after=page.after)


_NAMES = {template.code: template.name for template in postings.TEMPLATES}


def _line(line: Line) -> MoneyLine:
    return MoneyLine(
        id=line.id,
        what=_NAMES.get(line.code, "other"),
        kind=line.kind,
        other_id=line.other_id,
        amount=line.amount,
        change=line.change,
        balance=line.balance,
        at=line.at,
    )


@answers(ReceiptOf)
def receipt_of(at: Asking, ask: ReceiptOf) -> Receipt:
    """Whoever asks sees their own."""
    person = at.actor.person
    return _receipt(at, ask.transfer_id, lambda account, currency: bool(person) and _is_of_person(at, person, account, currency))


@answers(ReceiptOfShop)
def receipt_of_shop(at: Asking, ask: ReceiptOfShop) -> Receipt:
    """The edge has looked at the caller's role in this shop."""
    return _receipt(at, ask.transfer_id, lambda account, currency: _is_of_shop(at, ask.shop_id, account, currency))


def _is_of_person(at: Asking, person: PersonId, account: AccountId, currency: str) -> bool:
    """Whether an account is a person's wallet, what is owed to them, an order's escrow, or what a payment or refund meets in."""
    if account in (model.wallet_account(person, currency), unclaimed_account(person, currency)):
        return True
    refund_id = drawing.refund_of_drawing(account)
    if refund_id:
        refund = at.get(REFUNDS, refund_id)
        return refund is not None and refund.payer == person
    order_id, payment_id = model.order_of_escrow(account), model.payment_of_clearing(account)
    paid = at.get(ESCROWS, order_id) if order_id else at.get(PAYMENTS, payment_id) if payment_id else None
    return paid is not None and paid.payer == person


def _is_of_shop(at: Asking, shop: ShopId, account: AccountId, currency: str) -> bool:
    """Whether an account is one of a shop's, the escrow of an order of the shop, or what a refund of such an order meets in."""
    if account in [id_of(shop, currency) for id_of in _ACCOUNTS.values()]:
        return True
    refund_id = drawing.refund_of_drawing(account)
    refund = at.get(REFUNDS, refund_id) if refund_id else None
    order_id = refund.order_id if refund else model.order_of_escrow(account)
    escrow = at.get(ESCROWS, order_id) if order_id else None
    return escrow is not None and escrow.shop_id == shop


def _receipt(at: Asking, id: TransferId, owns: Callable[[AccountId, str], bool]) -> Receipt:
    proof = at.ask(ProofOf(transfer_id=id))
    transfer = proof.transfer
    owned = [owns(account, transfer.currency) for account in (transfer.debit, transfer.credit)]
    if not any(owned):
        raise Refused(LedgerRefusal.TRANSFER_NOT_FOUND)
    return Receipt(
        transfer_id=transfer.id,
        what=_NAMES.get(transfer.code, "other"),
        amount=Money(amount=transfer.amount, currency=transfer.currency),
        at=transfer.at,
        seq=transfer.seq,
        leaf=leaf_of(transfer),
        path=proof.path,
        block=proof.block,
        transfer=transfer if all(owned) else None,
    )


@answers(PaymentOf)
def payment_of(at: Asking, ask: PaymentOf) -> Payment:
    """The payer, an operator, or the cloud itself."""
    payment = at.get(PAYMENTS, ask.payment_id)
    actor = at.actor
    if payment is None or not (actor.owns(payment.payer) or actor.operates(*READERS) or actor.is_system):
        raise Refused(PaymentRefusal.NOT_FOUND)
    return payment


@answers(EscrowOf)
def escrow_of(at: Asking, ask: EscrowOf) -> Escrow:
    """The escrow as it stands, also when it has been emptied."""
    escrow = at.get(ESCROWS, ask.order_id)
    if escrow is None:
        raise Refused(PaymentRefusal.ESCROW_NOT_FOUND)
    return escrow


@answers(KeptOf)
def kept_of(at: Asking, ask: KeptOf) -> KeptOfOrder | None:
    """Nothing where none does any more, or ever did."""
    escrow = at.get(ESCROWS, ask.order_id)
    if escrow is None or escrow.state not in (EscrowState.HELD, EscrowState.SPLITTING):
        return None
    kept = [one for _, one in model.kept_by_providers(escrow) if one.left]
    if not kept:
        return None
    is_split = escrow.state is EscrowState.SPLITTING
    return KeptOfOrder(amount=model.left_with_providers(escrow), channel=kept[0].channel, until=escrow.held_until, is_split=is_split)


@answers(SharesOf)
def shares_of(at: Asking, ask: SharesOf) -> SharesOfOrder:
    """Each tender pays a share of each order, by the rule by which escrows are funded."""
    payment = at.get(PAYMENTS, ask.payment_id)
    if payment is None:
        raise Refused(PaymentRefusal.NOT_FOUND)
    waits = payment.state is PaymentState.PENDING
    found = dict.fromkeys(ShareState, 0)
    for part, fundings in zip(payment.parts, model.fund(payment), strict=True):
        for funding in fundings if part.order_id == ask.order_id else ():
            if funding.kind is not TenderKind.PROMOTION:
                found[_share_state(payment.charge(funding.reference), waits=waits)] += funding.amount.amount
    shares = tuple([(state, Money(amount=sum_, currency=payment.currency)) for state, sum_ in found.items() if sum_])
    return SharesOfOrder(due=payment.due if waits else 0, shares=shares)


def _share_state(charge: Charge | None, *, waits: bool) -> ShareState:
    if charge is None:
        return ShareState.SET_ASIDE if waits else ShareState.UNPAID
    if charge.state is ChargeState.PENDING and charge.in_flight:
        return ShareState.IN_FLIGHT
    return _SHARES[charge.state]


_SHARES = {
    ChargeState.PENDING: ShareState.UNPAID,
    ChargeState.CAPTURED: ShareState.COLLECTED,
    ChargeState.ENDED: ShareState.UNPAID,
    ChargeState.RETURNING: ShareState.RETURNING,
    ChargeState.RETURNED: ShareState.RETURNED,
    ChargeState.DIVERTED: ShareState.IN_WALLET,
}


@answers(MovementsOf)
def movements_of(at: Asking, ask: MovementsOf) -> tuple[MoneyLine, ...]:
    """None before it is paid; whatever was drawn was drawn after the escrow had ended."""
    drawn = [refund for refund in store.refunds_of(at, ask.order_id, LAST, LINES_MAX) if refund.drawn is not None]
    latest = sorted(drawn, key=lambda refund: refund.at, reverse=True)
    accounts = [*(drawing.drawing_account(refund.id) for refund in latest), model.escrow_account(ask.order_id)]
    lines = [line for account in accounts for line in _statement(at, account, start=None, limit=LINES_MAX).items]
    return tuple(lines[:LINES_MAX])


@answers(RefundOf)
def refund_of(at: Asking, ask: RefundOf) -> Refund:
    """The refund and each of its pieces."""
    refund = at.get(REFUNDS, ask.refund_id)
    if refund is None:
        raise Refused(PaymentRefusal.REFUND_NOT_FOUND)
    return refund


@answers(RefundsOf)
def refunds_of(at: Asking, ask: RefundsOf) -> tuple[Refund, ...]:
    """One page by the index of orders."""
    return tuple(store.refunds_of(at, ask.order_id, ask.before or LAST, ask.limit))


@answers(PlatformAccountsOf)
def platform_accounts_of(at: Asking, ask: PlatformAccountsOf) -> PlatformAccounts:
    """One that has never been used stands at zero."""
    named = [
        ("commission", model.commission_account(ask.currency)),
        ("difference", model.difference_account(ask.currency)),
        ("promotions", model.promotions_account(ask.currency)),
        ("shortfall", drawing.shortfall_account(ask.currency)),
    ]
    for channel in sorted(at.port(Channels).by_name):
        named.append((f"channel {channel}", model.channel_account(channel, ask.currency)))
        named.append((f"returning {channel}", model.returning_account(channel, ask.currency)))
        named.append((f"paying {channel}", payees.paying_account(channel, ask.currency)))
        named.append((f"paid out {channel}", payees.paid_out_account(channel, ask.currency)))
        named.append((f"charged {channel}", model.charged_account(channel, ask.currency)))
    for provider in sorted(at.port(Channels).providers):
        named.append((f"held {provider}", model.held_account(provider, ask.currency)))
        named.append((f"given {provider}", model.given_account(provider, ask.currency)))
        named.append((f"own {provider}", model.own_account(provider, ask.currency)))
        named.append((f"bank {provider}", model.bank_account(provider, ask.currency)))
    named += [("fees", model.fees_account(ask.currency)), ("losses", model.losses_account(ask.currency))]
    accounts = tuple(PlatformAccount(id=id, name=name, balance=_posted(at, id)) for name, id in named)
    return PlatformAccounts(currency=ask.currency, items=accounts)


def _posted(at: Asking, id: AccountId) -> int:
    account = at.ask(AccountOf(id=id))
    return account.balance if account else 0


@answers(OpenAlertsOf)
def open_alerts_of(at: Asking, ask: OpenAlertsOf) -> OpenAlerts:
    """In the order of their ids; one more than asked for tells whether there is a next page."""
    found = store.open_alerts(at, ask.after, ask.limit + 1)
    alerts = tuple(found[: ask.limit])
    return OpenAlerts(items=alerts, after=alerts[-1].id if len(found) > ask.limit else None)


@answers(MoneyByPurpose)
def money_by_purpose(at: Asking, ask: MoneyByPurpose) -> tuple[Purpose, ...]:
    """The lines of the trial balance under the names of our accounts' codes; a purpose without accounts has no line."""
    return tuple(
        Purpose(
            name=postings.AccountCode(line.code).name.lower(),
            accounts=line.accounts,
            debits=line.debits_posted,
            credits=line.credits_posted,
        )
        for line in at.ask(TrialBalance()).lines
        if line.currency == ask.currency
    )


@answers(ReconciliationOf)
def reconciliation_of(at: Asking, ask: ReconciliationOf) -> Reconciliation:
    """Each of their lines is looked up in our books; ours are their sum, the clearing account."""
    at.port(Channels).named(ask.channel)
    theirs = sum(-line.amount.amount if line.request else line.amount.amount for line in ask.theirs)
    payments = at.get_many(PAYMENTS, [model.payment_of_reference(line.reference) for line in ask.theirs if not line.request])
    requests = at.get_many(OUTGOING, [line.request for line in ask.theirs if line.request])
    names = {line.request: model.chargeback_id(ask.channel, line.request.removesuffix(FEE)) for line in ask.theirs if line.request}
    taken = at.get_many(CHARGEBACKS, list(dict.fromkeys(names.values())))
    found = []
    for line in ask.theirs:
        if line.request:
            chargeback = taken.get(names[line.request])
            ours = _taken(chargeback, line) if chargeback else _given_back(requests.get(line.request), line, ask.channel)
        else:
            ours = _collected(payments.get(model.payment_of_reference(line.reference)), line, ask.channel)
        if ours != line.amount.amount:
            found.append(Discrepancy(reference=line.reference, request=line.request, theirs=line.amount.amount, ours=ours))
    clearing = -_posted(at, model.channel_account(ask.channel, ask.currency))
    clearing -= _posted(at, payees.paid_out_account(ask.channel, ask.currency)) + _posted(
        at, model.charged_account(ask.channel, ask.currency)
    )
    return Reconciliation(clearing=clearing, theirs=theirs, discrepancies=tuple(found))


def _collected(payment: Payment | None, line: TheirLine, channel: str) -> int:
    if payment is None or line.amount.currency != payment.currency:
        return 0
    charge = payment.charge(line.reference)
    if charge is not None and charge.channel == channel:
        return 0 if charge.state in (ChargeState.PENDING, ChargeState.ENDED) else charge.amount.amount
    return 0


def _taken(chargeback: Chargeback, line: TheirLine) -> int:
    """What a bank has taken back, or the channel charged for it; nothing once that was won."""
    if chargeback.state is ChargebackState.WON or chargeback.reference != line.reference:
        return 0
    return (chargeback.fee if line.request.endswith(FEE) else chargeback.amount).amount


def _given_back(outgoing: Outgoing | None, line: TheirLine, channel: str) -> int:
    if outgoing is None or (outgoing.channel, outgoing.reference) != (channel, line.reference):
        return 0
    is_done = outgoing.kind in (OutgoingKind.REFUND, OutgoingKind.PAYOUT) and outgoing.state is OutgoingState.DONE
    return outgoing.amount.amount if is_done else 0
