-- Purses whose balances sum to nothing, and every move between them.
CREATE TABLE purse (id TEXT NOT NULL PRIMARY KEY, balance INTEGER NOT NULL, moves INTEGER NOT NULL) CLUSTERED;
CREATE TABLE move (seq SERIAL, op INTEGER NOT NULL, purse TEXT NOT NULL, delta INTEGER NOT NULL);
-- Things to sell, and what is held of them.
CREATE TABLE stall (item TEXT NOT NULL PRIMARY KEY, on_hand INTEGER NOT NULL, held INTEGER NOT NULL) CLUSTERED;
CREATE TABLE hold (id INTEGER NOT NULL PRIMARY KEY, item TEXT NOT NULL, quantity INTEGER NOT NULL, state TEXT NOT NULL, due INTEGER NOT NULL);
-- What is kept by statements of its own, not by remembered rows.
CREATE TABLE tally (kind TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL);
-- What followers have learnt.
CREATE TABLE fame (purse TEXT NOT NULL PRIMARY KEY, payments INTEGER NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE census (kind TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL) CLUSTERED;
