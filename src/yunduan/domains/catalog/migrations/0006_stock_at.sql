-- What lies at one location, by variant.
CREATE INDEX stock_at ON stock (location_id, variant_id);
