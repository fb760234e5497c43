-- The row that each commit moves, by compare-and-set: whoever believes an older one has been superseded.
CREATE TABLE head (epoch INTEGER NOT NULL PRIMARY KEY, fact_seq INTEGER NOT NULL, transfer_seq INTEGER NOT NULL, block_hash BLOB NOT NULL, at INTEGER NOT NULL);
INSERT INTO head (epoch, fact_seq, transfer_seq, block_hash, at) VALUES (1, 0, 0, X'0000000000000000000000000000000000000000000000000000000000000000', 0);
-- In the order of arrival, with an index in the caller's own order: keys sorted by time land side by side.
CREATE TABLE answer (seq SERIAL, name TEXT NOT NULL UNIQUE, fingerprint BLOB NOT NULL, accepted INTEGER NOT NULL, body BLOB, spends INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE fact (seq INTEGER NOT NULL PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL, cause TEXT NOT NULL, at INTEGER NOT NULL, effective_at INTEGER NOT NULL);
CREATE TABLE cursor (follower TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL);
CREATE TABLE parked (follower TEXT NOT NULL, seq INTEGER NOT NULL, error TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (follower, seq));
CREATE TABLE alarm (id TEXT NOT NULL PRIMARY KEY, due INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, failures INTEGER NOT NULL);
CREATE INDEX alarm_by_due ON alarm (due, id);
CREATE TABLE job (id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, state BLOB NOT NULL, error TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX job_by_status ON job (status, id);
CREATE INDEX job_by_kind ON job (kind, id);
CREATE TABLE mark (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL);
