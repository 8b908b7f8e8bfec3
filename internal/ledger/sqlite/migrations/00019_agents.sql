-- +goose Up

-- Programs that work near clusters and dial in, each as a document.
CREATE TABLE agents (
    name TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);

-- Who may come in as one of them.
CREATE TABLE invitations (
    id      TEXT NOT NULL PRIMARY KEY,
    expires TEXT NOT NULL,
    body    TEXT NOT NULL
);
CREATE INDEX invitations_by_end ON invitations (expires);

-- Which blobs the agents of a site may read: those that it stored, and those that its tasks and records named.
CREATE TABLE shared (
    site   TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (site, digest)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE shared;
DROP TABLE invitations;
DROP TABLE agents;
