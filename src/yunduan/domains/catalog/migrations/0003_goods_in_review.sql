-- Goods that wait for an operator, who has waited longest first.
CREATE TABLE goods_review (
    seq SERIAL,
    goods_id TEXT NOT NULL,
    shop_id TEXT NOT NULL,
    at INTEGER NOT NULL
);

CREATE UNIQUE INDEX goods_review_of_goods ON goods_review (goods_id);
