-- A large state is kept in parts, so that a batch writes only those that it changed; what is left stays in entity.body.
-- A state from before has none: its next batch writes them.
CREATE TABLE runtime.entity_part (
    pipeline text  NOT NULL,
    key      text  NOT NULL,
    part     text  NOT NULL,
    body     jsonb NOT NULL,
    PRIMARY KEY (pipeline, key, part)
);
-- Room beside each part for its next version, so that most updates touch no index.
ALTER TABLE runtime.entity_part SET (fillfactor = 70);
