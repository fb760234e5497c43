-- The account that a person or a shop is paid out to, sealed, and whether the channel has confirmed it.
CREATE TABLE payment_payee (owner TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL);
-- One row a payout. Those that have not ended are few, and are looked for by owner and by operators.
CREATE TABLE payment_payout (id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX payment_payout_of_owner ON payment_payout (owner, id);
CREATE INDEX payment_payout_open ON payment_payout (state, owner, id) WHERE state IN ('awaited', 'sent');
