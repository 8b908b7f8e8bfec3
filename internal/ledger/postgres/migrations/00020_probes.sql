-- +goose Up
-- What is known of each case at each target: a document, with what it is found and replaced by.
CREATE TABLE probe_stands (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster    TEXT COLLATE "C" NOT NULL,
    probe_case TEXT COLLATE "C" NOT NULL,
    target     TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    last       TEXT COLLATE "C" NOT NULL,
    said       TEXT COLLATE "C" NOT NULL,
    until      TEXT COLLATE "C" NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,
    UNIQUE (cluster, probe_case, target)
);
CREATE INDEX probe_stands_by_case ON probe_stands (probe_case, seq);

-- What came of runs: all that did not pass for a month, what passed for a day, and no more than so many of either.
CREATE TABLE probe_outcomes (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster    TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    probe_case TEXT COLLATE "C" NOT NULL,
    target     TEXT COLLATE "C" NOT NULL,
    verdict    TEXT COLLATE "C" NOT NULL,
    ended      TEXT COLLATE "C" NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,
    label      TEXT COLLATE "C" NOT NULL DEFAULT '',
    labelled   TEXT COLLATE "C" NOT NULL DEFAULT '',
    UNIQUE (cluster, id)
);
CREATE INDEX probe_outcomes_by_case ON probe_outcomes (probe_case, cluster, seq);
CREATE INDEX probe_outcomes_by_end ON probe_outcomes (ended);
CREATE INDEX probe_outcomes_that_failed ON probe_outcomes (probe_case, ended) WHERE verdict <> 'Passed';

-- All runs, counted by the hour.
CREATE TABLE probe_hours (
    probe_case TEXT COLLATE "C" NOT NULL,
    cluster    TEXT COLLATE "C" NOT NULL,
    hour       TEXT COLLATE "C" NOT NULL,
    verdict    TEXT COLLATE "C" NOT NULL,
    runs       BIGINT NOT NULL,
    worst      BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    PRIMARY KEY (probe_case, cluster, hour, verdict)
);
CREATE INDEX probe_hours_by_hour ON probe_hours (hour);

-- +goose Down
DROP TABLE probe_hours;
DROP TABLE probe_outcomes;
DROP TABLE probe_stands;
