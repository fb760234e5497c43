-- Whether operators have taken a review from what everybody sees.
ALTER TABLE review ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
-- That somebody has reported a review, once; `sealed` is what they say, under their key, `answer` what operators said to it, under the judge's.
CREATE TABLE review_report (
    review_id TEXT NOT NULL,
    reporter TEXT NOT NULL,
    reason TEXT NOT NULL,
    sealed BLOB NOT NULL,
    at INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    judge TEXT NOT NULL,
    answer BLOB NOT NULL,
    judged_at INTEGER NOT NULL,
    PRIMARY KEY (review_id, reporter)
);

CREATE INDEX review_report_open ON review_report (review_id, at) WHERE verdict = 'open';
CREATE INDEX review_report_of ON review_report (reporter, review_id);
