-- Pictures that were shown in a case, from 0 on. `sealed` is the word to it and `content` the picture, both under the key of who showed it.
CREATE TABLE case_picture (
    case_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    picture TEXT NOT NULL,
    who TEXT NOT NULL,
    media_type TEXT NOT NULL,
    speaker TEXT NOT NULL,
    sealed BLOB NOT NULL,
    at INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (case_id, number)
);
