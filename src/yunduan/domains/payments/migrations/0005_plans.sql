-- When a shop is paid out by itself: one row a shop that has said so.
CREATE TABLE payment_plan (shop_id TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL);
