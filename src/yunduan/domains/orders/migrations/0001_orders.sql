-- One row a person: what they want. Small as a rule, changed in place.
CREATE TABLE cart (
    person TEXT NOT NULL,
    lines BLOB NOT NULL,
    PRIMARY KEY (person)
) CLUSTERED;

-- What one shop owes one buyer. `seq` makes the number that people read out. Both keys grow at their right edge only.
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    buyer TEXT NOT NULL,
    shop_id TEXT NOT NULL,
    state TEXT NOT NULL,
    total INTEGER NOT NULL,
    currency TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    progress BLOB NOT NULL,
    terms BLOB NOT NULL
);

-- One row: the last order's `seq`.
CREATE TABLE order_count (
    name TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (name)
) CLUSTERED;

-- Kept by a follower.
CREATE TABLE order_of_buyer (
    buyer TEXT NOT NULL,
    order_id TEXT NOT NULL,
    PRIMARY KEY (buyer, order_id)
) CLUSTERED;

-- Kept by followers.
CREATE TABLE order_of_shop (
    shop_id TEXT NOT NULL,
    state TEXT NOT NULL,
    order_id TEXT NOT NULL,
    PRIMARY KEY (shop_id, state, order_id)
) CLUSTERED;

-- How far the follower that fills these two has come: what is newer is found in `orders` itself.
CREATE TABLE order_index_mark (
    name TEXT NOT NULL,
    through TEXT NOT NULL,
    PRIMARY KEY (name)
) CLUSTERED;

-- `sealed` is what was said, under the author's key; empty when nothing was.
CREATE TABLE review (
    order_id TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    goods_id TEXT NOT NULL,
    shop_id TEXT NOT NULL,
    author TEXT NOT NULL,
    stars INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (order_id, variant_id)
);

CREATE INDEX review_of_goods ON review (goods_id, id);
