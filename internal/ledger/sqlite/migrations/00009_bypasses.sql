-- +goose Up
-- Who has let which plan pass what. Nothing is removed.
CREATE TABLE bypasses (
    plan    TEXT NOT NULL,
    of_what TEXT NOT NULL,
    made_by TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      TEXT NOT NULL,
    seq     INTEGER PRIMARY KEY,
    UNIQUE (plan, of_what, made_by)
);

-- Documents of the whole installation. A number is given once.
CREATE TABLE kept (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    document TEXT NOT NULL,
    kept_by  TEXT NOT NULL,
    at       TEXT NOT NULL,
    UNIQUE (kind, name)
);

-- +goose Down
DROP TABLE kept;
DROP TABLE bypasses;
