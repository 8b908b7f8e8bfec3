-- +goose Up
-- What was asked of servers under keys, for a day: it is done once.
CREATE TABLE requests (
    who     TEXT NOT NULL,
    request TEXT NOT NULL,
    digest  TEXT NOT NULL,
    begun   TEXT NOT NULL,
    ended   TEXT NOT NULL,
    answer  TEXT NOT NULL,
    PRIMARY KEY (who, request)
);
CREATE INDEX requests_by_time ON requests (begun);

-- The request that a run came from, where it came from one.
ALTER TABLE runs ADD COLUMN request TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_of_requests ON runs (request) WHERE request <> '';

-- Tokens of services. What proves one is not here: the hash of it is.
CREATE TABLE tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created    TEXT NOT NULL,
    expires    TEXT NOT NULL,
    last_used  TEXT NOT NULL DEFAULT '',
    revoked    TEXT NOT NULL DEFAULT '',
    revoked_by TEXT NOT NULL DEFAULT ''
);

-- +goose Down
DROP TABLE tokens;
DROP INDEX runs_of_requests;
ALTER TABLE runs DROP COLUMN request;
DROP TABLE requests;
