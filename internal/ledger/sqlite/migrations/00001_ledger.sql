-- +goose Up
CREATE TABLE installation (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT    NOT NULL
);

CREATE TABLE fences (
    cluster   TEXT   NOT NULL,
    component TEXT   NOT NULL,
    fence     BIGINT NOT NULL,
    PRIMARY KEY (cluster, component)
);

CREATE TABLE blobs (
    digest TEXT   NOT NULL PRIMARY KEY,
    size   BIGINT NOT NULL,
    data   BLOB   NOT NULL
);

CREATE TABLE plans (
    hash      TEXT NOT NULL PRIMARY KEY,
    component TEXT NOT NULL,
    version   TEXT NOT NULL,
    pipeline  TEXT NOT NULL,
    body      TEXT NOT NULL REFERENCES blobs (digest),
    live      TEXT NOT NULL,
    origin    TEXT NOT NULL,
    created   TEXT NOT NULL,
    made_by   TEXT NOT NULL
);
CREATE INDEX plans_by_component ON plans (component, created);

CREATE TABLE runs (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT   NOT NULL UNIQUE,
    component TEXT   NOT NULL,
    number    BIGINT NOT NULL,
    plan      TEXT   NOT NULL,
    version   TEXT   NOT NULL,
    back      TEXT   NOT NULL,
    phase     TEXT   NOT NULL,
    started   TEXT   NOT NULL,
    ended     TEXT   NOT NULL,
    made_by   TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    report    TEXT   NOT NULL,
    UNIQUE (component, number)
);

CREATE TABLE deployments (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster    TEXT   NOT NULL,
    component  TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    target     TEXT   NOT NULL,
    objects    TEXT   NOT NULL REFERENCES blobs (digest),
    run        TEXT   NOT NULL,
    plan       TEXT   NOT NULL,
    fence      BIGINT NOT NULL,
    since      TEXT   NOT NULL,
    removed_by TEXT   NOT NULL
);
CREATE INDEX deployments_by_unit ON deployments (cluster, component, seq);

CREATE TABLE present (
    cluster    TEXT   NOT NULL,
    component  TEXT   NOT NULL,
    deployment BIGINT NOT NULL REFERENCES deployments (seq),
    PRIMARY KEY (cluster, component)
);
CREATE INDEX present_by_component ON present (component, cluster);

CREATE TABLE writes (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    run              TEXT    NOT NULL,
    cluster          TEXT    NOT NULL,
    component        TEXT    NOT NULL,
    object           TEXT    NOT NULL,
    step             TEXT    NOT NULL,
    intent           TEXT    NOT NULL,
    uid              TEXT    NOT NULL,
    resource_version TEXT    NOT NULL,
    created          INTEGER NOT NULL,
    at               TEXT    NOT NULL,
    UNIQUE (run, cluster, object, step)
);

CREATE TABLE observations (
    cluster     TEXT    NOT NULL,
    component   TEXT    NOT NULL,
    run         TEXT    NOT NULL,
    version     TEXT    NOT NULL,
    node_set    TEXT    NOT NULL,
    batch       INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    desired     INTEGER NOT NULL,
    armed       INTEGER NOT NULL,
    unreachable INTEGER NOT NULL,
    seen        TEXT    NOT NULL,
    PRIMARY KEY (cluster, component)
);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      TEXT NOT NULL,
    who     TEXT NOT NULL,
    command TEXT NOT NULL,
    object  TEXT NOT NULL,
    scope   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    outcome TEXT NOT NULL
);
CREATE INDEX audit_by_object ON audit (object, id);

-- +goose Down
DROP TABLE audit;
DROP TABLE observations;
DROP TABLE writes;
DROP TABLE present;
DROP TABLE deployments;
DROP TABLE runs;
DROP TABLE plans;
DROP TABLE blobs;
DROP TABLE fences;
DROP TABLE installation;
