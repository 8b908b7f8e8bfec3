-- +goose Up
-- What was asked of servers under keys, for a day: it is done once.
CREATE TABLE requests (
    who     TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    digest  TEXT COLLATE "C" NOT NULL,
    begun   TEXT COLLATE "C" NOT NULL,
    ended   TEXT COLLATE "C" NOT NULL,
    answer  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (who, request)
);
CREATE INDEX requests_by_time ON requests (begun);

-- The request that a run came from, where it came from one.
ALTER TABLE runs ADD COLUMN request TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX runs_of_requests ON runs (request) WHERE request <> '';

-- Tokens of services. What proves one is not here: the hash of it is.
CREATE TABLE tokens (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    hash       TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created    TEXT COLLATE "C" NOT NULL,
    expires    TEXT COLLATE "C" NOT NULL,
    last_used  TEXT COLLATE "C" NOT NULL DEFAULT '',
    revoked    TEXT COLLATE "C" NOT NULL DEFAULT '',
    revoked_by TEXT COLLATE "C" NOT NULL DEFAULT ''
);

-- +goose Down
DROP TABLE tokens;
DROP INDEX runs_of_requests;
ALTER TABLE runs DROP COLUMN request;
DROP TABLE requests;
