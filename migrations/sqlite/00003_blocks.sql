-- +goose Up
-- Who is kept out: blocks, the order in which they changed, and a history that only grows.

CREATE TABLE block (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	revision BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	scope TEXT NOT NULL,
	value TEXT NOT NULL,
	reason TEXT NOT NULL,
	message TEXT NOT NULL,
	status BIGINT NOT NULL,
	rule TEXT NOT NULL,
	owner TEXT NOT NULL,
	evidence TEXT,
	started_at TIMESTAMP NOT NULL,
	ends_at TIMESTAMP,
	closed_at TIMESTAMP,
	closed_by TEXT NOT NULL,
	closed_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX block_open ON block (guild_id, scope, value) WHERE closed_at IS NULL;
CREATE INDEX block_changed ON block (revision);

-- One row: the revision of the newest change. Whoever changes a block takes the next one first and holds the row until it commits.
CREATE TABLE block_revision (
	id BIGINT NOT NULL PRIMARY KEY,
	revision BIGINT NOT NULL
);
INSERT INTO block_revision (id, revision) VALUES (1, 0);

CREATE TABLE block_history (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	block_id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	scope TEXT NOT NULL,
	value TEXT NOT NULL,
	kind TEXT NOT NULL,
	rule TEXT NOT NULL,
	ends_at TIMESTAMP,
	actor TEXT NOT NULL,
	origin TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);
CREATE INDEX block_history_subject ON block_history (guild_id, scope, value, at);

-- +goose StatementBegin
CREATE TRIGGER block_history_not_replaced BEFORE INSERT ON block_history WHEN EXISTS (SELECT 1 FROM block_history WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block_history cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_history_not_changed BEFORE UPDATE ON block_history
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block_history cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_history_kept BEFORE DELETE ON block_history
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block_history cannot be deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_not_replaced BEFORE INSERT ON block WHEN EXISTS (SELECT 1 FROM block WHERE id = NEW.id OR (guild_id = NEW.guild_id AND scope = NEW.scope AND value = NEW.value AND closed_at IS NULL))
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_kept BEFORE DELETE ON block
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block cannot be deleted'); END;
-- +goose StatementEnd
