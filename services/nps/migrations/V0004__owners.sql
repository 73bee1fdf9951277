-- Who answers for what, as it was told last.
CREATE TABLE ownership (
    ownership_id text        PRIMARY KEY,
    owner        text        NOT NULL,
    segments     jsonb       NOT NULL,
    told_at      timestamptz NOT NULL
);
