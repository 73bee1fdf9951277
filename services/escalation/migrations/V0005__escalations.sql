-- Who asked for the complaint desk, and when. A follow-up and what came after it are written by two pipelines, neither of which waits for
-- the other, so they are brought together when they are asked for. (follow_up.escalated_at is read no more.)
CREATE TABLE escalation (
    customer_id text        NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (customer_id, at)
);
INSERT INTO escalation SELECT DISTINCT customer_id, escalated_at FROM follow_up WHERE escalated_at IS NOT NULL;
