-- Whose contact it is: conversations are looked up by contact, and stand in the customer's state.
-- last_at has no index on purpose: each message moves it, and an index would cost each of those writes more than the rare sweep.
ALTER TABLE mood ADD COLUMN customer_id text NOT NULL DEFAULT '';

-- Conversations that have left their customer's state, as they stood then.
CREATE TABLE conversation (
    contact_id  text        PRIMARY KEY,
    customer_id text        NOT NULL,
    at          timestamptz NOT NULL,
    messages    int         NOT NULL,
    body        jsonb       NOT NULL
);
CREATE INDEX conversation_by_time ON conversation (at);

-- What seats on shift bear, as GetSeatLoad answers it. load is as of updated; a seat that goes off shift leaves the table.
CREATE TABLE seat_load (
    seat_id  text             NOT NULL,
    pool     text             NOT NULL,
    since    timestamptz,
    load     double precision NOT NULL,
    absorbed double precision NOT NULL,
    messages int              NOT NULL,
    updated  timestamptz,
    heard    timestamptz      NOT NULL,
    PRIMARY KEY (seat_id, pool)
);
CREATE INDEX seat_load_by_pool ON seat_load (pool);

-- Corrections by people, with the texts that training needs and what the model said of them then. One a message and seat.
CREATE TABLE feedback (
    number         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_source text             NOT NULL,
    message_id     text             NOT NULL,
    seat_id        text             NOT NULL,
    corrected_at   timestamptz      NOT NULL,
    text           text             NOT NULL,
    language       text             NOT NULL,
    label          text             NOT NULL, -- negative, neutral, positive, unsure
    emotion        text,    -- null where nothing was said of it
    complaint      boolean, -- likewise
    model          text             NOT NULL,
    model_label    text             NOT NULL,
    negative       double precision NOT NULL,
    neutral        double precision NOT NULL,
    positive       double precision NOT NULL,
    UNIQUE (message_source, message_id, seat_id)
);
CREATE INDEX feedback_by_time ON feedback (corrected_at);
