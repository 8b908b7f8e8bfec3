-- +goose Up

-- Programs that work near clusters and dial in, each as a document.
CREATE TABLE agents (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    body TEXT COLLATE "C" NOT NULL
);

-- Who may come in as one of them.
CREATE TABLE invitations (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires TEXT COLLATE "C" NOT NULL,
    body    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX invitations_by_end ON invitations (expires);

-- Which blobs the agents of a site may read: those that it stored, and those that its tasks and records named.
CREATE TABLE shared (
    site   TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (site, digest)
);

-- +goose Down
DROP TABLE shared;
DROP TABLE invitations;
DROP TABLE agents;
