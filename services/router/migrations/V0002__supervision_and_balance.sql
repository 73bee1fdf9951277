-- Who did what by hand, and when the load switched a pool's mode.
CREATE TABLE supervision (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool       text NOT NULL,
    at         timestamptz NOT NULL,
    what       text NOT NULL, -- mode:managed, mode:human, mode:auto, assign, drain, entered, left
    by         text NOT NULL, -- empty where the load decided
    reason     text NOT NULL,
    seat_id    text NOT NULL,
    contact_id text NOT NULL,
    ok         boolean NOT NULL,
    refused    text NOT NULL
);
CREATE INDEX supervision_by_pool ON supervision (pool, at DESC);
CREATE INDEX supervision_by_time ON supervision (at);

-- Contacts that a pool must know of: the live audit holds them against the pools' states.
CREATE INDEX contact_open ON contact (pool) WHERE ended_at IS NULL AND pool <> 'bot';
