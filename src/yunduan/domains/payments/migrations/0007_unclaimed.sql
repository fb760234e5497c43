-- What a channel would not give back, and so is owed to whoever had paid, until they say where it goes.
CREATE TABLE payment_unclaimed (
    id TEXT NOT NULL PRIMARY KEY, payer TEXT NOT NULL, state TEXT NOT NULL, is_late INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX payment_unclaimed_of_payer ON payment_unclaimed (payer, id);
CREATE INDEX payment_unclaimed_late ON payment_unclaimed (id) WHERE state = 'waiting' AND is_late = 1;
