-- +goose Up
-- What is known of each case at each target: a document, with what it is found and replaced by.
CREATE TABLE probe_stands (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster    TEXT NOT NULL,
    probe_case TEXT NOT NULL,
    target     TEXT NOT NULL,
    state      TEXT NOT NULL,
    last       TEXT NOT NULL,
    said       TEXT NOT NULL,
    until      TEXT NOT NULL,
    body       TEXT NOT NULL,
    UNIQUE (cluster, probe_case, target)
);
CREATE INDEX probe_stands_by_case ON probe_stands (probe_case, seq);

-- What came of runs: all that did not pass for a month, what passed for a day, and no more than so many of either.
CREATE TABLE probe_outcomes (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster    TEXT NOT NULL,
    id         TEXT NOT NULL,
    probe_case TEXT NOT NULL,
    target     TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    ended      TEXT NOT NULL,
    body       TEXT NOT NULL,
    label      TEXT NOT NULL DEFAULT '',
    labelled   TEXT NOT NULL DEFAULT '',
    UNIQUE (cluster, id)
);
CREATE INDEX probe_outcomes_by_case ON probe_outcomes (probe_case, cluster, seq);
CREATE INDEX probe_outcomes_by_end ON probe_outcomes (ended);
CREATE INDEX probe_outcomes_that_failed ON probe_outcomes (probe_case, ended) WHERE verdict <> 'Passed';

-- All runs, counted by the hour.
CREATE TABLE probe_hours (
    probe_case TEXT NOT NULL,
    cluster    TEXT NOT NULL,
    hour       TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    runs       BIGINT NOT NULL,
    worst      BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    PRIMARY KEY (probe_case, cluster, hour, verdict)
) WITHOUT ROWID;
CREATE INDEX probe_hours_by_hour ON probe_hours (hour);

-- +goose Down
DROP TABLE probe_hours;
DROP TABLE probe_outcomes;
DROP TABLE probe_stands;
