-- A provider's statements, one a business day, and a row by the provider's name from when on it is asked for them.
CREATE TABLE payment_statement (id TEXT NOT NULL PRIMARY KEY, channel TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX payment_statement_of ON payment_statement (channel, id) WHERE state != 'begun';
