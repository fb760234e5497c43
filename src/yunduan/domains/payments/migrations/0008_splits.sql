-- What a provider is asked to divide of an order whose money it keeps; operators look for what was refused.
CREATE TABLE payment_split (id TEXT NOT NULL PRIMARY KEY, shop_id TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX payment_split_refused ON payment_split (id) WHERE state = 'refused';
