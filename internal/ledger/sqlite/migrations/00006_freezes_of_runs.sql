-- +goose Up
-- The run that goes back, where a freeze came from one.
ALTER TABLE freezes ADD COLUMN run TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX freezes_of_runs ON freezes (run) WHERE run <> '';

-- +goose Down
DROP INDEX freezes_of_runs;
ALTER TABLE freezes DROP COLUMN run;
