-- One row for each person who wants what they search for remembered: the latest of it, newest first, sealed under their key; nothing from
-- before `cleared_at` (milliseconds since 1970). Who does not want it has none.
CREATE TABLE search_recent (
    person TEXT NOT NULL,
    sealed BLOB NOT NULL,
    cleared_at INTEGER NOT NULL,
    PRIMARY KEY (person)
) CLUSTERED;
