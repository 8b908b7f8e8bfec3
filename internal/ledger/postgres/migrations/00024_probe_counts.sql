-- +goose Up
-- By which it shows what is new in what is said: since when a state is, and how many runs its case has missed.
ALTER TABLE probe_stands ADD COLUMN since TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE probe_stands ADD COLUMN missed BIGINT NOT NULL DEFAULT 0;

-- What else is counted by the hour: states that changed, runs that were missed, how long after their events runs came to a verdict.
CREATE TABLE probe_counts (
    probe_case TEXT COLLATE "C" NOT NULL,
    cluster    TEXT COLLATE "C" NOT NULL,
    hour       TEXT COLLATE "C" NOT NULL,
    what       TEXT COLLATE "C" NOT NULL,
    n          BIGINT NOT NULL,
    PRIMARY KEY (probe_case, cluster, hour, what)
);
CREATE INDEX probe_counts_by_hour ON probe_counts (hour);

-- +goose Down
DROP TABLE probe_counts;
ALTER TABLE probe_stands DROP COLUMN missed;
ALTER TABLE probe_stands DROP COLUMN since;
