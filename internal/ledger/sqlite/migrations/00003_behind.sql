-- +goose Up
-- The dead nodes that had pods when it was last looked.
ALTER TABLE observations ADD COLUMN behind TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE observations DROP COLUMN behind;
