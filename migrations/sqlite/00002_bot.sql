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
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP NOT NULL,
	used_at TIMESTAMP,
	used_by TEXT NOT NULL,
	outcome TEXT NOT NULL
);
CREATE INDEX card_open ON card (guild_id, expires_at) WHERE used_at IS NULL;

-- What a process wants to find again. Guild 0: the process as a whole.
CREATE TABLE memory (
	guild_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	value BLOB NOT NULL,
	at TIMESTAMP NOT NULL,
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
	at TIMESTAMP NOT NULL,
	reason TEXT NOT NULL,
	PRIMARY KEY (guild_id, entry_id, role_id)
);
CREATE INDEX role_grant_member ON role_grant (guild_id, member_id, at);

CREATE TABLE seen_rights (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	user_id BIGINT NOT NULL,
	rights TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	PRIMARY KEY (guild_id, discord_id)
);

CREATE TABLE subscriber (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	since_at TIMESTAMP NOT NULL,
	failures BIGINT NOT NULL,
	last_failure_at TIMESTAMP,
	last_error TEXT NOT NULL,
	PRIMARY KEY (guild_id, discord_id)
);

CREATE TABLE direct_message (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	PRIMARY KEY (guild_id, discord_id, reason)
);

-- The Discord account that a user had before, and when it became another.
ALTER TABLE source_account ADD COLUMN was_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE source_account ADD COLUMN moved_at TIMESTAMP;

-- A stored plan is what a person approves: like the records it goes only by age, and nobody exchanges its actions.
-- +goose StatementBegin
CREATE TRIGGER plan_not_replaced BEFORE INSERT ON plan WHEN EXISTS (SELECT 1 FROM plan WHERE guild_id = NEW.guild_id AND digest = NEW.digest)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of plan cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_action_not_replaced BEFORE INSERT ON plan_action WHEN EXISTS (SELECT 1 FROM plan_action WHERE guild_id = NEW.guild_id AND digest = NEW.digest AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of plan_action cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_not_changed BEFORE UPDATE OF guild_id, digest, created_at, actions ON plan
BEGIN SELECT RAISE(ABORT, 'append-only: what a row of plan began with cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_not_older BEFORE UPDATE OF made_at ON plan WHEN NEW.made_at < OLD.made_at
BEGIN SELECT RAISE(ABORT, 'append-only: a row of plan cannot become older'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_action_not_changed BEFORE UPDATE OF guild_id, digest, position, action_key, member_id, kind, role_id ON plan_action
BEGIN SELECT RAISE(ABORT, 'append-only: what a row of plan_action began with cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_kept BEFORE DELETE ON plan
WHEN OLD.state = 'performing' OR OLD.made_at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.made_at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of plan is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_action_kept BEFORE DELETE ON plan_action
WHEN COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR NOT EXISTS (SELECT 1 FROM plan p WHERE p.guild_id = OLD.guild_id AND p.digest = OLD.digest AND p.state <> 'performing'
		AND p.made_at <= (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of plan_action is open, or younger than the retention'); END;
-- +goose StatementEnd
