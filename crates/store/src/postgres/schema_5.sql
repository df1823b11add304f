-- The login at an identity provider that a session came from. The keys are hashes, as those of
-- persons and subjects.
ALTER TABLE logout_sessions
    ADD COLUMN idp_issuer text, ADD COLUMN idp_subject text, ADD COLUMN idp_session text,
    ADD COLUMN idp_subject_key bigint, ADD COLUMN idp_session_key bigint;
CREATE INDEX logout_sessions_idp_subject ON logout_sessions (idp_subject_key)
    WHERE idp_subject_key IS NOT NULL;
CREATE INDEX logout_sessions_idp_session ON logout_sessions (idp_session_key)
    WHERE idp_session_key IS NOT NULL;

-- The token that ordered a sign-out.
ALTER TABLE logout_receipts ADD COLUMN token_issuer text, ADD COLUMN token_jti text;
