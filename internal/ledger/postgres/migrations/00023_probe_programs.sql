-- +goose Up
-- What ran, of each run and in the counts: a case is known by its name, and has proven itself by its program. Nobody knows it of runs from
-- before.
ALTER TABLE probe_outcomes ADD COLUMN program TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE probe_hours ADD COLUMN program TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE probe_hours DROP CONSTRAINT probe_hours_pkey;
ALTER TABLE probe_hours ADD CONSTRAINT probe_hours_pkey PRIMARY KEY (probe_case, cluster, hour, verdict, program);

-- +goose Down
CREATE TABLE probe_hours_of_cases AS
    SELECT probe_case, cluster, hour, verdict, CAST(SUM(runs) AS BIGINT) AS runs, MAX(worst) AS worst, CAST(SUM(total) AS BIGINT) AS total
    FROM probe_hours GROUP BY 1, 2, 3, 4;
DELETE FROM probe_hours;
ALTER TABLE probe_hours DROP CONSTRAINT probe_hours_pkey;
ALTER TABLE probe_hours DROP COLUMN program;
INSERT INTO probe_hours (probe_case, cluster, hour, verdict, runs, worst, total)
    SELECT probe_case, cluster, hour, verdict, runs, worst, total FROM probe_hours_of_cases;
DROP TABLE probe_hours_of_cases;
ALTER TABLE probe_hours ADD CONSTRAINT probe_hours_pkey PRIMARY KEY (probe_case, cluster, hour, verdict);
ALTER TABLE probe_outcomes DROP COLUMN program;
