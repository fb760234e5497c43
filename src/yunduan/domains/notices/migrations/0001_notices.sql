-- One row a notice, in the order in which they were given: whoever follows `seq` misses none. `about` holds ids and figures.
CREATE TABLE notice (
    seq INTEGER PRIMARY KEY,
    person TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    about BLOB NOT NULL,
    at INTEGER NOT NULL
);

CREATE UNIQUE INDEX notice_of_person ON notice (person, number);

-- One row a person who was ever told anything: the number of the last notice, and of the last one that was read.
CREATE TABLE notice_box (
    person TEXT NOT NULL,
    last INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (person)
) CLUSTERED;

-- One row: the last notice's `seq`.
CREATE TABLE notice_count (
    name TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (name)
) CLUSTERED;

-- One row a person who has chosen anything: by which ways, and the quiet hours.
CREATE TABLE notice_preference (
    person TEXT NOT NULL,
    chosen BLOB NOT NULL,
    PRIMARY KEY (person)
) CLUSTERED;
