-- Where a shop's parcels come from, as it stands on its papers: sealed under the key of the person whose shop it was then.
CREATE TABLE shop_sender (shop_id TEXT NOT NULL PRIMARY KEY, person TEXT NOT NULL, sealed BLOB NOT NULL, at INTEGER NOT NULL);
