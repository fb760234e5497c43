-- One row a chargeback, with what bears it in the document; looked for by its charge when a channel refuses a refund of that.
CREATE TABLE payment_chargeback (id TEXT NOT NULL PRIMARY KEY, reference TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX payment_chargeback_on ON payment_chargeback (reference);
-- Whom one concerns (a shop, its payer, or nobody for operators), in the order in which they were opened.
CREATE TABLE payment_chargeback_of (owner TEXT NOT NULL, place TEXT NOT NULL, PRIMARY KEY (owner, place)) CLUSTERED;
-- What shops have given in evidence, sealed.
CREATE TABLE payment_evidence (
    chargeback_id TEXT NOT NULL, number INTEGER NOT NULL, shop_id TEXT NOT NULL, speaker TEXT NOT NULL, sealed BLOB NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (chargeback_id, number)) CLUSTERED;
