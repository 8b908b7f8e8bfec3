-- +goose Up
-- What came of drills, each time.
CREATE TABLE drilled (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    id    TEXT NOT NULL UNIQUE,
    drill TEXT NOT NULL,
    body  TEXT NOT NULL
);
CREATE INDEX drilled_by_drill ON drilled (drill, seq);

-- The drill of a run, where it is one's.
ALTER TABLE runs ADD COLUMN drill TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE runs DROP COLUMN drill;
DROP TABLE drilled;
