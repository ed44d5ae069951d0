-- +goose Up
-- What a block does to its subject in the guild, besides denying our commands. Blocks made before did nothing.

ALTER TABLE block ADD COLUMN also TEXT NOT NULL DEFAULT 'none';
ALTER TABLE block_history ADD COLUMN also TEXT NOT NULL DEFAULT 'none';
CREATE INDEX block_acting ON block (guild_id) WHERE closed_at IS NULL AND also <> 'none';
