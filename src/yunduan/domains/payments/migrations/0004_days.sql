-- How much has gone into or out of a wallet on one business day.
CREATE TABLE payment_day (person TEXT NOT NULL, slot TEXT NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (person, slot)) CLUSTERED;
