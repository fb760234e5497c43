"""What stories of payments have in common: one payer, two shops, a channel and a bank, and documents that are read from the store."""

import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from support.payments import BUYER, DAY, MINUTE, SECOND_SHOP, SHOP, Market, cny, order, refund_id
from yunduan.backends.sandbox import Misbehaviour, Sandbox
from yunduan.domains.payments import model
from yunduan.domains.payments.commands import RefundEscrow, SettleEscrow
from yunduan.domains.payments.model import Chargeback, ChargebackState, Escrow, EscrowState, PaymentStarted, PieceState, Refund, TenderKind
from yunduan.domains.payments.queries import RefundOf
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.domains.payments.unclaimed import Unclaimed
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import RefundId
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import Refused

SHOPS = (SHOP, SECOND_SHOP)
WON = ChargebackState.WON


class Story(RuleBasedStateMachine):
    """Orders are paid, refunded and settled; a bank takes money back; time passes. Each story says what else, and what is true."""

    market: Market
    loses = 0
    """How often, in a thousand, the channel loses what it tells."""
    purse: int
    """What the payer had in the wallet to begin with."""

    def __init__(self) -> None:
        """Nothing has happened, in a folder of its own."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.orders = self.checkouts = self.refunds = 0
        self.refund_ids: list[RefundId] = []
        self.to_settle: set[int] = set()
        """The orders whose settlement was asked for: refunded otherwise from then on."""

    @property
    def bank(self) -> Sandbox:
        """The channel of which banks take money back."""
        raise NotImplementedError

    # What happens

    @rule()
    def tell(self) -> None:
        """The channels say what they have to say."""
        self.market.tell()

    @rule()
    def run_errands(self) -> None:
        """The couriers go."""
        self.market.run_errands()

    @rule(by_ms=st.sampled_from([1_000, MINUTE, 3 * DAY]))
    def pass_time(self, by_ms: int) -> None:
        """Alarms ring."""
        self.market.world.pass_time(by_ms)

    @rule(data=st.data(), amounts=st.lists(st.integers(1, 1_500), min_size=1, max_size=3))
    def refund(self, data: st.DataObject, amounts: list[int]) -> None:
        """Several race, before the settlement or after."""
        self._refund(data.draw(st.integers(1, self.orders)), amounts)

    def _refund(self, number: int, amounts: list[int]) -> None:
        escrow = self.escrow(number)
        kind = RefundSettled if number in self.to_settle else RefundEscrow
        asks = []
        for amount in amounts:
            self.refunds += 1
            asks.append(kind(refund_id=refund_id(self.refunds), order_id=order(number), amount=cny(amount)))
        left = escrow.left.amount if escrow else 0
        for ask, outcome in zip(asks, self.market.world.send_all([(ask, SYSTEM) for ask in asks]), strict=True):
            if isinstance(outcome, Refused):
                over = not escrow or escrow.contested or ask.amount.amount > left or escrow.state is EscrowState.RETURNED
                assert over or self.may_be_refused(outcome, escrow)
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                assert escrow
                assert not escrow.contested
                left -= ask.amount.amount
                self.refund_ids.append(ask.refund_id)
        if escrow is not None:
            self.was_refunded(number, escrow)

    def may_be_refused(self, refused: Refused, escrow: Escrow) -> bool:
        """Whether a refund of what is there may be refused for something else."""
        del refused, escrow
        return False

    def was_refunded(self, number: int, before: Escrow) -> None:
        """Look at what refunds have made of an order."""

    @rule(data=st.data(), fee=st.integers(0, 500))
    def settle(self, data: st.DataObject, fee: int) -> None:
        """A shop is to be paid, unless a bank has taken money back."""
        self._settle(data.draw(st.integers(1, self.orders)), fee)

    def _settle(self, number: int, fee: int) -> None:
        escrow = self.escrow(number)
        shop = escrow.shop_id if escrow else SHOP
        try:
            self.market.world.send(SettleEscrow(order_id=order(number), shop_id=shop, commission=cny(fee)))
        except Refused:
            assert not escrow or escrow.contested or escrow.state is not EscrowState.HELD or fee > escrow.held.amount
        else:
            assert escrow
            self.to_settle.add(number)
            self.was_settled(number, escrow, fee)

    def was_settled(self, number: int, before: Escrow, fee: int) -> None:
        """Remember how an order's money is divided."""

    # What the store has

    def documents(self, kind: type[Any], table: str, where: str = "1 = 1") -> list[Any]:
        """Every document of a table, by key."""
        return [msgspec.json.decode(body, type=kind) for (body,) in self.market.world.rows(f"SELECT body FROM {table} WHERE {where}")]

    def found(self) -> list[Chargeback]:
        """Every chargeback."""
        return self.documents(Chargeback, "payment_chargeback", "1 = 1 ORDER BY id")

    def unclaimed(self) -> list[Unclaimed]:
        """What waits for the payer, or has waited."""
        return self.documents(Unclaimed, "payment_unclaimed", "1 = 1 ORDER BY id")

    def charges(self, started: PaymentStarted) -> tuple[model.Charge, ...]:
        """What channels collect of a payment."""
        (payment,) = self.documents(model.Payment, "payment", f"id = '{started.id}'")
        return payment.charges

    def escrow(self, number: int) -> Escrow | None:
        """Of an order that was paid."""
        try:
            return self.market.escrow(number)
        except Refused:
            return None

    def escrows(self) -> dict[int, Escrow]:
        """Of every order that was paid."""
        return {number: escrow for number in range(1, self.orders + 1) if (escrow := self.escrow(number)) is not None}

    def refunded(self) -> list[Refund]:
        """Every refund."""
        return [self.market.world.ask(RefundOf(refund_id=id)) for id in self.refund_ids]

    def unheard(self) -> set[str]:
        """What the bank has taken that nobody here has heard of: what was told of it was lost on its way, all of it."""
        return {event.chargeback for event in self.bank.chargebacks()} - {one.name for one in self.found()}

    # What is true

    def compare_escrows(self) -> None:
        """Each holds what its account does; what has not gone back is what was paid, less refunds and what a bank has of it."""
        taken: dict[str, int] = defaultdict(int)
        contested: dict[str, int] = defaultdict(int)
        for one in self.found():
            for share in one.shares:
                taken[share.order_id] += share.amount.amount if one.state is not WON else 0
                contested[share.order_id] += share.amount.amount if not one.is_decided else 0
        gone: dict[str, int] = defaultdict(int)
        for refund in self.refunded():
            gone[refund.order_id] += refund.whole.amount
        for escrow in self.escrows().values():
            paid = sum(funding.amount.amount for funding in escrow.funding)
            assert escrow.contested == contested[escrow.order_id]
            assert escrow.left.amount == paid - gone[escrow.order_id] - taken[escrow.order_id]
            assert escrow.held.amount == self.market.balance(escrow.account)

    def compare_wallet(self) -> None:
        """What the payer had and has had back into it, less what they have paid and what a bank has taken out of it."""
        wallet = self.purse
        for escrow in self.escrows().values():
            wallet -= sum(one.amount.amount for one in escrow.funding if one.kind is TenderKind.WALLET)
        for refund in self.refunded():
            for piece in refund.pieces:
                wallet += piece.rest.amount if piece.kind is TenderKind.WALLET or piece.state is PieceState.DIVERTED else 0
        for one in self.found():
            wallet += one.offset.amount - one.offset_kept if one.state is WON else -one.of_wallet.amount
        assert self.market.wallet(BUYER) == wallet

    def fees(self, one: Chargeback) -> list[Money]:
        """What of a chargeback's fee each order's shop pays when it is lost, and last the marketplace."""
        weights = [share.amount.amount for share in one.shares]
        return split(one.fee, [*weights, one.amount.amount - sum(weights)])

    # The end

    def teardown(self) -> None:
        """Let everything come to its end with channels that behave, then compare all books with all documents."""
        if not hasattr(self, "market"):
            return
        try:
            for sandbox in self.market.sandboxes.values():
                sandbox.misbehaviour = Misbehaviour()
            for event in self.bank.chargebacks():
                self.bank.decide_chargeback(event.chargeback, won=len(event.event) % 2 == 0)
            self.market.pass_time(90 * MINUTE, step=15 * MINUTE)
            self.market.pass_time(80 * DAY, step=8 * DAY)
            self.operators_act()
            self.market.pass_time(4 * MINUTE, step=MINUTE)
            assert self.market.world.cloud.writer.broken == 0
            assert self.market.balanced()
            assert self.loses or not self.unheard()
            assert all(one.is_decided for one in self.found())
            self.compare_wallet()
            self.compare()
        finally:
            self.market.__exit__()
            shutil.rmtree(self.folder)

    def operators_act(self) -> None:
        """What cannot end by itself is ended."""

    def compare(self) -> None:
        """Everything else that is true at the end."""
