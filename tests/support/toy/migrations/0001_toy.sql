-- Keyed by one column; a row that breaks the rule is noticed only when it is written.
CREATE TABLE purse (id TEXT NOT NULL PRIMARY KEY, amount INTEGER NOT NULL CHECK (amount >= 0), label TEXT, mark BLOB NOT NULL) CLUSTERED;
-- Keyed by two.
CREATE TABLE slot (room TEXT NOT NULL, place INTEGER NOT NULL, body BLOB, PRIMARY KEY (room, place)) CLUSTERED;
CREATE TABLE note (seq SERIAL, about TEXT NOT NULL, text TEXT NOT NULL, rank INTEGER NOT NULL);
CREATE INDEX note_by_about ON note (about, seq);
CREATE TABLE plain (id TEXT NOT NULL PRIMARY KEY, amount INTEGER NOT NULL);
CREATE TABLE heard (seq SERIAL, name TEXT NOT NULL);
CREATE TABLE account (id TEXT NOT NULL PRIMARY KEY, debits INTEGER NOT NULL, credits INTEGER NOT NULL) CLUSTERED;
CREATE TABLE moved (id TEXT NOT NULL PRIMARY KEY, debit TEXT NOT NULL, credit TEXT NOT NULL, amount INTEGER NOT NULL);
INSERT INTO plain (id, amount) VALUES ('it''s TEXT?', 7);
