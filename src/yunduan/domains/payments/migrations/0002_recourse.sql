-- Whether a shop owes the marketplace anything in this currency: a settlement finds it where it looks anyway.
ALTER TABLE payment_purse ADD COLUMN owes INTEGER NOT NULL DEFAULT 0;
