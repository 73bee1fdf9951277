-- Running moods as GetMood answers them: of customers, and of contacts.
CREATE TABLE mood (
    kind     text             NOT NULL CHECK (kind IN ('customer', 'contact')),
    id       text             NOT NULL,
    mood     double precision NOT NULL,
    trend    double precision NOT NULL,
    messages int              NOT NULL,
    last_at  timestamptz      NOT NULL,
    PRIMARY KEY (kind, id)
);
