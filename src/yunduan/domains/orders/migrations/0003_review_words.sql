-- What is said about a review later: by its author once (`follow_up`), by the shop once (`answer`). Sealed under the writer's key.
CREATE TABLE review_word (
    review_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    writer TEXT NOT NULL,
    sealed BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (review_id, kind)
) CLUSTERED;

CREATE UNIQUE INDEX review_by_id ON review (id);
