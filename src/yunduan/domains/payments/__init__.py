"""Payments: wallets, shop balances, payments by one or several tenders, escrow (担保交易), refunds the way they came (原路退回), payouts.

Its words: a *payment* is what one checkout (or one top-up) costs; a *tender* is one way in which a part of it is paid; a *charge*
is what a *channel*, somebody else's payment service, is asked to collect; an *escrow* is the money of one order between the buyer
and the shop. Every sum stands in the ledger; the tables here say what it is for.

It knows orders and shops by their ids alone: who may settle or refund is decided above.
"""
