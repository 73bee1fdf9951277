-- What lookups and people read: written in the same transaction as the decisions, never read by them.

-- A contact as it stands.
CREATE TABLE contact (
    contact_id   text PRIMARY KEY,
    customer_id  text NOT NULL,
    state        text NOT NULL, -- bot, queued, offered, in_service, served_by_bot, served_by_human, abandoned
    pool         text NOT NULL,
    seat_id      text NOT NULL DEFAULT '',
    token        bigint NOT NULL DEFAULT 0,
    requested_at timestamptz,
    queued_at    timestamptz,
    accepted_at  timestamptz,
    ended_at     timestamptz
);
CREATE INDEX contact_by_customer ON contact (customer_id, requested_at DESC);

-- What was said, the last 50 turns of a contact.
CREATE TABLE conversation_turn (
    contact_id text NOT NULL,
    source     text NOT NULL,
    event_id   text NOT NULL,
    speaker    text NOT NULL, -- customer, bot, seat
    text       text NOT NULL,
    said_at    timestamptz NOT NULL,
    PRIMARY KEY (contact_id, source, event_id)
);
CREATE INDEX conversation_by_time ON conversation_turn (contact_id, said_at DESC);

-- Every decision about a contact, as it was made.
CREATE TABLE decision (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contact_id text NOT NULL,
    kind       text NOT NULL, -- the fact's name
    decided_at timestamptz NOT NULL,
    fact       jsonb NOT NULL
);
CREATE INDEX decision_by_contact ON decision (contact_id, decided_at, id);

CREATE INDEX decision_by_time ON decision (decided_at);
CREATE INDEX conversation_turn_by_time ON conversation_turn (said_at);
CREATE INDEX contact_by_end ON contact (ended_at) WHERE ended_at IS NOT NULL;
