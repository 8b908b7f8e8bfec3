-- +goose Up

-- Which units change their clusters now, and which wait to, in the order in which they asked.
CREATE TABLE permits (
    turn    INTEGER PRIMARY KEY AUTOINCREMENT,
    run     TEXT NOT NULL,
    cluster TEXT NOT NULL,
    body    TEXT NOT NULL,
    UNIQUE (run, cluster)
);

-- Grows with each change by which somebody who waits may get in.
CREATE TABLE permit_revision (revision INTEGER NOT NULL);
INSERT INTO permit_revision (revision) VALUES (0);

-- +goose Down
DROP TABLE permit_revision;
DROP TABLE permits;
