-- One row a letter: a notice on its way to a contact, which is looked up when it leaves. Kept for a month, then forgotten.
CREATE TABLE notice_letter (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    way TEXT NOT NULL,
    kind TEXT NOT NULL,
    about BLOB NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at INTEGER NOT NULL
);

CREATE INDEX notice_letter_by_next ON notice_letter (state, next_at, id);
CREATE INDEX notice_letter_of_person ON notice_letter (person);
