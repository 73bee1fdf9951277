-- What lookups keep in memory (services/nps/feed.py) is read from these tables, and what changed since by `changed`: the
-- transaction that wrote a row last. A reader asks for all rows from the oldest transaction on that was still open when it
-- last looked, so that none is missed, however long its transaction took.
ALTER TABLE answer ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE answer ADD COLUMN changed xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX answer_by_id ON answer (id);
CREATE INDEX answer_by_change ON answer (changed);

-- Answers that count nowhere any more.
CREATE TABLE answer_gone (
    id      bigint PRIMARY KEY,
    changed xid8   NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX answer_gone_by_change ON answer_gone (changed);

-- By triggers, so that a process of the release before, which knows nothing of this, is heard as well.
CREATE FUNCTION answer_changed() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    NEW.changed := pg_current_xact_id();
    RETURN NEW;
END
$body$;
CREATE TRIGGER answer_changed BEFORE UPDATE ON answer FOR EACH ROW EXECUTE FUNCTION answer_changed();

CREATE FUNCTION answer_went() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO answer_gone (id) VALUES (OLD.id);
    RETURN NULL;
END
$body$;
CREATE TRIGGER answer_went AFTER DELETE ON answer FOR EACH ROW EXECUTE FUNCTION answer_went();

-- Surveys that we asked for: who was asked, and who answered.
CREATE TABLE survey_request (
    customer_id text        NOT NULL,
    survey_id   text        NOT NULL,
    asked_at    timestamptz NOT NULL,
    segments    jsonb       NOT NULL,
    answered    boolean     NOT NULL,
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    changed     xid8        NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (customer_id, survey_id)
);
CREATE INDEX survey_request_by_id ON survey_request (id);
CREATE INDEX survey_request_by_change ON survey_request (changed);
CREATE TRIGGER survey_request_changed BEFORE UPDATE ON survey_request FOR EACH ROW EXECUTE FUNCTION answer_changed();

-- Changes of the score that were told. stretch: when looking began anew, after the change before.
CREATE TABLE nps_shift (
    segment   text        NOT NULL,
    stretch   timestamptz NOT NULL,
    told_at   timestamptz NOT NULL,
    next      timestamptz NOT NULL,
    body      bytea       NOT NULL,
    published boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (segment, stretch)
);

-- Actions as they stand: what was promised about a pain point, and its end.
CREATE TABLE action (
    action_id   text        PRIMARY KEY,
    owner       text        NOT NULL,
    promise     text        NOT NULL,
    segments    jsonb       NOT NULL,
    promised_at timestamptz,
    due_at      timestamptz,
    aim         float8      NOT NULL,
    done_at     timestamptz,
    dropped_at  timestamptz,
    outcome     text        NOT NULL,
    reason      text        NOT NULL
);
CREATE INDEX action_by_promise ON action (promised_at);
