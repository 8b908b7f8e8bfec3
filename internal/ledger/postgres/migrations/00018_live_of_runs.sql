-- +goose Up
-- What was seen for the plan of a run when it was started. Nobody knows it of runs from before.
ALTER TABLE runs ADD COLUMN live TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE runs DROP COLUMN live;
