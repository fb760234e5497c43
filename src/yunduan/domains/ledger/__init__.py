"""The books: accounts, transfers between two of them, holds, and a chain of blocks that shows any later change.

Its words: an *account* has four counters, a *transfer* moves an amount from the account it debits to the account it credits, a
*hold* (a pending transfer) sets an amount aside until it is posted, voided or expires, a *block* seals the transfers of one
commit, a *proof* shows that a transfer is in a block. A *balance* is credits less debits. It knows opaque account ids only: who
owns an account, and why money moves, is the business of those who post.

Two times: the book is in the order of `at`, when a transfer was written, which never decreases; `effective_at` is the business
date that a statement shows. A transfer entered late with an early effective date changes no past balance.
"""
