-- What of a shop's debt providers have been asked to hand over out of its splits, and have not answered.
ALTER TABLE payment_purse ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
