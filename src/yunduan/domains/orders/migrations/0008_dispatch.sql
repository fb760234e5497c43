-- One row: through which order it has been looked for what its shop has not shipped, and when that is done next; 0 when there is none.
CREATE TABLE order_dispatch (
    name TEXT NOT NULL,
    through INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    PRIMARY KEY (name)
) CLUSTERED;
