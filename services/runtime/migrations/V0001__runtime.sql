-- What every pipeline needs, in one schema: its place in each partition, what it has seen, its state, and what it has yet to say.

-- The truth about a pipeline's place. Whoever claims a partition raises the epoch: that fences all earlier owners.
CREATE TABLE runtime.checkpoint (
    pipeline    text   NOT NULL,
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL,
    epoch       bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (pipeline, topic, partition)
);

-- Names of events that took effect, kept for a bounded time (BatchSettings.seen_for).
CREATE TABLE runtime.seen_event (
    pipeline  text        NOT NULL,
    name      uuid        NOT NULL,
    partition int         NOT NULL,
    seen_at   timestamptz NOT NULL,
    PRIMARY KEY (pipeline, name)
);
CREATE INDEX seen_event_by_age ON runtime.seen_event (pipeline, seen_at);

-- The state of each key, as its domain's dataclass in JSON.
CREATE TABLE runtime.entity (
    pipeline  text   NOT NULL,
    key       text   NOT NULL,
    partition int    NOT NULL,
    version   bigint NOT NULL,
    due_at    timestamptz,
    body      jsonb  NOT NULL,
    PRIMARY KEY (pipeline, key)
);
CREATE INDEX entity_due ON runtime.entity (pipeline, partition, due_at) WHERE due_at IS NOT NULL;

-- What was decided and is not yet acknowledged by Kafka: one row a batch and source partition (packed by outbox.py).
CREATE TABLE runtime.outbox (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline  text  NOT NULL,
    partition int   NOT NULL,
    records   int   NOT NULL,
    body      bytea NOT NULL
);
CREATE INDEX outbox_by_partition ON runtime.outbox (pipeline, partition, id);

-- Counts so far by cell and source partition; the version rises with each change, `sent` is the version that was published.
CREATE TABLE runtime.counter_cell (
    pipeline    text        NOT NULL,
    metric      text        NOT NULL,
    win         text        NOT NULL,
    start       timestamptz NOT NULL,
    segment     text        NOT NULL,
    partition   int         NOT NULL,
    version     bigint      NOT NULL DEFAULT 1,
    sent        bigint      NOT NULL DEFAULT 0,
    publish     boolean     NOT NULL,
    counts      bigint[]    NOT NULL,
    traceparent text        NOT NULL DEFAULT '',
    PRIMARY KEY (pipeline, metric, win, start, segment, partition)
);
CREATE INDEX counter_cell_dirty ON runtime.counter_cell (pipeline, partition) WHERE publish AND version > sent;

-- Answers to commands that came as events, for whoever waits for them.
CREATE TABLE runtime.command_answer (
    name        uuid        PRIMARY KEY,
    ok          boolean     NOT NULL,
    code        text        NOT NULL,
    reason      text        NOT NULL,
    body        jsonb       NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX command_answer_by_age ON runtime.command_answer (answered_at);
