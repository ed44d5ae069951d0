-- +goose Up
-- Closed blocks and their history go by age like every record, and name nobody any more when a person is forgotten.

DROP TRIGGER block_kept;
DROP TRIGGER block_history_kept;
DROP TRIGGER block_history_not_changed;
-- +goose StatementBegin
CREATE TRIGGER block_kept BEFORE DELETE ON block
WHEN OLD.closed_at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.closed_at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_history_kept BEFORE DELETE ON block_history
WHEN OLD.at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block_history is younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER block_history_not_changed BEFORE UPDATE ON block_history
WHEN NEW.value <> '0' OR NEW.reason <> '' OR NEW.id <> OLD.id OR NEW.block_id <> OLD.block_id OR NEW.guild_id <> OLD.guild_id OR NEW.scope <> OLD.scope OR NEW.kind <> OLD.kind
	OR NEW.rule <> OLD.rule OR NEW.ends_at IS NOT OLD.ends_at OR NEW.actor <> OLD.actor OR NEW.origin <> OLD.origin OR NEW.at <> OLD.at OR NEW.also <> OLD.also
BEGIN SELECT RAISE(ABORT, 'append-only: a row of block_history cannot be changed'); END;
-- +goose StatementEnd
