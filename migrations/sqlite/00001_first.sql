-- +goose Up
-- Tables and columns are those of ../postgres, word for word but for the names of types.

CREATE TABLE gatecamp (
	product TEXT NOT NULL PRIMARY KEY
);
INSERT INTO gatecamp (product) VALUES ('gatecamp');

CREATE TABLE setting (
	guild_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (guild_id, name)
);

CREATE TABLE config_change (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	table_name TEXT NOT NULL,
	row_key TEXT NOT NULL,
	before_value TEXT,
	after_value TEXT,
	actor TEXT NOT NULL,
	origin TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);
CREATE INDEX config_change_guild ON config_change (guild_id, at);

CREATE TABLE run (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	mode TEXT NOT NULL,
	overrides TEXT,
	policy_version BIGINT NOT NULL,
	policy TEXT,
	member_limit BIGINT NOT NULL,
	members TEXT,
	actor TEXT NOT NULL,
	origin TEXT NOT NULL,
	deadline_at TIMESTAMP,
	dry_run BOOLEAN NOT NULL,
	gates TEXT,
	plan TEXT NOT NULL,
	slot TEXT,
	state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'completed_with_errors', 'failed', 'interrupted', 'abandoned', 'deadline_exceeded', 'cancelled')),
	created_at TIMESTAMP NOT NULL,
	started_at TIMESTAMP,
	ended_at TIMESTAMP,
	heartbeat_at TIMESTAMP,
	owner TEXT NOT NULL,
	counts TEXT,
	sources TEXT,
	digest TEXT NOT NULL,
	error_code TEXT NOT NULL
);
CREATE UNIQUE INDEX run_slot ON run (guild_id, slot) WHERE slot IS NOT NULL;
CREATE INDEX run_state ON run (guild_id, state);

CREATE TABLE finding (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	subject_kind TEXT NOT NULL,
	subject_id BIGINT NOT NULL,
	category TEXT NOT NULL,
	slot TEXT NOT NULL,
	user_id BIGINT NOT NULL,
	wanted TEXT NOT NULL,
	allowed TEXT NOT NULL,
	layer TEXT NOT NULL,
	facts TEXT NOT NULL,
	granted_by BIGINT,
	fingerprint TEXT NOT NULL,
	attempted TEXT NOT NULL,
	observed TEXT NOT NULL,
	opened_at TIMESTAMP NOT NULL,
	opened_run BIGINT NOT NULL,
	changed_at TIMESTAMP NOT NULL,
	changed_run BIGINT NOT NULL,
	closed_at TIMESTAMP,
	closed_run BIGINT NOT NULL,
	review_note TEXT NOT NULL,
	reviewed_by TEXT NOT NULL,
	reviewed_at TIMESTAMP
);
CREATE UNIQUE INDEX finding_open ON finding (guild_id, subject_id, subject_kind, category, slot) WHERE closed_at IS NULL;
CREATE INDEX finding_closed ON finding (guild_id, closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE finding_change (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	finding_id BIGINT NOT NULL REFERENCES finding (id),
	at TIMESTAMP NOT NULL,
	run_id BIGINT NOT NULL,
	what TEXT NOT NULL,
	before_value TEXT,
	after_value TEXT
);
CREATE INDEX finding_change_finding ON finding_change (finding_id);

CREATE TABLE plan (
	guild_id BIGINT NOT NULL,
	digest TEXT NOT NULL,
	run_id BIGINT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	made_at TIMESTAMP NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('stored', 'performing', 'performed')),
	document TEXT,
	untouched TEXT NOT NULL,
	actions BIGINT NOT NULL,
	fingerprint TEXT NOT NULL,
	PRIMARY KEY (guild_id, digest)
);
CREATE INDEX plan_newest ON plan (guild_id, made_at);

CREATE TABLE plan_action (
	guild_id BIGINT NOT NULL,
	digest TEXT NOT NULL,
	position BIGINT NOT NULL,
	action_key TEXT NOT NULL,
	member_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	role_id BIGINT NOT NULL,
	held TEXT NOT NULL,
	PRIMARY KEY (guild_id, digest, position)
);

CREATE TABLE plan_pass (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	digest TEXT NOT NULL,
	run_id BIGINT NOT NULL REFERENCES run (id),
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	used_at TIMESTAMP
);
CREATE UNIQUE INDEX plan_pass_open ON plan_pass (guild_id, digest) WHERE used_at IS NULL;
CREATE INDEX plan_pass_run ON plan_pass (run_id);

CREATE TABLE action (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	run_id BIGINT NOT NULL,
	plan TEXT NOT NULL,
	action_key TEXT NOT NULL,
	member_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	role_id BIGINT NOT NULL,
	roles TEXT,
	budget TEXT NOT NULL,
	live BOOLEAN NOT NULL,
	actor TEXT NOT NULL,
	intended_at TIMESTAMP NOT NULL,
	outcome TEXT NOT NULL,
	code TEXT NOT NULL,
	settled_at TIMESTAMP
);
CREATE UNIQUE INDEX action_open ON action (guild_id, member_id, kind, role_id) WHERE settled_at IS NULL;
CREATE INDEX action_member ON action (guild_id, member_id);
CREATE INDEX action_run ON action (guild_id, run_id);
CREATE INDEX action_plan ON action (guild_id, plan);

CREATE TABLE brake_draw (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	action_id BIGINT NOT NULL REFERENCES action (id),
	at TIMESTAMP NOT NULL,
	member_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	role_id BIGINT NOT NULL,
	budget TEXT NOT NULL,
	live BOOLEAN NOT NULL,
	given_back_at TIMESTAMP
);
CREATE INDEX brake_draw_at ON brake_draw (guild_id, at);
CREATE INDEX brake_draw_action ON brake_draw (action_id);

CREATE TABLE brake_trip (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	dimension TEXT NOT NULL,
	plan TEXT NOT NULL,
	run_id BIGINT NOT NULL,
	cause TEXT,
	at TIMESTAMP NOT NULL,
	reset_at TIMESTAMP,
	reset_by TEXT NOT NULL,
	reset_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX brake_trip_open ON brake_trip (guild_id, dimension) WHERE reset_at IS NULL;

CREATE TABLE acknowledgement (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	run_id BIGINT NOT NULL REFERENCES run (id),
	digest TEXT NOT NULL,
	policy_version BIGINT NOT NULL,
	fingerprint TEXT NOT NULL,
	bot_id BIGINT NOT NULL,
	kinds TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	rearmed_at TIMESTAMP,
	rearmed_by TEXT NOT NULL,
	rearmed_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX acknowledgement_open ON acknowledgement (guild_id) WHERE rearmed_at IS NULL;
CREATE INDEX acknowledgement_run ON acknowledgement (run_id);

CREATE TABLE pause (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	ended_at TIMESTAMP,
	ended_by TEXT NOT NULL,
	ended_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX pause_open ON pause (guild_id) WHERE ended_at IS NULL;

CREATE TABLE exemption (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	role_id BIGINT NOT NULL,
	reason TEXT NOT NULL,
	actor TEXT NOT NULL,
	approver TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP,
	removed_at TIMESTAMP,
	removed_by TEXT NOT NULL,
	removed_reason TEXT NOT NULL
);
CREATE INDEX exemption_subject ON exemption (guild_id, role_id);

CREATE TABLE protected_member (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	reason TEXT NOT NULL,
	actor TEXT NOT NULL,
	approver TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP,
	removed_at TIMESTAMP,
	removed_by TEXT NOT NULL,
	removed_reason TEXT NOT NULL
);
CREATE INDEX protected_member_subject ON protected_member (guild_id, discord_id);

CREATE TABLE bot_account (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	reason TEXT NOT NULL,
	actor TEXT NOT NULL,
	approver TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP,
	removed_at TIMESTAMP,
	removed_by TEXT NOT NULL,
	removed_reason TEXT NOT NULL
);
CREATE INDEX bot_account_subject ON bot_account (guild_id, discord_id);

CREATE TABLE member_override (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	action TEXT NOT NULL,
	single_use BOOLEAN NOT NULL,
	used_at TIMESTAMP,
	reason TEXT NOT NULL,
	actor TEXT NOT NULL,
	approver TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP,
	removed_at TIMESTAMP,
	removed_by TEXT NOT NULL,
	removed_reason TEXT NOT NULL
);
CREATE INDEX member_override_subject ON member_override (guild_id, discord_id);

CREATE TABLE identity (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	user_id BIGINT NOT NULL,
	source TEXT NOT NULL,
	reason TEXT NOT NULL,
	actor TEXT NOT NULL,
	approver TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP,
	removed_at TIMESTAMP,
	removed_by TEXT NOT NULL,
	removed_reason TEXT NOT NULL
);
CREATE INDEX identity_subject ON identity (guild_id, discord_id);

CREATE TABLE policy (
	guild_id BIGINT NOT NULL,
	version BIGINT NOT NULL,
	document TEXT NOT NULL,
	canonical TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	PRIMARY KEY (guild_id, version)
);

CREATE TABLE role_binding (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	role_id BIGINT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('group', 'state', 'guarded')),
	name TEXT NOT NULL,
	role_name TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX role_binding_once ON role_binding (guild_id, role_id, kind, name);

CREATE TABLE right_grant (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	right_name TEXT NOT NULL,
	subject_kind TEXT NOT NULL CHECK (subject_kind IN ('discord', 'user', 'group', 'state', 'role')),
	subject TEXT NOT NULL,
	actor TEXT NOT NULL,
	approver TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP
);
CREATE UNIQUE INDEX right_grant_once ON right_grant (guild_id, right_name, subject_kind, subject);

CREATE TABLE invocation (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	user_ref TEXT NOT NULL,
	command TEXT NOT NULL,
	args TEXT NOT NULL,
	origin TEXT NOT NULL,
	accepted BOOLEAN NOT NULL,
	refusal TEXT NOT NULL,
	counted BOOLEAN NOT NULL,
	attempts BIGINT NOT NULL,
	first_at TIMESTAMP NOT NULL,
	last_at TIMESTAMP NOT NULL,
	run_id BIGINT NOT NULL
);
CREATE INDEX invocation_user ON invocation (guild_id, user_ref, first_at);

CREATE TABLE source_read (
	source TEXT NOT NULL PRIMARY KEY,
	fingerprint TEXT NOT NULL,
	edition TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	accounts_at TIMESTAMP,
	verdict TEXT NOT NULL,
	reasons TEXT NOT NULL,
	counts TEXT NOT NULL
);

CREATE TABLE source_healthy (
	source TEXT NOT NULL,
	hour_at TIMESTAMP NOT NULL,
	counts TEXT NOT NULL,
	PRIMARY KEY (source, hour_at)
);

CREATE TABLE source_acceptance (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	source TEXT NOT NULL,
	counts TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);
CREATE INDEX source_acceptance_at ON source_acceptance (source, at);

CREATE TABLE source_account (
	source TEXT NOT NULL,
	user_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	revision BIGINT NOT NULL,
	changed_at TIMESTAMP,
	PRIMARY KEY (source, user_id)
);
CREATE INDEX source_account_changed ON source_account (source, changed_at) WHERE changed_at IS NOT NULL;

CREATE TABLE person (
	person_key TEXT NOT NULL PRIMARY KEY,
	guild_id BIGINT NOT NULL,
	ref TEXT,
	discord_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	erased_at TIMESTAMP
);
CREATE UNIQUE INDEX person_ref ON person (guild_id, ref) WHERE ref IS NOT NULL;

CREATE TABLE trail (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	at TIMESTAMP NOT NULL,
	kind TEXT NOT NULL,
	run_id BIGINT NOT NULL,
	subject_key TEXT,
	actor_key TEXT,
	what TEXT NOT NULL,
	code TEXT NOT NULL,
	role_id BIGINT NOT NULL,
	plan TEXT NOT NULL,
	action_key TEXT NOT NULL,
	numbers TEXT
);
CREATE INDEX trail_at ON trail (guild_id, at);
CREATE INDEX trail_run ON trail (run_id, id);
CREATE INDEX trail_subject ON trail (subject_key, id);
CREATE INDEX trail_actor ON trail (actor_key);

CREATE TABLE trail_text (
	trail_id BIGINT NOT NULL PRIMARY KEY REFERENCES trail (id),
	guild_id BIGINT NOT NULL,
	person_key TEXT,
	body TEXT NOT NULL
);
CREATE INDEX trail_text_person ON trail_text (person_key);

CREATE TABLE lease (
	shard BIGINT NOT NULL PRIMARY KEY,
	fence BIGINT NOT NULL,
	owner TEXT NOT NULL,
	host TEXT NOT NULL,
	pid BIGINT NOT NULL,
	since_at TIMESTAMP NOT NULL,
	renewed_at TIMESTAMP NOT NULL,
	ends_at TIMESTAMP,
	released BOOLEAN NOT NULL
);

CREATE TABLE command (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	args TEXT,
	actor TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	taken_by TEXT NOT NULL,
	taken_at TIMESTAMP,
	finished_at TIMESTAMP,
	result TEXT,
	failure TEXT NOT NULL
);
CREATE INDEX command_waiting ON command (id) WHERE finished_at IS NULL;

CREATE TABLE command_progress (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	guild_id BIGINT NOT NULL,
	command_id BIGINT NOT NULL REFERENCES command (id),
	at TIMESTAMP NOT NULL,
	data TEXT
);
CREATE INDEX command_progress_command ON command_progress (command_id, id);

-- What follows makes records append-only: nothing of them is changed, and they go only by age, against the stored retention (30 days
-- at least, 0 keeps for ever). INSERT OR REPLACE deletes without asking unless recursive_triggers is on, hence the checks on INSERT.
-- +goose StatementBegin
CREATE TRIGGER trail_not_replaced BEFORE INSERT ON trail WHEN EXISTS (SELECT 1 FROM trail WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of trail cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER config_change_not_replaced BEFORE INSERT ON config_change WHEN EXISTS (SELECT 1 FROM config_change WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of config_change cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_change_not_replaced BEFORE INSERT ON finding_change WHEN EXISTS (SELECT 1 FROM finding_change WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of finding_change cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER run_not_replaced BEFORE INSERT ON run WHEN EXISTS (SELECT 1 FROM run WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of run cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_not_replaced BEFORE INSERT ON finding WHEN EXISTS (SELECT 1 FROM finding WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of finding cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER action_not_replaced BEFORE INSERT ON action WHEN EXISTS (SELECT 1 FROM action WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of action cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER invocation_not_replaced BEFORE INSERT ON invocation WHEN EXISTS (SELECT 1 FROM invocation WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of invocation cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER brake_draw_not_replaced BEFORE INSERT ON brake_draw WHEN EXISTS (SELECT 1 FROM brake_draw WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of brake_draw cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policy_not_replaced BEFORE INSERT ON policy WHEN EXISTS (SELECT 1 FROM policy WHERE guild_id = NEW.guild_id AND version = NEW.version)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of policy cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER acknowledgement_not_replaced BEFORE INSERT ON acknowledgement WHEN EXISTS (SELECT 1 FROM acknowledgement WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of acknowledgement cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER pause_not_replaced BEFORE INSERT ON pause WHEN EXISTS (SELECT 1 FROM pause WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of pause cannot be replaced'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER brake_trip_not_replaced BEFORE INSERT ON brake_trip WHEN EXISTS (SELECT 1 FROM brake_trip WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: a row of brake_trip cannot be replaced'); END;
-- +goose StatementEnd
-- REPLACE deletes by any unique index, so what would break one is a conflict before it comes to that.
-- +goose StatementBegin
CREATE TRIGGER run_not_doubled BEFORE INSERT ON run WHEN EXISTS (SELECT 1 FROM run WHERE guild_id = NEW.guild_id AND slot = NEW.slot)
BEGIN SELECT RAISE(ABORT, 'conflict: there is such a row of run'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_not_doubled BEFORE INSERT ON finding WHEN EXISTS (SELECT 1 FROM finding WHERE guild_id = NEW.guild_id AND subject_id = NEW.subject_id AND subject_kind = NEW.subject_kind
	AND category = NEW.category AND slot = NEW.slot AND closed_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: there is such a row of finding'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER action_not_doubled BEFORE INSERT ON action WHEN EXISTS (SELECT 1 FROM action WHERE guild_id = NEW.guild_id AND member_id = NEW.member_id AND kind = NEW.kind AND role_id = NEW.role_id AND settled_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: there is such a row of action'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trail_not_changed BEFORE UPDATE ON trail
BEGIN SELECT RAISE(ABORT, 'append-only: a row of trail cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trail_text_not_changed BEFORE UPDATE ON trail_text
BEGIN SELECT RAISE(ABORT, 'append-only: a row of trail_text cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER config_change_not_changed BEFORE UPDATE ON config_change
BEGIN SELECT RAISE(ABORT, 'append-only: a row of config_change cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_change_not_changed BEFORE UPDATE ON finding_change
BEGIN SELECT RAISE(ABORT, 'append-only: a row of finding_change cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policy_not_changed BEFORE UPDATE ON policy
BEGIN SELECT RAISE(ABORT, 'append-only: a row of policy cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER run_not_changed BEFORE UPDATE OF id, guild_id, kind, mode, overrides, policy_version, policy, member_limit, members, actor, origin, deadline_at, dry_run, gates, plan, slot, created_at ON run
BEGIN SELECT RAISE(ABORT, 'append-only: what a row of run began with cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_not_changed BEFORE UPDATE OF id, guild_id, subject_kind, subject_id, category, slot, opened_at, opened_run ON finding
BEGIN SELECT RAISE(ABORT, 'append-only: what a row of finding began with cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER action_not_changed BEFORE UPDATE OF id, guild_id, run_id, plan, action_key, member_id, kind, role_id, roles, budget, live, actor, intended_at ON action
BEGIN SELECT RAISE(ABORT, 'append-only: what a row of action began with cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER invocation_not_changed BEFORE UPDATE OF id, guild_id, user_ref, command, origin, accepted, refusal, counted, first_at ON invocation
BEGIN SELECT RAISE(ABORT, 'append-only: what a row of invocation began with cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER brake_draw_not_changed BEFORE UPDATE OF id, guild_id, action_id, at, member_id, kind, role_id, budget, live ON brake_draw
BEGIN SELECT RAISE(ABORT, 'append-only: what a row of brake_draw began with cannot be changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER run_ended BEFORE UPDATE OF state ON run WHEN OLD.state IN ('succeeded', 'completed_with_errors', 'failed', 'abandoned', 'deadline_exceeded', 'cancelled')
BEGIN SELECT RAISE(ABORT, 'append-only: the run has ended'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER action_settled BEFORE UPDATE ON action WHEN OLD.settled_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'append-only: the action is settled'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trail_kept BEFORE DELETE ON trail
WHEN OLD.at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of trail is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER config_change_kept BEFORE DELETE ON config_change
WHEN OLD.at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of config_change is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_change_kept BEFORE DELETE ON finding_change
WHEN OLD.at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of finding_change is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER run_kept BEFORE DELETE ON run
WHEN OLD.state NOT IN ('succeeded', 'completed_with_errors', 'failed', 'abandoned', 'deadline_exceeded', 'cancelled') OR OLD.ended_at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.ended_at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of run is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_kept BEFORE DELETE ON finding
WHEN OLD.closed_at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.closed_at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of finding is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER action_kept BEFORE DELETE ON action
WHEN OLD.settled_at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.settled_at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of action is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER invocation_kept BEFORE DELETE ON invocation
WHEN OLD.last_at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.last_at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of invocation is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER brake_draw_kept BEFORE DELETE ON brake_draw
WHEN OLD.at IS NULL OR COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180) = 0
	OR OLD.at > (unixepoch() - 86400 * MAX(30, COALESCE((SELECT CAST(value AS INTEGER) FROM setting WHERE guild_id = OLD.guild_id AND name = 'retention_days'), 180))) * 1000000
BEGIN SELECT RAISE(ABORT, 'append-only: a row of brake_draw is open, or younger than the retention'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policy_kept BEFORE DELETE ON policy
BEGIN SELECT RAISE(ABORT, 'append-only: a row of policy is never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER acknowledgement_kept BEFORE DELETE ON acknowledgement
BEGIN SELECT RAISE(ABORT, 'append-only: a row of acknowledgement is never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER pause_kept BEFORE DELETE ON pause
BEGIN SELECT RAISE(ABORT, 'append-only: a row of pause is never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER brake_trip_kept BEFORE DELETE ON brake_trip
BEGIN SELECT RAISE(ABORT, 'append-only: a row of brake_trip is never deleted'); END;
-- +goose StatementEnd
