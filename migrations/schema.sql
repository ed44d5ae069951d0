-- What the migrations make, in both databases: written by go test ./migrations -update. Types are SQLite's names; in Postgres
-- TIMESTAMP is TIMESTAMPTZ. The triggers that make records append-only stand in the migrations alone.

CREATE TABLE acknowledgement (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	run_id BIGINT NOT NULL,
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
CREATE UNIQUE INDEX acknowledgement_open ON acknowledgement (guild_id); -- partial
CREATE INDEX acknowledgement_run ON acknowledgement (run_id);

CREATE TABLE action (
	id BIGINT NOT NULL,
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
CREATE INDEX action_member ON action (guild_id, member_id);
CREATE UNIQUE INDEX action_open ON action (guild_id, member_id, kind, role_id); -- partial
CREATE INDEX action_plan ON action (guild_id, plan);
CREATE INDEX action_run ON action (guild_id, run_id);

CREATE TABLE block (
	id BIGINT NOT NULL,
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
	closed_reason TEXT NOT NULL,
	also TEXT NOT NULL
);
CREATE INDEX block_acting ON block (guild_id); -- partial
CREATE INDEX block_changed ON block (revision);
CREATE UNIQUE INDEX block_open ON block (guild_id, scope, value); -- partial

CREATE TABLE block_history (
	id BIGINT NOT NULL,
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
	at TIMESTAMP NOT NULL,
	also TEXT NOT NULL
);
CREATE INDEX block_history_subject ON block_history (guild_id, scope, value, at);

CREATE TABLE block_revision (
	id BIGINT NOT NULL,
	revision BIGINT NOT NULL
);

CREATE TABLE bot_account (
	id BIGINT NOT NULL,
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

CREATE TABLE brake_draw (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	action_id BIGINT NOT NULL,
	at TIMESTAMP NOT NULL,
	member_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	role_id BIGINT NOT NULL,
	budget TEXT NOT NULL,
	live BOOLEAN NOT NULL,
	given_back_at TIMESTAMP
);
CREATE INDEX brake_draw_action ON brake_draw (action_id);
CREATE INDEX brake_draw_at ON brake_draw (guild_id, at);

CREATE TABLE brake_trip (
	id BIGINT NOT NULL,
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
CREATE UNIQUE INDEX brake_trip_open ON brake_trip (guild_id, dimension); -- partial

CREATE TABLE card (
	id TEXT NOT NULL,
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
CREATE INDEX card_open ON card (guild_id, expires_at); -- partial

CREATE TABLE command (
	id BIGINT NOT NULL,
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
CREATE INDEX command_waiting ON command (id); -- partial

CREATE TABLE command_progress (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	command_id BIGINT NOT NULL,
	at TIMESTAMP NOT NULL,
	data TEXT
);
CREATE INDEX command_progress_command ON command_progress (command_id, id);

CREATE TABLE config_change (
	id BIGINT NOT NULL,
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

CREATE TABLE direct_message (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);

CREATE TABLE exemption (
	id BIGINT NOT NULL,
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

CREATE TABLE finding (
	id BIGINT NOT NULL,
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
CREATE INDEX finding_closed ON finding (guild_id, closed_at); -- partial
CREATE UNIQUE INDEX finding_open ON finding (guild_id, subject_id, subject_kind, category, slot); -- partial

CREATE TABLE finding_change (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	finding_id BIGINT NOT NULL,
	at TIMESTAMP NOT NULL,
	run_id BIGINT NOT NULL,
	what TEXT NOT NULL,
	before_value TEXT,
	after_value TEXT
);
CREATE INDEX finding_change_finding ON finding_change (finding_id);

CREATE TABLE gatecamp (
	product TEXT NOT NULL
);

CREATE TABLE identity (
	id BIGINT NOT NULL,
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

CREATE TABLE invocation (
	id BIGINT NOT NULL,
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

CREATE TABLE lease (
	shard BIGINT NOT NULL,
	fence BIGINT NOT NULL,
	owner TEXT NOT NULL,
	host TEXT NOT NULL,
	pid BIGINT NOT NULL,
	since_at TIMESTAMP NOT NULL,
	renewed_at TIMESTAMP NOT NULL,
	ends_at TIMESTAMP,
	released BOOLEAN NOT NULL
);

CREATE TABLE member_override (
	id BIGINT NOT NULL,
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

CREATE TABLE memory (
	guild_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	value BLOB NOT NULL,
	at TIMESTAMP NOT NULL
);

CREATE TABLE pause (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	ended_at TIMESTAMP,
	ended_by TEXT NOT NULL,
	ended_reason TEXT NOT NULL
);
CREATE UNIQUE INDEX pause_open ON pause (guild_id); -- partial

CREATE TABLE person (
	person_key TEXT NOT NULL,
	guild_id BIGINT NOT NULL,
	ref TEXT,
	discord_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	erased_at TIMESTAMP
);
CREATE UNIQUE INDEX person_ref ON person (guild_id, ref); -- partial

CREATE TABLE plan (
	guild_id BIGINT NOT NULL,
	digest TEXT NOT NULL,
	run_id BIGINT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	made_at TIMESTAMP NOT NULL,
	state TEXT NOT NULL,
	document TEXT,
	untouched TEXT NOT NULL,
	actions BIGINT NOT NULL,
	fingerprint TEXT NOT NULL
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
	held TEXT NOT NULL
);

CREATE TABLE plan_pass (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	digest TEXT NOT NULL,
	run_id BIGINT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	used_at TIMESTAMP
);
CREATE UNIQUE INDEX plan_pass_open ON plan_pass (guild_id, digest); -- partial
CREATE INDEX plan_pass_run ON plan_pass (run_id);

CREATE TABLE policy (
	guild_id BIGINT NOT NULL,
	version BIGINT NOT NULL,
	document TEXT NOT NULL,
	canonical TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);

CREATE TABLE protected_member (
	id BIGINT NOT NULL,
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

CREATE TABLE right_grant (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	right_name TEXT NOT NULL,
	subject_kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	actor TEXT NOT NULL,
	approver TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP
);
CREATE UNIQUE INDEX right_grant_once ON right_grant (guild_id, right_name, subject_kind, subject);

CREATE TABLE role_binding (
	id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	role_id BIGINT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	role_name TEXT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX role_binding_once ON role_binding (guild_id, role_id, kind, name);

CREATE TABLE role_grant (
	guild_id BIGINT NOT NULL,
	entry_id BIGINT NOT NULL,
	role_id BIGINT NOT NULL,
	member_id BIGINT NOT NULL,
	actor_id BIGINT NOT NULL,
	added BOOLEAN NOT NULL,
	at TIMESTAMP NOT NULL,
	reason TEXT NOT NULL
);
CREATE INDEX role_grant_member ON role_grant (guild_id, member_id, at);

CREATE TABLE rule_state (
	name TEXT NOT NULL,
	switch TEXT NOT NULL,
	action TEXT NOT NULL,
	ttl_us BIGINT NOT NULL,
	actor TEXT NOT NULL,
	reason TEXT NOT NULL,
	changed_at TIMESTAMP,
	fired BIGINT NOT NULL,
	shadowed BIGINT NOT NULL,
	fired_at TIMESTAMP,
	failures BIGINT NOT NULL,
	failed_at TIMESTAMP
);

CREATE TABLE run (
	id BIGINT NOT NULL,
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
	state TEXT NOT NULL,
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
CREATE UNIQUE INDEX run_slot ON run (guild_id, slot); -- partial
CREATE INDEX run_state ON run (guild_id, state);

CREATE TABLE seen_rights (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	user_id BIGINT NOT NULL,
	rights TEXT NOT NULL,
	at TIMESTAMP NOT NULL
);

CREATE TABLE setting (
	guild_id BIGINT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL
);

CREATE TABLE source_acceptance (
	id BIGINT NOT NULL,
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
	was_id BIGINT NOT NULL,
	moved_at TIMESTAMP
);
CREATE INDEX source_account_changed ON source_account (source, changed_at); -- partial

CREATE TABLE source_healthy (
	source TEXT NOT NULL,
	hour_at TIMESTAMP NOT NULL,
	counts TEXT NOT NULL
);

CREATE TABLE source_read (
	source TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	edition TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	accounts_at TIMESTAMP,
	verdict TEXT NOT NULL,
	reasons TEXT NOT NULL,
	counts TEXT NOT NULL
);

CREATE TABLE subscriber (
	guild_id BIGINT NOT NULL,
	discord_id BIGINT NOT NULL,
	since_at TIMESTAMP NOT NULL,
	failures BIGINT NOT NULL,
	last_failure_at TIMESTAMP,
	last_error TEXT NOT NULL
);

CREATE TABLE trail (
	id BIGINT NOT NULL,
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
CREATE INDEX trail_actor ON trail (actor_key);
CREATE INDEX trail_at ON trail (guild_id, at);
CREATE INDEX trail_run ON trail (run_id, id);
CREATE INDEX trail_subject ON trail (subject_key, id);

CREATE TABLE trail_text (
	trail_id BIGINT NOT NULL,
	guild_id BIGINT NOT NULL,
	person_key TEXT,
	body TEXT NOT NULL
);
CREATE INDEX trail_text_person ON trail_text (person_key);
