-- +goose Up
-- The era of a write: the last deployment that was recorded there when it was first made. -1 is from before eras were kept.
ALTER TABLE writes ADD COLUMN era BIGINT NOT NULL DEFAULT -1;
CREATE INDEX writes_by_unit ON writes (cluster, component, era);

CREATE TABLE pre_images (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    cluster    TEXT   NOT NULL,
    component  TEXT   NOT NULL,
    era        BIGINT NOT NULL,
    object     TEXT   NOT NULL,
    uid        TEXT   NOT NULL,
    image      TEXT   NOT NULL,
    run        TEXT   NOT NULL,
    taken_back TEXT   NOT NULL,
    at         TEXT   NOT NULL
);
CREATE UNIQUE INDEX pre_images_first ON pre_images (cluster, component, era, object, uid) WHERE taken_back = '';

-- +goose Down
DROP TABLE pre_images;
DROP INDEX writes_by_unit;
ALTER TABLE writes DROP COLUMN era;
