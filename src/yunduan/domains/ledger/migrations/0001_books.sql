-- What an account is; written when it is opened and when it is closed.
CREATE TABLE account (id TEXT NOT NULL, number INTEGER NOT NULL, currency TEXT NOT NULL, code INTEGER NOT NULL, flags INTEGER NOT NULL, PRIMARY KEY (id)) CLUSTERED;
-- What moves, by the account's number: so narrow that a page holds 150, for every commit touches hundreds of them at random.
CREATE TABLE counter (number INTEGER NOT NULL PRIMARY KEY, debits_posted INTEGER NOT NULL, credits_posted INTEGER NOT NULL, debits_pending INTEGER NOT NULL, credits_pending INTEGER NOT NULL, last_seq INTEGER NOT NULL, count INTEGER NOT NULL);
-- Only ever added to. The columns are in the order of the canonical row, which is hashed, but seq is the key.
CREATE TABLE transfer (id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL PRIMARY KEY, debit TEXT NOT NULL, credit TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, code INTEGER NOT NULL, kind TEXT NOT NULL, pending_ref TEXT, due INTEGER, at INTEGER NOT NULL, effective_at INTEGER NOT NULL, debit_balance_after INTEGER NOT NULL, credit_balance_after INTEGER NOT NULL, debit_prev_seq INTEGER NOT NULL, credit_prev_seq INTEGER NOT NULL);
-- One resolution a hold, by the store's own word; most transfers resolve none and are not in it.
CREATE UNIQUE INDEX transfer_by_hold ON transfer (pending_ref) WHERE pending_ref IS NOT NULL;
-- The same as rows found by key: which holds have ended, and by which transfer.
CREATE TABLE resolution (hold TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (hold)) CLUSTERED;
-- Every 64th entry of an account: where a walk to a past time may begin.
CREATE TABLE milestone (account TEXT NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (account, at, seq)) CLUSTERED;
CREATE TABLE block (number INTEGER NOT NULL PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL UNIQUE, root BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL, at INTEGER NOT NULL);
CREATE TABLE fork (number INTEGER NOT NULL PRIMARY KEY, after_block INTEGER NOT NULL, transfer_seq INTEGER NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL);
-- The counters once more, added up from the transfers by a job that knows nothing else, and how far it has come.
CREATE TABLE derived (number INTEGER NOT NULL PRIMARY KEY, debits_posted INTEGER NOT NULL, credits_posted INTEGER NOT NULL, debits_pending INTEGER NOT NULL, credits_pending INTEGER NOT NULL, last_seq INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE TABLE derivation (id INTEGER NOT NULL PRIMARY KEY, through INTEGER NOT NULL);
INSERT INTO derivation (id, through) VALUES (1, 0);
