-- What orders share, so that those whom a wave will hit are found; waves; and who was looked at for them.
CREATE TABLE purchase (
    cause       text        NOT NULL,
    order_id    text        NOT NULL,
    customer_id text        NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (cause, order_id)
);
CREATE INDEX purchase_by_time ON purchase (at);

CREATE TABLE wave (
    cause     text        NOT NULL,
    wave      int         NOT NULL,
    customers int         NOT NULL,
    expected  float8      NOT NULL,
    since     timestamptz NOT NULL,
    heated_at timestamptz NOT NULL,
    PRIMARY KEY (cause, wave)
);

CREATE TABLE affected (
    cause       text    NOT NULL,
    wave        int     NOT NULL,
    customer_id text    NOT NULL,
    reached     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (cause, wave, customer_id)
);
