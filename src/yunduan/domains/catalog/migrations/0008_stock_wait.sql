-- Who asked to be told when there are pieces of a variant again. A row goes when they are told, take it back, or are erased.
CREATE TABLE stock_wait (
    person TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    shop_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (person, variant_id)
) CLUSTERED;

CREATE INDEX stock_wait_of_variant ON stock_wait (variant_id, at, person);
CREATE INDEX stock_wait_of_shop ON stock_wait (shop_id, variant_id);
