-- +goose Up

-- When a run last got on in a cluster: seen changes with every look, this with what has moved.
ALTER TABLE observations ADD COLUMN moved TEXT NOT NULL DEFAULT '';
CREATE INDEX observations_by_run ON observations (run, moved);

-- +goose Down
DROP INDEX observations_by_run;
ALTER TABLE observations DROP COLUMN moved;
