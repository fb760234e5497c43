-- What operators have booked of a provider's books that it did by itself, by the provider's own name for it.
CREATE TABLE payment_booking (id TEXT NOT NULL PRIMARY KEY, channel TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX payment_booking_of ON payment_booking (channel, id);
