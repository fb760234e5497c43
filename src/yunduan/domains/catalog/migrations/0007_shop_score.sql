-- How a shop is liked: the reviews of its goods that are shown, and the sum of their stars.
CREATE TABLE shop_score (shop_id TEXT NOT NULL, reviews INTEGER NOT NULL, stars INTEGER NOT NULL, PRIMARY KEY (shop_id)) CLUSTERED;
