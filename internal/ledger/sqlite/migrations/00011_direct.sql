-- +goose Up
-- The run was made without Temporal: no workflow goes by its name.
ALTER TABLE runs ADD COLUMN direct INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_that_overtake ON runs (component, seq) WHERE direct = 1;

-- +goose Down
DROP INDEX runs_that_overtake;
ALTER TABLE runs DROP COLUMN direct;
