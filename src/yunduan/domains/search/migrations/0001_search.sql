-- What operators have set for search, and each change of it. The index itself lies beside the store.
CREATE TABLE search_settings (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL);

CREATE TABLE search_settings_change (
    seq SERIAL,
    person_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
);
