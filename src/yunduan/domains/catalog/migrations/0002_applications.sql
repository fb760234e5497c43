-- Who would like to have a shop. `sealed` (the form) and `reason` under the applicant's key; `shop_id` is empty until it is approved.
CREATE TABLE shop_application (
    id TEXT NOT NULL PRIMARY KEY,
    applicant TEXT NOT NULL,
    state TEXT NOT NULL,
    sealed BLOB NOT NULL,
    at INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    reason BLOB NOT NULL,
    shop_id TEXT NOT NULL
);

CREATE INDEX shop_application_of_person ON shop_application (applicant, id);
CREATE INDEX shop_application_by_state ON shop_application (state, id);

-- What operators have decided about a shop and its goods; `reason` is sealed under the key of `person`, who owned the shop then.
CREATE TABLE ruling (
    seq SERIAL,
    shop_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    ruled TEXT NOT NULL,
    person TEXT NOT NULL,
    reason BLOB NOT NULL,
    ruled_by TEXT NOT NULL,
    at INTEGER NOT NULL
);

CREATE INDEX ruling_of_shop ON ruling (shop_id, seq);
