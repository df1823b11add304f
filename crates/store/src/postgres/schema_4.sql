-- What a sign-out must match, beside the credential that it presents. NULL matches everything:
-- `client` of a session that was opened for no client in particular, `csrf` of a credential that
-- needs no proof. An empty `csrf` matches nothing: a proof is due, and the session has no secret.
ALTER TABLE logout_credentials ADD COLUMN client text, ADD COLUMN csrf bytea;

-- Plans that read whole tables pay here, and nowhere else.
SET LOCAL enable_seqscan = on;
SET LOCAL enable_hashjoin = on;

-- Of sessions that were opened twice: they do not list these any more.
DELETE FROM logout_credentials k USING logout_sessions s
WHERE s.id = k.session AND k.digest <> ALL (s.digests);

UPDATE logout_credentials k
SET client = s.client,
    csrf = CASE WHEN s.csrf_dues[array_position(s.digests, k.digest)] THEN coalesce(s.csrf, '') END
FROM logout_sessions s
WHERE s.id = k.session AND (s.client IS NOT NULL OR true = ANY (s.csrf_dues));

-- A receipt is a row for each session that it ended: the first has ordinal 0, so that a second
-- receipt of the same id is refused.
CREATE TABLE logout_receipts_4 (
    id uuid NOT NULL,
    ordinal integer NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL,
    platform text,
    reach text NOT NULL,
    session uuid NOT NULL,
    session_platform text NOT NULL,
    realm text NOT NULL,
    name text NOT NULL,
    person text,
    upstream boolean NOT NULL
);
INSERT INTO logout_receipts_4
SELECT r.id, u.n - 1, r.at, r.reason, r.platform, r.reach, u.session, u.platform, u.realm, u.name,
    u.person, u.upstream
FROM logout_receipts r
CROSS JOIN LATERAL unnest(r.ids, r.platforms, r.realms, r.names, r.persons, r.upstreams)
    WITH ORDINALITY u(session, platform, realm, name, person, upstream, n);
DROP TABLE logout_receipts;
ALTER TABLE logout_receipts_4 RENAME TO logout_receipts;
ALTER TABLE logout_receipts ADD PRIMARY KEY (id, ordinal);

-- A hub of an earlier version that still runs would open sessions without the new columns. It is
-- refused from here on: each of its statements that writes or reads a session names this column.
ALTER TABLE logout_sessions RENAME COLUMN csrf_dues TO needs_csrf;

-- Of versions 1 and 2.
DROP FUNCTION IF EXISTS logout_end_1, logout_end_opened_1;
