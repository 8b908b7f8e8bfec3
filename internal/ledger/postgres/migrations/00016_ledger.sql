-- The tables as they are at step 16, with which ledgers in PostgreSQL begin. Texts are in the order of their bytes: times are texts, and
-- lists are in the same order wherever a ledger is kept.

-- +goose Up
CREATE TABLE installation (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT    COLLATE "C" NOT NULL
);

CREATE TABLE fences (
    cluster   TEXT   COLLATE "C" NOT NULL,
    component TEXT   COLLATE "C" NOT NULL,
    fence     BIGINT NOT NULL,
    PRIMARY KEY (cluster, component)
);

CREATE TABLE blobs (
    digest TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    size   BIGINT NOT NULL,
    data   BYTEA  NOT NULL
);
-- They are compressed already.
ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE plans (
    hash      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    component TEXT COLLATE "C" NOT NULL,
    version   TEXT COLLATE "C" NOT NULL,
    pipeline  TEXT COLLATE "C" NOT NULL,
    body      TEXT COLLATE "C" NOT NULL REFERENCES blobs (digest),
    live      TEXT COLLATE "C" NOT NULL,
    origin    TEXT COLLATE "C" NOT NULL,
    created   TEXT COLLATE "C" NOT NULL,
    made_by   TEXT COLLATE "C" NOT NULL,
    -- The policies among the files of a plan, a blob: they are judged again when it starts.
    policies  TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX plans_by_component ON plans (component, created);

CREATE TABLE runs (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      TEXT   COLLATE "C" NOT NULL UNIQUE,
    component TEXT   COLLATE "C" NOT NULL,
    number    BIGINT NOT NULL,
    plan      TEXT   COLLATE "C" NOT NULL,
    version   TEXT   COLLATE "C" NOT NULL,
    back      TEXT   COLLATE "C" NOT NULL,
    phase     TEXT   COLLATE "C" NOT NULL,
    started   TEXT   COLLATE "C" NOT NULL,
    ended     TEXT   COLLATE "C" NOT NULL,
    made_by   TEXT   COLLATE "C" NOT NULL,
    reason    TEXT   COLLATE "C" NOT NULL,
    report    TEXT   COLLATE "C" NOT NULL,
    -- The revision of the freezes that a run was told of, and whether any held it then.
    told      BIGINT NOT NULL DEFAULT 0,
    held      INTEGER NOT NULL DEFAULT 0,
    -- What was noticed of a run last.
    noticed   TEXT   COLLATE "C" NOT NULL DEFAULT '',
    -- The drill of a run, where it is one's.
    drill     TEXT   COLLATE "C" NOT NULL DEFAULT '',
    -- The run was made without Temporal: no workflow goes by its name.
    direct    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (component, number)
);
CREATE INDEX runs_that_are_open ON runs (seq) WHERE ended = '';
CREATE INDEX runs_by_end ON runs (ended);
CREATE INDEX runs_that_overtake ON runs (component, seq) WHERE direct = 1;

CREATE TABLE deployments (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster    TEXT   COLLATE "C" NOT NULL,
    component  TEXT   COLLATE "C" NOT NULL,
    version    TEXT   COLLATE "C" NOT NULL,
    target     TEXT   COLLATE "C" NOT NULL,
    objects    TEXT   COLLATE "C" NOT NULL REFERENCES blobs (digest),
    run        TEXT   COLLATE "C" NOT NULL,
    plan       TEXT   COLLATE "C" NOT NULL,
    fence      BIGINT NOT NULL,
    since      TEXT   COLLATE "C" NOT NULL,
    removed_by TEXT   COLLATE "C" NOT NULL
);
CREATE INDEX deployments_by_unit ON deployments (cluster, component, seq);

CREATE TABLE present (
    cluster    TEXT   COLLATE "C" NOT NULL,
    component  TEXT   COLLATE "C" NOT NULL,
    deployment BIGINT NOT NULL REFERENCES deployments (seq),
    PRIMARY KEY (cluster, component)
);
CREATE INDEX present_by_component ON present (component, cluster);

CREATE TABLE writes (
    seq              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run              TEXT    COLLATE "C" NOT NULL,
    cluster          TEXT    COLLATE "C" NOT NULL,
    component        TEXT    COLLATE "C" NOT NULL,
    object           TEXT    COLLATE "C" NOT NULL,
    step             TEXT    COLLATE "C" NOT NULL,
    intent           TEXT    COLLATE "C" NOT NULL,
    uid              TEXT    COLLATE "C" NOT NULL,
    resource_version TEXT    COLLATE "C" NOT NULL,
    created          INTEGER NOT NULL,
    at               TEXT    COLLATE "C" NOT NULL,
    -- The last deployment that was recorded there when it was first made.
    era              BIGINT  NOT NULL DEFAULT -1,
    UNIQUE (run, cluster, object, step)
);
CREATE INDEX writes_by_unit ON writes (cluster, component, era);

CREATE TABLE pre_images (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster    TEXT   COLLATE "C" NOT NULL,
    component  TEXT   COLLATE "C" NOT NULL,
    era        BIGINT NOT NULL,
    object     TEXT   COLLATE "C" NOT NULL,
    uid        TEXT   COLLATE "C" NOT NULL,
    image      TEXT   COLLATE "C" NOT NULL,
    run        TEXT   COLLATE "C" NOT NULL,
    taken_back TEXT   COLLATE "C" NOT NULL,
    at         TEXT   COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX pre_images_first ON pre_images (cluster, component, era, object, uid) WHERE taken_back = '';

CREATE TABLE observations (
    cluster     TEXT    COLLATE "C" NOT NULL,
    component   TEXT    COLLATE "C" NOT NULL,
    run         TEXT    COLLATE "C" NOT NULL,
    version     TEXT    COLLATE "C" NOT NULL,
    node_set    TEXT    COLLATE "C" NOT NULL,
    batch       BIGINT  NOT NULL,
    updated     BIGINT  NOT NULL,
    desired     BIGINT  NOT NULL,
    armed       INTEGER NOT NULL,
    unreachable INTEGER NOT NULL,
    seen        TEXT    COLLATE "C" NOT NULL,
    -- The dead nodes that had pods when it was last looked.
    behind      TEXT    COLLATE "C" NOT NULL DEFAULT '',
    -- When a run last got on in a cluster: seen changes with every look, this with what has moved.
    moved       TEXT    COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (cluster, component)
);
CREATE INDEX observations_by_run ON observations (run, moved);

CREATE TABLE audit (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      TEXT COLLATE "C" NOT NULL,
    who     TEXT COLLATE "C" NOT NULL,
    command TEXT COLLATE "C" NOT NULL,
    object  TEXT COLLATE "C" NOT NULL,
    scope   TEXT COLLATE "C" NOT NULL,
    reason  TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_by_object ON audit (object, id);

CREATE TABLE freezes (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin      TEXT COLLATE "C" NOT NULL,
    scope       TEXT COLLATE "C" NOT NULL,
    in_flight   TEXT COLLATE "C" NOT NULL,
    made_by     TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    since       TEXT COLLATE "C" NOT NULL,
    until       TEXT COLLATE "C" NOT NULL,
    lifted      TEXT COLLATE "C" NOT NULL,
    lifted_by   TEXT COLLATE "C" NOT NULL,
    lift_reason TEXT COLLATE "C" NOT NULL,
    -- The run that goes back, where a freeze came from one.
    run         TEXT COLLATE "C" NOT NULL DEFAULT '',
    -- The fuse, and how often it had tripped then, where a freeze came from one.
    fuse        TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX freezes_that_hold ON freezes (number) WHERE lifted = '';
CREATE UNIQUE INDEX freezes_of_runs ON freezes (run) WHERE run <> '';
CREATE UNIQUE INDEX freezes_of_fuses ON freezes (fuse) WHERE fuse <> '';

-- How often the freezes have changed.
CREATE TABLE freeze_revision (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL
);
INSERT INTO freeze_revision (one, revision) VALUES (1, 0);

CREATE TABLE receivers (
    name  TEXT COLLATE "C" PRIMARY KEY,
    since TEXT COLLATE "C" NOT NULL,
    quiet TEXT COLLATE "C" NOT NULL
);

CREATE TABLE notices (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key      TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    run      TEXT COLLATE "C" NOT NULL,
    event    TEXT COLLATE "C" NOT NULL,
    body     TEXT COLLATE "C" NOT NULL,
    at       TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    next     TEXT COLLATE "C" NOT NULL,
    leased   TEXT COLLATE "C" NOT NULL,
    told     TEXT COLLATE "C" NOT NULL,
    settled  TEXT COLLATE "C" NOT NULL,
    outcome  TEXT COLLATE "C" NOT NULL,
    UNIQUE (receiver, key)
);
CREATE INDEX notices_by_run ON notices (receiver, run, id);
CREATE INDEX notices_that_wait ON notices (receiver, id) WHERE settled = '';
CREATE INDEX notices_by_settlement ON notices (settled);

-- When receivers were told something, as far as their limit needs it.
CREATE TABLE tellings (
    receiver TEXT COLLATE "C" NOT NULL,
    at       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX tellings_by_receiver ON tellings (receiver, at);

CREATE TABLE beats (
    worker TEXT COLLATE "C" PRIMARY KEY,
    build  TEXT COLLATE "C" NOT NULL,
    queues TEXT COLLATE "C" NOT NULL,
    since  TEXT COLLATE "C" NOT NULL,
    seen   TEXT COLLATE "C" NOT NULL,
    ended  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX beats_by_seen ON beats (seen);

-- Who has let which plan pass what. Nothing is removed.
CREATE TABLE bypasses (
    plan    TEXT COLLATE "C" NOT NULL,
    of_what TEXT COLLATE "C" NOT NULL,
    made_by TEXT COLLATE "C" NOT NULL,
    reason  TEXT COLLATE "C" NOT NULL,
    at      TEXT COLLATE "C" NOT NULL,
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    UNIQUE (plan, of_what, made_by)
);

-- Documents of the whole installation. A number is given once.
CREATE TABLE kept (
    revision BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     TEXT COLLATE "C" NOT NULL,
    name     TEXT COLLATE "C" NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    kept_by  TEXT COLLATE "C" NOT NULL,
    at       TEXT COLLATE "C" NOT NULL,
    UNIQUE (kind, name)
);

-- What came of drills, each time.
CREATE TABLE drilled (
    seq   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id    TEXT COLLATE "C" NOT NULL UNIQUE,
    drill TEXT COLLATE "C" NOT NULL,
    body  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX drilled_by_drill ON drilled (drill, seq);

-- Which units change their clusters now, and which wait to, in the order in which they asked.
CREATE TABLE permits (
    turn    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run     TEXT COLLATE "C" NOT NULL,
    cluster TEXT COLLATE "C" NOT NULL,
    body    TEXT COLLATE "C" NOT NULL,
    -- When a unit asked for the last thing, and whether that was to leave: what is late takes no place, and frees nobody else's.
    asked   TEXT COLLATE "C" NOT NULL DEFAULT '',
    gone    INTEGER NOT NULL DEFAULT 0,
    trouble INTEGER NOT NULL DEFAULT 0,
    UNIQUE (run, cluster)
);
CREATE INDEX permits_in_trouble ON permits (turn) WHERE trouble = 1;
CREATE INDEX permits_there ON permits (turn) WHERE gone = 0;

-- What a permit may be in the way of: who asks reads what shares a failure domain with it, and what is in trouble, and not all.
CREATE TABLE permit_domains (
    domain TEXT   COLLATE "C" NOT NULL,
    turn   BIGINT NOT NULL REFERENCES permits (turn) ON DELETE CASCADE,
    PRIMARY KEY (domain, turn)
);
CREATE INDEX permit_domains_by_turn ON permit_domains (turn);

-- Grows with each change by which somebody who waits may get in.
CREATE TABLE permit_revision (revision BIGINT NOT NULL);
INSERT INTO permit_revision (revision) VALUES (0);

-- How it went in clusters, over all runs, for a while.
CREATE TABLE outcomes (
    run     TEXT COLLATE "C" NOT NULL,
    cluster TEXT COLLATE "C" NOT NULL,
    plan    TEXT COLLATE "C" NOT NULL,
    failed  TEXT COLLATE "C" NOT NULL,
    ended   TEXT COLLATE "C" NOT NULL,
    at      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run, cluster)
);
CREATE INDEX outcomes_by_time ON outcomes (at);

-- +goose Down
DROP TABLE outcomes;
DROP TABLE permit_revision;
DROP TABLE permit_domains;
DROP TABLE permits;
DROP TABLE drilled;
DROP TABLE kept;
DROP TABLE bypasses;
DROP TABLE beats;
DROP TABLE tellings;
DROP TABLE notices;
DROP TABLE receivers;
DROP TABLE freeze_revision;
DROP TABLE freezes;
DROP TABLE audit;
DROP TABLE observations;
DROP TABLE pre_images;
DROP TABLE writes;
DROP TABLE present;
DROP TABLE deployments;
DROP TABLE runs;
DROP TABLE plans;
DROP TABLE blobs;
DROP TABLE fences;
DROP TABLE installation;
