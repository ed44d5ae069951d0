-- +goose Up
-- Closed blocks and their history go by age like every record, and name nobody any more when a person is forgotten.

DROP TRIGGER block_kept ON block;
DROP TRIGGER block_history_kept ON block_history;
DROP TRIGGER block_history_not_changed ON block_history;
CREATE TRIGGER block_kept BEFORE DELETE ON block FOR EACH ROW EXECUTE FUNCTION gatecamp_keep('closed_at');
CREATE TRIGGER block_history_kept BEFORE DELETE ON block_history FOR EACH ROW EXECUTE FUNCTION gatecamp_keep('at');
CREATE TRIGGER block_history_not_changed BEFORE UPDATE ON block_history FOR EACH ROW
	WHEN (NEW.value <> '0' OR NEW.reason <> '' OR NEW.id <> OLD.id OR NEW.block_id <> OLD.block_id OR NEW.guild_id <> OLD.guild_id OR NEW.scope <> OLD.scope OR NEW.kind <> OLD.kind
		OR NEW.rule <> OLD.rule OR NEW.ends_at IS DISTINCT FROM OLD.ends_at OR NEW.actor <> OLD.actor OR NEW.origin <> OLD.origin OR NEW.at <> OLD.at OR NEW.also <> OLD.also)
	EXECUTE FUNCTION gatecamp_refuse();
