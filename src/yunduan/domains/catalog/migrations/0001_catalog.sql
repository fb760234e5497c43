-- Shops, the category tree, goods, variants, stock and holds, shipping templates, and the cards that lists are made of.

CREATE TABLE shop (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    body BLOB NOT NULL,
    face BLOB NOT NULL
);

CREATE TABLE location (
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
) CLUSTERED;

CREATE TABLE category (
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
) CLUSTERED;

-- The whole tree ready to be sent, in one row.
CREATE TABLE category_tree (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    count INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE shipping_template (
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
) CLUSTERED;

-- What the shop edits.
CREATE TABLE goods (
    id TEXT NOT NULL PRIMARY KEY,
    shop_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX goods_of_shop ON goods (shop_id, id);

-- What everybody is shown of goods on sale, and of no others, ready to be sent; apart from what is edited, so that a cache holds twice as many.
-- `variants`: the ids of those on sale, divided by spaces, so that their stock is found by key.
CREATE TABLE goods_page (
    goods_id TEXT NOT NULL PRIMARY KEY,
    shop_id TEXT NOT NULL,
    variants TEXT NOT NULL,
    body BLOB NOT NULL
);

-- `due`: the card does not show these figures yet.
CREATE TABLE goods_standing (
    goods_id TEXT NOT NULL,
    sold INTEGER NOT NULL CHECK (sold >= 0),
    reviews INTEGER NOT NULL CHECK (reviews >= 0),
    stars INTEGER NOT NULL CHECK (stars >= reviews AND stars <= 5 * reviews),
    due INTEGER NOT NULL,
    PRIMARY KEY (goods_id)
) CLUSTERED;

CREATE INDEX goods_standing_due ON goods_standing (goods_id) WHERE due = 1;

-- Whether a round that brings cards up to date is on its way.
CREATE TABLE card_round (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    is_set INTEGER NOT NULL
);

CREATE TABLE variant (
    id TEXT NOT NULL PRIMARY KEY,
    goods_id TEXT NOT NULL,
    retired INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX variant_of_goods ON variant (goods_id, retired, id);

CREATE TABLE sku (
    shop_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    PRIMARY KEY (shop_id, sku)
) CLUSTERED;

CREATE TABLE stock (
    variant_id TEXT NOT NULL,
    location_id TEXT NOT NULL,
    on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
    held INTEGER NOT NULL CHECK (held >= 0),
    PRIMARY KEY (variant_id, location_id),
    CHECK (held <= on_hand)
) CLUSTERED;

CREATE TABLE stock_change (
    seq SERIAL,
    variant_id TEXT NOT NULL,
    location_id TEXT NOT NULL,
    on_hand_before INTEGER NOT NULL,
    on_hand_after INTEGER NOT NULL,
    reason TEXT NOT NULL,
    person_id TEXT NOT NULL,
    at INTEGER NOT NULL
);

CREATE INDEX stock_change_of_variant ON stock_change (variant_id, seq);

CREATE TABLE hold (
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    lines BLOB NOT NULL,
    PRIMARY KEY (id)
) CLUSTERED;

-- One row for all goods that everybody may see, and no others; `body` is ready to be sent. Every list is one index and this table.
-- `price_rank` puts prices in order within a currency, and currencies one after another.
CREATE TABLE card (
    goods_id TEXT NOT NULL PRIMARY KEY,
    shop_id TEXT NOT NULL,
    category1 TEXT NOT NULL,
    category2 TEXT,
    category3 TEXT,
    category4 TEXT,
    listed_at INTEGER NOT NULL,
    price_rank INTEGER NOT NULL,
    sold INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX card_newest ON card (listed_at, goods_id);
CREATE INDEX card_price ON card (price_rank, goods_id);
CREATE INDEX card_sold ON card (sold, goods_id);
CREATE INDEX card_shop_newest ON card (shop_id, listed_at, goods_id);
CREATE INDEX card_shop_price ON card (shop_id, price_rank, goods_id);
CREATE INDEX card_shop_sold ON card (shop_id, sold, goods_id);
CREATE INDEX card_category1_newest ON card (category1, listed_at, goods_id);
CREATE INDEX card_category1_price ON card (category1, price_rank, goods_id);
CREATE INDEX card_category1_sold ON card (category1, sold, goods_id);
CREATE INDEX card_category2_newest ON card (category2, listed_at, goods_id) WHERE category2 IS NOT NULL;
CREATE INDEX card_category2_price ON card (category2, price_rank, goods_id) WHERE category2 IS NOT NULL;
CREATE INDEX card_category2_sold ON card (category2, sold, goods_id) WHERE category2 IS NOT NULL;
CREATE INDEX card_category3_newest ON card (category3, listed_at, goods_id) WHERE category3 IS NOT NULL;
CREATE INDEX card_category3_price ON card (category3, price_rank, goods_id) WHERE category3 IS NOT NULL;
CREATE INDEX card_category3_sold ON card (category3, sold, goods_id) WHERE category3 IS NOT NULL;
CREATE INDEX card_category4_newest ON card (category4, listed_at, goods_id) WHERE category4 IS NOT NULL;
CREATE INDEX card_category4_price ON card (category4, price_rank, goods_id) WHERE category4 IS NOT NULL;
CREATE INDEX card_category4_sold ON card (category4, sold, goods_id) WHERE category4 IS NOT NULL;
