"""Couriers ask channels for what transactions have decided, after the commit and at least once, and report back by a command."""

import asyncio

import msgspec
import structlog

from yunduan.domains.identity.model import Vault
from yunduan.domains.payments import chargebacks, payouts, store
from yunduan.domains.payments.commands import ReportOutgoing, Saying
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.mirroring import NOTHING_KEPT, WORD_MAX, KeptBalances, KeptLine, KeptMove
from yunduan.domains.payments.model import (
    Asked,
    Channel,
    Channels,
    KeptLineTold,
)
from yunduan.domains.payments.statements import LINES_AT_ONCE, CloseStatement, Closing, Compared, CompareStatement
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.money import Money, zero
from yunduan.runtime.answers import Answered
from yunduan.runtime.ports import Reader
from yunduan.runtime.writer import Writer

log = structlog.get_logger(__name__)
ERRANDS_AT_ONCE = 64
PAUSE_S = 0.5
PATIENCE_S = 30.0
"""How long a channel may take for one answer."""
_KNOWN = frozenset(KeptMove)


class Couriers:
    """Works through what channels have to be asked. Run by one process, the one that writes.

    A courier that dies between the question and the report asks again: a channel knows each request by its id and does it once.
    """

    def __init__(self, writer: Writer, reader: Reader, channels: Channels, vault: Vault, *, patience_s: float = PATIENCE_S) -> None:
        """Read what is due through a connection of its own."""
        self._patience_s = patience_s
        self._writer = writer
        self._reader = reader
        self._channels = channels
        self._vault = vault

    async def run(self) -> None:
        """Run errands until cancelled."""
        while True:
            if await self.run_once() < ERRANDS_AT_ONCE:
                await asyncio.sleep(PAUSE_S)

    async def run_once(self) -> int:
        """Ask everything that is due; answers how many errands came to a report.

        One that fails is put off like one whose channel cannot be reached: it neither stops the others nor stands before them.
        """
        due = store.due_outgoing(self._reader, self._writer.now(), ERRANDS_AT_ONCE)
        outcomes = await asyncio.gather(*(self._run(outgoing) for outgoing in due), return_exceptions=True)
        failed = [outgoing for outgoing, outcome in zip(due, outcomes, strict=True) if _has_failed(outgoing, outcome)]
        put_off = await asyncio.gather(*(self._report(_unreachable(outgoing)) for outgoing in failed), return_exceptions=True)
        for outgoing, outcome in zip(failed, put_off, strict=True):
            _has_failed(outgoing, outcome)
        return sum(1 for outcome in (*outcomes, *put_off) if not isinstance(outcome, BaseException) and outcome.accepted)

    def next_due(self) -> int | None:
        """When the next errand is due, in milliseconds since 1970."""
        return store.next_due(self._reader)

    async def _run(self, outgoing: Outgoing) -> Answered:
        if outgoing.kind is OutgoingKind.STATEMENT:
            return await self._state(outgoing)
        async with asyncio.timeout(self._patience_s):
            report = await self._ask(outgoing)
        return await self._report(report)

    async def _report(self, report: ReportOutgoing) -> Answered:
        return await self._writer.submit(report, actor=SYSTEM, background=True)

    async def _ask(self, outgoing: Outgoing) -> ReportOutgoing:
        channel = self._channels.by_name.get(outgoing.channel)
        if channel is None:  # taken out of the settings: its errands wait until it is back
            log.error("channel_missing", channel=outgoing.channel)
            return _unreachable(outgoing)
        if outgoing.kind in (OutgoingKind.PAYOUT, OutgoingKind.RELEASE, OutgoingKind.VERIFY) and outgoing.state is OutgoingState.WAITING:
            asked = await self._about_account(channel, outgoing)
            return ReportOutgoing(outgoing_id=outgoing.id, tries=outgoing.tries, asked=asked)
        if outgoing.kind is OutgoingKind.REFUND and outgoing.state is OutgoingState.WAITING:
            asked = await channel.refund(outgoing.id, outgoing.reference, outgoing.amount)
            return ReportOutgoing(outgoing_id=outgoing.id, tries=outgoing.tries, asked=asked)
        if outgoing.kind in (OutgoingKind.SPLIT, OutgoingKind.TAKE_BACK, OutgoingKind.COVER) and outgoing.state is OutgoingState.WAITING:
            asked = await self._about_split(outgoing)
            return ReportOutgoing(outgoing_id=outgoing.id, tries=outgoing.tries, asked=asked)
        if outgoing.kind in (OutgoingKind.CONTEST, OutgoingKind.CONCEDE):
            asked = await self._about_chargeback(channel, outgoing)
            return ReportOutgoing(outgoing_id=outgoing.id, tries=outgoing.tries, asked=asked)
        return await self._query(channel, outgoing)

    async def _state(self, outgoing: Outgoing) -> Answered:
        """A statement is compared in parts: each finds the same when it comes again."""
        provider, day = self._channels.providers.get(outgoing.channel), store.statement(self._reader, outgoing.cause)
        async with asyncio.timeout(self._patience_s):
            told = await provider.statement_of(day.since, day.until) if provider is not None and day is not None else None
        if told is None:
            return await self._report(_unreachable(outgoing))
        differing, late = 0, dict.fromkeys(told.balances, NOTHING_KEPT)
        lines = [_line(line) for line in told.lines]
        for first in range(0, len(lines), LINES_AT_ONCE):
            part = CompareStatement(statement_id=outgoing.cause, lines=tuple(lines[first : first + LINES_AT_ONCE]))
            answered = await self._writer.submit(part, actor=SYSTEM, background=True)
            if not answered.accepted:
                return answered
            compared = msgspec.json.decode(answered.body, type=Compared)
            differing += compared.differing
            for currency, more in compared.late.items():
                late[currency] = late.get(currency, NOTHING_KEPT).plus(more)
        theirs = {currency: KeptBalances(held=kept.held, given=kept.given, own=kept.own) for currency, kept in told.balances.items()}
        closing = tuple(Closing(currency=currency, theirs=theirs.get(currency, NOTHING_KEPT), late=more) for currency, more in late.items())
        whole = CloseStatement(outgoing_id=outgoing.id, tries=outgoing.tries, lines=len(lines), differing=differing, closing=closing)
        return await self._writer.submit(whole, actor=SYSTEM, background=True)

    async def _about_split(self, outgoing: Outgoing) -> Asked:
        """The provider is told whose each part is."""
        provider = self._channels.providers.get(outgoing.channel)
        if provider is None:
            return "unreachable"
        of_shop = Money(amount=outgoing.of_shop, currency=outgoing.amount.currency)
        rest = outgoing.amount - of_shop
        if outgoing.kind is OutgoingKind.TAKE_BACK:
            return await provider.take_back(outgoing.id, outgoing.origin, from_shop=of_shop, from_marketplace=rest)
        if outgoing.kind is OutgoingKind.COVER:
            nothing = zero(outgoing.amount.currency)
            return await provider.split(outgoing.id, outgoing.reference, "", to_shop=nothing, to_marketplace=outgoing.amount)
        split = store.split(self._reader, outgoing.cause)
        if split is None:
            return "unreachable"
        return await provider.split(outgoing.id, split.reference, split.shop_id, to_shop=of_shop, to_marketplace=rest)

    async def _about_chargeback(self, channel: Channel, outgoing: Outgoing) -> Asked:
        """Evidence is opened only to be told to the channel; what cannot be opened any more is not given."""
        if outgoing.kind is OutgoingKind.CONCEDE:
            return await channel.concede(outgoing.id, outgoing.reference)
        stated = store.evidence(self._reader, *chargebacks.evidence_of(outgoing.id))
        said = chargebacks.said_in(self._vault, stated) if stated is not None else None
        if said is None:
            return "refused"
        return await channel.contest(outgoing.id, outgoing.reference, said.text, said.references)

    async def _about_account(self, channel: Channel, outgoing: Outgoing) -> Asked:
        """What concerns a bank account: it is opened only to be told to the channel; one that cannot be opened is nobody's."""
        is_payout = outgoing.kind is not OutgoingKind.VERIFY
        kept = store.payout(self._reader, outgoing.id) if is_payout else store.payee(self._reader, outgoing.cause)
        account = payouts.opened(self._vault, kept.person, kept.sealed) if kept is not None and kept.id == outgoing.id else None
        if account is None:
            return "refused"
        if outgoing.kind is OutgoingKind.RELEASE:
            provider = self._channels.providers.get(outgoing.channel)
            return await provider.release(outgoing.id, outgoing.reference, account, outgoing.amount) if provider else "unreachable"
        if is_payout:
            return await channel.pay_out(outgoing.id, account, outgoing.amount)
        return await channel.verify(outgoing.id, account)

    async def _query(self, channel: Channel, outgoing: Outgoing) -> ReportOutgoing:
        request = "" if outgoing.kind is OutgoingKind.QUERY else outgoing.id
        is_chargeback = outgoing.kind is OutgoingKind.CHARGEBACK
        told = await (channel.chargeback(outgoing.reference) if is_chargeback else channel.query(outgoing.reference, request))
        if told is None:
            return _unreachable(outgoing)
        saying = Saying(
            event=told.event,
            merchant=told.merchant,
            reference=told.reference,
            outcome=told.outcome,
            amount=told.amount,
            request=told.request,
            chargeback=told.chargeback,
            fee=told.fee,
            evidence_due=told.evidence_due,
            held_until=told.held_until,
        )
        return ReportOutgoing(outgoing_id=outgoing.id, tries=outgoing.tries, asked="accepted", saying=saying)


def _has_failed(outgoing: Outgoing, outcome: Answered | BaseException) -> bool:
    """Whether it came to no report, which is logged."""
    if isinstance(outcome, BaseException):
        log.error("errand_failed", errand=outgoing.id, channel=outgoing.channel, error=repr(outcome))
    elif not outcome.accepted:
        log.error("report_refused", errand=outgoing.id, channel=outgoing.channel, refusal=outcome.body.decode())
    return isinstance(outcome, BaseException) or not outcome.accepted


def _unreachable(outgoing: Outgoing) -> ReportOutgoing:
    return ReportOutgoing(outgoing_id=outgoing.id, tries=outgoing.tries, asked="unreachable")


def _line(told: KeptLineTold) -> KeptLine:
    """A line as our books are asked for it; what we have no word for keeps the provider's own."""
    is_known = told.what in _KNOWN
    return KeptLine(
        what=KeptMove(told.what) if is_known else KeptMove.UNKNOWN,
        reference=told.reference,
        amount=told.amount,
        request=told.request,
        of_shop=told.of_shop,
        word="" if is_known else told.what[:WORD_MAX],
    )
