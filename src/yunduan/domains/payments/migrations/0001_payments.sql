-- One row a checkout or top-up, with its tenders and charges in the document: it is read and written as a whole.
CREATE TABLE payment (id TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL);
-- One row a paid order: which tender paid how much of it, and how much of that has gone back.
CREATE TABLE escrow (order_id TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE payment_refund (id TEXT NOT NULL PRIMARY KEY, order_id TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX payment_refund_of_order ON payment_refund (order_id, id);
-- What channels have yet to be asked. Couriers look for what is due among those that are not finished.
CREATE TABLE channel_errand (id TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, next_at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX channel_errand_due ON channel_errand (next_at, id) WHERE state IN ('waiting', 'asked');
-- Genuine notifications that did not match.
CREATE TABLE payment_alert (id TEXT NOT NULL PRIMARY KEY, resolved_at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX payment_alert_open ON payment_alert (id) WHERE resolved_at = 0;
-- What somebody pays over a channel, or is given back over one (`kind` is payment or refund), so that it is found what is still on its way.
CREATE TABLE payment_of_payer (payer TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (payer, kind, id)) CLUSTERED;
-- In which currencies a person or a shop has money.
CREATE TABLE payment_purse (owner TEXT NOT NULL, currency TEXT NOT NULL, account TEXT NOT NULL, PRIMARY KEY (owner, currency)) CLUSTERED;
