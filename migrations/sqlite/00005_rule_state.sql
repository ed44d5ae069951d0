-- +goose Up
-- What people decided about rules since these were written, and what became of the rules.

CREATE TABLE rule_state (
	name TEXT NOT NULL PRIMARY KEY,
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
