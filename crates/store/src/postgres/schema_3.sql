-- The version of the account that a session was opened with: eight bytes, where a stand-in has accounts.
ALTER TABLE logout_sessions ADD COLUMN account bytea;
