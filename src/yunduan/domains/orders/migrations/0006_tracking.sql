-- One row a parcel whose carrier can be asked where it is. `number` is a keyed hash of carrier and tracking number, by which a number that
-- is given out twice is found; `next_at` is when the carrier is asked next, 0 when it is asked no more.
CREATE TABLE parcel_watch (
    order_id TEXT NOT NULL,
    parcel INTEGER NOT NULL,
    number BLOB NOT NULL,
    next_at INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    PRIMARY KEY (order_id, parcel)
) CLUSTERED;

CREATE INDEX parcel_watch_due ON parcel_watch (next_at);
CREATE INDEX parcel_watch_number ON parcel_watch (number);

-- What a carrier has told of a parcel, each saying once; `id` is the carrier's own. `sealed` is where it was, under the buyer's key.
CREATE TABLE parcel_scan (
    order_id TEXT NOT NULL,
    parcel INTEGER NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    heard_at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (order_id, parcel, id)
) CLUSTERED;
