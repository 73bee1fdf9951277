-- Follow-ups: written with the facts that open, delay and close them.
CREATE TABLE follow_up (
    follow_up_id text        PRIMARY KEY,
    customer_id  text        NOT NULL,
    contact_id   text        NOT NULL,
    touchpoint   text        NOT NULL,
    risk         float8      NOT NULL,
    reasons      jsonb       NOT NULL,
    flagged_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    closed_at    timestamptz,
    outcome      text        NOT NULL DEFAULT '',
    overdue      boolean     NOT NULL DEFAULT false
);
CREATE INDEX follow_up_open ON follow_up (due_at, follow_up_id) WHERE closed_at IS NULL;
CREATE INDEX follow_up_by_customer ON follow_up (customer_id, due_at);

-- Customers' risks as they stand; who is calm has no row.
CREATE TABLE customer_risk (
    customer_id text    PRIMARY KEY,
    risk        float8  NOT NULL,
    reasons     jsonb   NOT NULL,
    flagged     boolean NOT NULL
);
