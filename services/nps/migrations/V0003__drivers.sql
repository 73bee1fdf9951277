-- What standing answers' comments say: one row for how each was read, and one for each stage that it names. `mark` is the dimension
-- (":read", ":complains", ":praises") under which lookups keep it in memory; a row is heard of as an answer is (V0002).
CREATE TABLE remark (
    customer_id text        NOT NULL,
    survey_id   text        NOT NULL,
    mark        text        NOT NULL,
    value       text        NOT NULL,
    score       int         NOT NULL CHECK (score BETWEEN 0 AND 10),
    answered_at timestamptz NOT NULL,
    segments    jsonb       NOT NULL,
    language    text        NOT NULL,
    words       text[]      NOT NULL,
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    changed     xid8        NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (customer_id, survey_id, mark, value)
);
CREATE INDEX remark_by_id ON remark (id);
CREATE INDEX remark_by_change ON remark (changed);
CREATE INDEX remark_by_time ON remark (answered_at);
CREATE TRIGGER remark_changed BEFORE UPDATE ON remark FOR EACH ROW EXECUTE FUNCTION answer_changed();

CREATE TABLE remark_gone (
    id      bigint PRIMARY KEY,
    changed xid8   NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX remark_gone_by_change ON remark_gone (changed);
CREATE FUNCTION remark_went() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO remark_gone (id) VALUES (OLD.id);
    RETURN NULL;
END
$body$;
CREATE TRIGGER remark_went AFTER DELETE ON remark FOR EACH ROW EXECUTE FUNCTION remark_went();

-- The comment of the answer that stands, masked, for the broadcast's quotes; kept for a limited time (NPS_COMMENT_DAYS).
CREATE TABLE answer_comment (
    customer_id text        NOT NULL,
    survey_id   text        NOT NULL,
    answered_at timestamptz NOT NULL,
    text        text        NOT NULL,
    PRIMARY KEY (customer_id, survey_id)
);
CREATE INDEX answer_comment_by_time ON answer_comment (answered_at);

-- Contacts, with what each is to the customer's earlier ones (services/nps/domain/repeats.py) and the stage its matter began with.
CREATE TABLE matter (
    customer_id text        NOT NULL,
    contact_id  text        NOT NULL,
    began_at    timestamptz NOT NULL,
    segments    jsonb       NOT NULL,
    kind        text        NOT NULL,
    cause       text        NOT NULL,
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    changed     xid8        NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (customer_id, contact_id)
);
CREATE INDEX matter_by_id ON matter (id);
CREATE INDEX matter_by_change ON matter (changed);
CREATE INDEX matter_by_time ON matter (began_at);
CREATE TRIGGER matter_changed BEFORE UPDATE ON matter FOR EACH ROW EXECUTE FUNCTION answer_changed();
