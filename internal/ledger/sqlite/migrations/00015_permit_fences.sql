-- +goose Up

-- When a unit asked for the last thing, and whether that was to leave: what is late takes no place, and frees nobody else's.
ALTER TABLE permits ADD COLUMN asked TEXT NOT NULL DEFAULT '';
ALTER TABLE permits ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

-- What a run had goes with its end from now on.
DELETE FROM permits WHERE run IN (SELECT name FROM runs WHERE ended <> '');

-- +goose Down
DELETE FROM permits WHERE gone = 1;
ALTER TABLE permits DROP COLUMN gone;
ALTER TABLE permits DROP COLUMN asked;
