-- What one batch changes in the tables that every pipeline has, in one call: a round trip where there were five.

-- The name comes first, for it alone tells rows apart: comparing names is comparing 16 bytes.
ALTER TABLE runtime.seen_event DROP CONSTRAINT seen_event_pkey;
ALTER TABLE runtime.seen_event DROP COLUMN partition;
ALTER TABLE runtime.seen_event ADD PRIMARY KEY (name, pipeline);

-- By age alone: new rows go to the index's last page, whoever writes them.
DROP INDEX runtime.seen_event_by_age;
CREATE INDEX seen_event_by_age ON runtime.seen_event (seen_at);

-- A row of the outbox lives for a moment: compressing it costs more than writing it.
ALTER TABLE runtime.outbox ALTER COLUMN body SET STORAGE EXTERNAL;

-- Room beside each state for its next version, so that most updates touch no index.
ALTER TABLE runtime.entity SET (fillfactor = 70);

CREATE FUNCTION runtime.take_effect(
    of_pipeline text,
    topics text[], partitions int[], expected bigint[], epochs bigint[], nexts bigint[],
    names uuid[], at timestamptz,
    states jsonb,
    done bigint[],
    out_partitions int[], out_records int[], out_bodies bytea[]
) RETURNS TABLE (out_partition int, out_id bigint) LANGUAGE plpgsql AS $body$
DECLARE
    changed bigint;
BEGIN
    UPDATE runtime.checkpoint c SET next_offset = n.next
    FROM unnest(topics, partitions, expected, epochs, nexts) AS n(topic, partition, expected, epoch, next)
    WHERE c.pipeline = of_pipeline AND c.topic = n.topic AND c.partition = n.partition
      AND c.next_offset = n.expected AND c.epoch = n.epoch AND n.next >= n.expected;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> cardinality(topics) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'another owner has taken over';
    END IF;
    -- Rows in an order that every transaction shares, so that none waits for another in a circle.
    IF cardinality(names) > 0 THEN
        INSERT INTO runtime.seen_event (pipeline, name, seen_at)
        SELECT of_pipeline, n.name, at FROM unnest(names) AS n(name) ORDER BY n.name
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(names) THEN
            RAISE EXCEPTION USING ERRCODE = 'TL002', MESSAGE = 'an event of the batch has taken effect before';
        END IF;
    END IF;
    IF jsonb_array_length(states) > 0 THEN
        INSERT INTO runtime.entity (pipeline, key, partition, version, due_at, body)
        SELECT of_pipeline, n.key, n.partition, n.version, n.due, n.body
        FROM jsonb_to_recordset(states) AS n(key text, partition int, version bigint, due timestamptz, body jsonb)
        ORDER BY n.key COLLATE "C"
        ON CONFLICT (pipeline, key) DO UPDATE SET
            partition = excluded.partition, version = excluded.version, due_at = excluded.due_at, body = excluded.body;
    END IF;
    IF cardinality(done) > 0 THEN
        DELETE FROM runtime.outbox o WHERE o.id = ANY (done);
    END IF;
    IF cardinality(out_partitions) > 0 THEN
        RETURN QUERY
        INSERT INTO runtime.outbox (pipeline, partition, records, body)
        SELECT of_pipeline, n.partition, n.records, n.body
        FROM unnest(out_partitions, out_records, out_bodies) AS n(partition, records, body)
        RETURNING runtime.outbox.partition, runtime.outbox.id;
    END IF;
END
$body$;
