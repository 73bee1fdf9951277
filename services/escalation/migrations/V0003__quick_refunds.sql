-- Quick refunds, as they were decided and what became of them.
CREATE TABLE quick_refund (
    customer_id    text        NOT NULL,
    order_id       text        NOT NULL,
    customer_group text        NOT NULL,
    started        boolean     NOT NULL,
    amount_cents   bigint      NOT NULL,
    decided_at     timestamptz NOT NULL,
    settled_at     timestamptz,
    lost_cents     bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (customer_id, order_id)
);
CREATE INDEX quick_refund_by_time ON quick_refund (decided_at);
