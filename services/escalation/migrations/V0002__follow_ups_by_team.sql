-- Follow-ups are a team's, have an owner, and end in one way or another.
ALTER TABLE follow_up
    ADD COLUMN team         text   NOT NULL DEFAULT '',
    ADD COLUMN case_id      text   NOT NULL DEFAULT '',
    ADD COLUMN customer_group text NOT NULL DEFAULT '',
    ADD COLUMN threshold    float8 NOT NULL DEFAULT 0,
    ADD COLUMN arm          text   NOT NULL DEFAULT '',
    ADD COLUMN owner        text   NOT NULL DEFAULT '',
    ADD COLUMN claimed_at   timestamptz,
    ADD COLUMN result       text   NOT NULL DEFAULT '',
    ADD COLUMN displaced_by text   NOT NULL DEFAULT '',
    ADD COLUMN supervisor   text   NOT NULL DEFAULT '',
    ADD COLUMN escalated_at timestamptz;
CREATE INDEX follow_up_trial ON follow_up (flagged_at) WHERE arm <> '';

-- Before there were teams nobody could claim one: whoever is still at risk is flagged anew, and once.
UPDATE follow_up SET closed_at = now(), outcome = 'superseded' WHERE closed_at IS NULL;

-- What it took to be flagged, and how much of the shift's budget was left.
CREATE TABLE budget (
    team      text        NOT NULL,
    at        timestamptz NOT NULL,
    threshold float8      NOT NULL,
    capacity  int         NOT NULL,
    started   int         NOT NULL,
    open      int         NOT NULL,
    waiting   int         NOT NULL,
    PRIMARY KEY (team, at)
);
