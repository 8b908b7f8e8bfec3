-- +goose Up
-- What was noticed last of a case in a cluster that is not well, or was not a moment ago.
CREATE TABLE probe_turns (
    cluster    TEXT NOT NULL,
    probe_case TEXT NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (probe_case, cluster)
) WITHOUT ROWID;

-- Whoever notices something goes by it, so that of two who do one is late.
CREATE TABLE probe_turns_revision (
    one      BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL
);
INSERT INTO probe_turns_revision (one, revision) VALUES (1, 0);

CREATE INDEX probe_stands_that_are_not_well ON probe_stands (probe_case, cluster) WHERE state NOT IN ('Passing', 'Skipped');
CREATE INDEX probe_stands_by_time ON probe_stands (until);

-- In a few words, what a notice is about that is about no run.
ALTER TABLE notices ADD COLUMN about TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE notices DROP COLUMN about;
DROP INDEX probe_stands_by_time;
DROP INDEX probe_stands_that_are_not_well;
DROP TABLE probe_turns_revision;
DROP TABLE probe_turns;
