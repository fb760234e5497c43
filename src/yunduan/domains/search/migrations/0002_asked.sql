-- How often what was searched for, by day (days since 1970), and how often nothing had all of it. Nobody's name is here.
CREATE TABLE search_asked (
    day INTEGER NOT NULL,
    text TEXT NOT NULL,
    times INTEGER NOT NULL,
    empty INTEGER NOT NULL,
    PRIMARY KEY (day, text)
) CLUSTERED;
CREATE INDEX search_asked_times ON search_asked (day, times);
CREATE INDEX search_asked_empty ON search_asked (day, empty);
