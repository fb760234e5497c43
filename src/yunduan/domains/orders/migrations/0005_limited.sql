-- What a buyer has bought of goods that have a limit within some days: one row a buyer and such goods.
CREATE TABLE limited_purchase (
    buyer TEXT NOT NULL,
    goods_id TEXT NOT NULL,
    purchases BLOB NOT NULL,
    PRIMARY KEY (buyer, goods_id)
) CLUSTERED;
