-- Pictures of licences, each under the key of the person who has sent it; `application_id` names the last application that it was handed in with.
CREATE TABLE licence_picture (
    person TEXT NOT NULL,
    picture TEXT NOT NULL,
    media_type TEXT NOT NULL,
    application_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (person, picture)
);
