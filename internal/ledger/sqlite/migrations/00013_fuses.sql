-- +goose Up
-- How it went in clusters, over all runs, for a while.
CREATE TABLE outcomes (
    run     TEXT NOT NULL,
    cluster TEXT NOT NULL,
    plan    TEXT NOT NULL,
    failed  TEXT NOT NULL,
    ended   TEXT NOT NULL,
    at      TEXT NOT NULL,
    PRIMARY KEY (run, cluster)
);
CREATE INDEX outcomes_by_time ON outcomes (at);

-- The fuse, and how often it had tripped then, where a freeze came from one.
ALTER TABLE freezes ADD COLUMN fuse TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX freezes_of_fuses ON freezes (fuse) WHERE fuse <> '';

-- +goose Down
DROP INDEX freezes_of_fuses;
ALTER TABLE freezes DROP COLUMN fuse;
DROP TABLE outcomes;
