-- +goose Up
CREATE TABLE freezes (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    origin      TEXT NOT NULL,
    scope       TEXT NOT NULL,
    in_flight   TEXT NOT NULL,
    made_by     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    since       TEXT NOT NULL,
    until       TEXT NOT NULL,
    lifted      TEXT NOT NULL,
    lifted_by   TEXT NOT NULL,
    lift_reason TEXT NOT NULL
);
CREATE INDEX freezes_that_hold ON freezes (number) WHERE lifted = '';

-- How often the freezes have changed.
CREATE TABLE freeze_revision (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL
);
INSERT INTO freeze_revision (one, revision) VALUES (1, 0);

-- The revision of the freezes that a run was told of, and whether any held it then.
ALTER TABLE runs ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_that_are_open ON runs (seq) WHERE ended = '';

-- +goose Down
DROP INDEX runs_that_are_open;
ALTER TABLE runs DROP COLUMN held;
ALTER TABLE runs DROP COLUMN told;
DROP TABLE freeze_revision;
DROP TABLE freezes;
