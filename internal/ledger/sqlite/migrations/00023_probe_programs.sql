-- +goose Up
-- What ran, of each run and in the counts: a case is known by its name, and has proven itself by its program. Nobody knows it of runs from
-- before.
ALTER TABLE probe_outcomes ADD COLUMN program TEXT NOT NULL DEFAULT '';
CREATE TABLE probe_hours_of_programs (
    probe_case TEXT NOT NULL,
    cluster    TEXT NOT NULL,
    hour       TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    program    TEXT NOT NULL DEFAULT '',
    runs       BIGINT NOT NULL,
    worst      BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    PRIMARY KEY (probe_case, cluster, hour, verdict, program)
) WITHOUT ROWID;
INSERT INTO probe_hours_of_programs (probe_case, cluster, hour, verdict, runs, worst, total)
    SELECT probe_case, cluster, hour, verdict, runs, worst, total FROM probe_hours;
DROP TABLE probe_hours;
ALTER TABLE probe_hours_of_programs RENAME TO probe_hours;
CREATE INDEX probe_hours_by_hour ON probe_hours (hour);

-- +goose Down
CREATE TABLE probe_hours_of_cases (
    probe_case TEXT NOT NULL,
    cluster    TEXT NOT NULL,
    hour       TEXT NOT NULL,
    verdict    TEXT NOT NULL,
    runs       BIGINT NOT NULL,
    worst      BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    PRIMARY KEY (probe_case, cluster, hour, verdict)
) WITHOUT ROWID;
INSERT INTO probe_hours_of_cases (probe_case, cluster, hour, verdict, runs, worst, total)
    SELECT probe_case, cluster, hour, verdict, SUM(runs), MAX(worst), SUM(total) FROM probe_hours GROUP BY 1, 2, 3, 4;
DROP TABLE probe_hours;
ALTER TABLE probe_hours_of_cases RENAME TO probe_hours;
CREATE INDEX probe_hours_by_hour ON probe_hours (hour);
ALTER TABLE probe_outcomes DROP COLUMN program;
