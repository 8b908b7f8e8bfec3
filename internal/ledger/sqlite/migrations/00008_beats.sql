-- +goose Up
CREATE TABLE beats (
    worker TEXT PRIMARY KEY,
    build  TEXT NOT NULL,
    queues TEXT NOT NULL,
    since  TEXT NOT NULL,
    seen   TEXT NOT NULL,
    ended  TEXT NOT NULL
);
CREATE INDEX beats_by_seen ON beats (seen);

-- +goose Down
DROP TABLE beats;
