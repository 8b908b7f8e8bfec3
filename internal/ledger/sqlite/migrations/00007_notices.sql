-- +goose Up
CREATE TABLE receivers (
    name  TEXT PRIMARY KEY,
    since TEXT NOT NULL,
    quiet TEXT NOT NULL
);

CREATE TABLE notices (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    key      TEXT NOT NULL,
    receiver TEXT NOT NULL,
    run      TEXT NOT NULL,
    event    TEXT NOT NULL,
    body     TEXT NOT NULL,
    at       TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next     TEXT NOT NULL,
    leased   TEXT NOT NULL,
    told     TEXT NOT NULL,
    settled  TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    UNIQUE (receiver, key)
);
CREATE INDEX notices_by_run ON notices (receiver, run, id);
CREATE INDEX notices_that_wait ON notices (receiver, id) WHERE settled = '';
CREATE INDEX notices_by_settlement ON notices (settled);

-- When receivers were told something, as far as their limit needs it.
CREATE TABLE tellings (
    receiver TEXT NOT NULL,
    at       TEXT NOT NULL
);
CREATE INDEX tellings_by_receiver ON tellings (receiver, at);

-- What was noticed of a run last.
ALTER TABLE runs ADD COLUMN noticed TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_by_end ON runs (ended);

-- +goose Down
DROP INDEX runs_by_end;
ALTER TABLE runs DROP COLUMN noticed;
DROP TABLE tellings;
DROP TABLE notices;
DROP TABLE receivers;
