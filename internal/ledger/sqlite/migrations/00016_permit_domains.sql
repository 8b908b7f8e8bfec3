-- +goose Up

-- What a permit may be in the way of: who asks reads what shares a failure domain with it, and what is in trouble, and not all.
CREATE TABLE permit_domains (
    domain TEXT NOT NULL,
    turn   INTEGER NOT NULL REFERENCES permits (turn) ON DELETE CASCADE,
    PRIMARY KEY (domain, turn)
) WITHOUT ROWID;
CREATE INDEX permit_domains_by_turn ON permit_domains (turn);
ALTER TABLE permits ADD COLUMN trouble INTEGER NOT NULL DEFAULT 0;
CREATE INDEX permits_in_trouble ON permits (turn) WHERE trouble = 1;
CREATE INDEX permits_there ON permits (turn) WHERE gone = 0;

INSERT INTO permit_domains (domain, turn) SELECT 'cluster ' || cluster, turn FROM permits WHERE gone = 0;
INSERT OR IGNORE INTO permit_domains (domain, turn)
    SELECT d.value, p.turn FROM permits p, json_each(iif(p.gone, '{}', p.body), '$.domains') d;
UPDATE permits SET trouble = 1 WHERE gone = 0 AND body ->> '$.trouble' <> '';

-- +goose Down
DROP INDEX permits_there;
DROP INDEX permits_in_trouble;
ALTER TABLE permits DROP COLUMN trouble;
DROP TABLE permit_domains;
