-- What a variant was charged, from when on: one row for each change; 0 from when on it was not on sale. Never changed.
CREATE TABLE price_point (
    seq SERIAL,
    variant_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0)
);

CREATE INDEX price_point_of_variant ON price_point (variant_id, seq);
