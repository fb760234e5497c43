-- What is brought in from elsewhere: one row an import. While one is running, nothing else may write to this store.
CREATE TABLE import (source TEXT NOT NULL PRIMARY KEY, status TEXT NOT NULL, content BLOB NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, began_at INTEGER NOT NULL, ended_at INTEGER NOT NULL);
-- What a command of an import was answered with, by the name that its subject has at the source: kept for ever, unlike answers.
CREATE TABLE imported (source TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, made BLOB NOT NULL, PRIMARY KEY (source, kind, name)) CLUSTERED;
