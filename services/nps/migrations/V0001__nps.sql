-- Customers' last standing answers: what the router asks for. The figures themselves are the runtime's counter cells.
CREATE TABLE customer_nps (
    customer_id text        PRIMARY KEY,
    score       int         NOT NULL CHECK (score BETWEEN 0 AND 10),
    answered_at timestamptz NOT NULL
);
