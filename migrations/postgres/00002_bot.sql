-- +goose Up
-- What the bot keeps: cards, memories, what the audit log told, rights as last seen, who wants messages; and plans become records.

CREATE TABLE card (
	id TEXT NOT NULL PRIMARY KEY,
	guild_id BIGINT NOT NULL,
	channel_id BIGINT NOT NULL,
	message_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	digest TEXT NOT NULL,
	run_id BIGINT NOT NULL,
	args TEXT,
	locale TEXT NOT NULL,
	invoker_id BIGINT NOT NULL,
	created_at TIMESTAMPTZ NOT NULL,
	expires_at TIMESTAMPTZ NOT NULL,
	used_at TIMESTAMPTZ,
	used_by TEXT NOT NULL,
	outcome TEXT NOT NULL
);
CREATE INDEX card_open ON card (guild_id, expires_at) WHERE used_at IS NULL;

-- What a process wants to find again. Guild 0: the process as a whole.
CREATE TABLE memory (
	guild_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	value BYTEA NOT NULL,
	at TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (guild_id, name)
);

-- What Discord's audit log says about who gave or took a role.
CREATE TABLE role_grant (
	guild_id BIGINT NOT NULL,
	entry_id BIGINT NOT NULL,
	role_id BIGINT NOT NULL,
	member_id BIGINT NOT NULL,
	actor_id BIGINT NOT NULL,
	added BOOLEAN NOT NULL,
	at TIMESTAMPTZ NOT NULL,
	reason TEXT NOT NULL,
	PRIMARY KEY (guild_id, entry_id, role_id)
);
CREATE INDEX role_grant_member ON role_grant (guild_id, member_id, at);

CREATE TABLE seen_rights (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	user_id BIGINT NOT NULL,
	rights TEXT NOT NULL,
	at TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (guild_id, discord_id)
);

CREATE TABLE subscriber (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	since_at TIMESTAMPTZ NOT NULL,
	failures BIGINT NOT NULL,
	last_failure_at TIMESTAMPTZ,
	last_error TEXT NOT NULL,
	PRIMARY KEY (guild_id, discord_id)
);

CREATE TABLE direct_message (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (guild_id, discord_id, reason)
);

-- The Discord account that a user had before, and when it became another.
ALTER TABLE source_account ADD COLUMN was_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE source_account ADD COLUMN moved_at TIMESTAMPTZ;

-- A stored plan is what a person approves: like the records it goes only by age, and nobody exchanges its actions.
-- +goose StatementBegin
CREATE FUNCTION gatecamp_keep_planned() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	days INTEGER := COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180);
BEGIN
	IF days = 0 OR NOT EXISTS (SELECT 1 FROM plan p WHERE p.guild_id = OLD.guild_id AND p.digest = OLD.digest AND p.state <> 'performing'
			AND p.made_at <= now() - make_interval(days => GREATEST(30, days))) THEN
		RAISE EXCEPTION 'append-only: a row of % is open, or younger than the retention', TG_TABLE_NAME USING ERRCODE = 'GC001';
	END IF;
	RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_not_changed BEFORE UPDATE OF guild_id, digest, created_at, actions ON plan FOR EACH ROW EXECUTE FUNCTION gatecamp_refuse();
CREATE TRIGGER plan_not_older BEFORE UPDATE OF made_at ON plan FOR EACH ROW WHEN (NEW.made_at < OLD.made_at) EXECUTE FUNCTION gatecamp_refuse();
CREATE TRIGGER plan_action_not_changed BEFORE UPDATE OF guild_id, digest, position, action_key, member_id, kind, role_id ON plan_action
	FOR EACH ROW EXECUTE FUNCTION gatecamp_refuse();
CREATE TRIGGER plan_open_kept BEFORE DELETE ON plan FOR EACH ROW WHEN (OLD.state = 'performing') EXECUTE FUNCTION gatecamp_refuse();
CREATE TRIGGER plan_kept BEFORE DELETE ON plan FOR EACH ROW EXECUTE FUNCTION gatecamp_keep('made_at');
CREATE TRIGGER plan_action_kept BEFORE DELETE ON plan_action FOR EACH ROW EXECUTE FUNCTION gatecamp_keep_planned();
CREATE TRIGGER plan_not_emptied BEFORE TRUNCATE ON plan EXECUTE FUNCTION gatecamp_refuse();
CREATE TRIGGER plan_action_not_emptied BEFORE TRUNCATE ON plan_action EXECUTE FUNCTION gatecamp_refuse();
