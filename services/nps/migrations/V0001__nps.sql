-- Customers' last standing answers: what the router asks for. Figures by day and of all time are the runtime's counter cells.
CREATE TABLE customer_nps (
    customer_id text        PRIMARY KEY,
    score       int         NOT NULL CHECK (score BETWEEN 0 AND 10),
    answered_at timestamptz NOT NULL
);

-- Every standing answer, for what the counters do not hold: the hours of each segment.
CREATE TABLE answer (
    customer_id text        NOT NULL,
    survey_id   text        NOT NULL,
    score       int         NOT NULL CHECK (score BETWEEN 0 AND 10),
    answered_at timestamptz NOT NULL,
    segments    jsonb       NOT NULL,
    PRIMARY KEY (customer_id, survey_id)
);
CREATE INDEX answer_by_time ON answer (answered_at);
