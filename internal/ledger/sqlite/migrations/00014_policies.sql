-- +goose Up

-- The policies among the files of a plan, a blob: they are judged again when it starts.
ALTER TABLE plans ADD COLUMN policies TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE plans DROP COLUMN policies;
