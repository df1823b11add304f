//! The statements that do more than they look like. So that nobody waits in a circle, who ends
//! sessions takes their rows in the order of ids, and who opens one waits for no row. What is left
//! are two far-reaching sign-outs of one person, between whose statements somebody joins a login:
//! the server notices after a second, and the one that it undoes is tried again.

/// Opens a session if it may be, and says 0; 1 for a credential that was ended, 2 for a sign-on
/// that was.
///
/// The sessions that the decision rests on are locked against being ended until this one is there.
/// All of them, which is what the aggregates are for: they read their lists to the end. Where one
/// of them is being ended just now, the statement fails at once and is tried again (see `link`): if
/// it waited, holding others of the sign-on, whoever ends the sign-on would wait for those.
pub(super) const OPEN: &str = "
WITH held AS MATERIALIZED (
    SELECT s.id FROM logout_sessions s
    WHERE $20::bytea IS NOT NULL
        AND s.id IN (SELECT k.session FROM logout_credentials k WHERE k.digest = ANY ($21::bytea[]) AND k.expires > $26::bigint)
    ORDER BY s.id FOR KEY SHARE OF s NOWAIT
), holders AS MATERIALIZED (
    SELECT coalesce(array_agg(h.id), '{}') AS ids FROM held h
), siblings AS MATERIALIZED (
    SELECT s.id FROM logout_sessions s WHERE $25::boolean AND s.sign_on = $9::uuid AND s.ends > $26
    ORDER BY s.id FOR KEY SHARE OF s NOWAIT
), verdict AS MATERIALIZED (
    SELECT CASE
        WHEN $20 IS NOT NULL AND EXISTS (
            SELECT FROM logout_credentials k, holders
            WHERE k.digest = ANY ($21) AND k.expires > $26 AND k.session <> ALL (holders.ids)
        ) THEN 1
        WHEN $25 AND $9 IS NOT NULL AND (SELECT count(*) FROM siblings) = 0 THEN 2
        ELSE 0
    END AS is
), opened AS (
    INSERT INTO logout_sessions (
        id, platform, realm, name, subject_key, person, person_key, client, sign_on, administrator, csrf, opened, seen, idle, expires,
        ends, look_at, address, user_agent, sealed, digests, expiries, csrf_dues,
        account
    )
    SELECT $1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::bigint, $17::bigint, $18, $19, $20, $21, $22, $23,
        $24::bytea
    FROM verdict v WHERE v.is = 0
    ON CONFLICT (id) DO UPDATE SET
        platform = excluded.platform, realm = excluded.realm, name = excluded.name, subject_key = excluded.subject_key,
        person = excluded.person, person_key = excluded.person_key, client = excluded.client, sign_on = excluded.sign_on,
        administrator = excluded.administrator, csrf = excluded.csrf, opened = excluded.opened, seen = excluded.seen,
        idle = excluded.idle, expires = excluded.expires, ends = excluded.ends, look_at = excluded.look_at,
        address = excluded.address, user_agent = excluded.user_agent, sealed = excluded.sealed, digests = excluded.digests,
        expiries = excluded.expiries, csrf_dues = excluded.csrf_dues, account = excluded.account
), known AS (
    INSERT INTO logout_credentials (digest, session, expires)
    SELECT DISTINCT ON (u.digest) u.digest, $1, u.expires
    FROM verdict v CROSS JOIN LATERAL unnest($21::bytea[], $22::bigint[]) u(digest, expires)
    WHERE v.is = 0
    ORDER BY u.digest
    ON CONFLICT (digest) DO UPDATE SET session = excluded.session, expires = excluded.expires
)
SELECT v.is FROM verdict v";

/// Ends the sessions that credentials open, one each, and brings those; see `schema_2.sql` for what
/// the lists hold. One statement is enough: sessions that are named so cannot multiply.
pub(super) const END_OPENED: &str = "
WITH held AS MATERIALIZED (
    SELECT k.session, u.*
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::int[], $9::bytea[])
        u(receipt, at, reason, asked, reach, digest, client, proof, token)
    CROSS JOIN LATERAL (SELECT k.session FROM logout_credentials k WHERE k.digest = u.digest AND k.expires > u.at OFFSET 0) k
    ORDER BY k.session
), ended AS (
    DELETE FROM logout_sessions s USING held h
    WHERE s.id = h.session AND s.ends > h.at AND s.expiries[array_position(s.digests, h.digest)] > h.at
        AND (h.client IS NULL OR s.client IS NULL OR s.client = h.client)
        AND (h.proof = 0 OR NOT s.csrf_dues[array_position(s.digests, h.digest)] OR (h.proof = 2 AND s.csrf = h.token))
    RETURNING h.receipt, h.at, h.reason, h.asked, h.reach, s.id, s.platform, s.realm, s.name, s.person, s.expires, s.sealed, s.digests,
        s.expiries
), spent AS (
    DELETE FROM logout_credentials k
    USING (
        SELECT e.id, u.digest FROM ended e CROSS JOIN LATERAL unnest(e.digests, e.expiries) u(digest, expires) WHERE u.expires <= e.at
    ) d
    WHERE k.digest = d.digest AND k.session = d.id
), told AS (
    INSERT INTO logout_deliveries (session, platform, realm, name, receipt, sealed, expires, created, due, ready)
    SELECT e.id, e.platform, e.realm, e.name, e.receipt, e.sealed, e.expires, e.at, e.at, e.at FROM ended e WHERE e.sealed IS NOT NULL
), kept AS (
    INSERT INTO logout_receipts
    SELECT e.receipt, e.at, e.reason, e.asked, e.reach, ARRAY[e.id], ARRAY[e.platform], ARRAY[e.realm], ARRAY[e.name], ARRAY[e.person],
        ARRAY[e.sealed IS NOT NULL]
    FROM ended e
)
SELECT e.receipt, e.id, e.platform, e.realm, e.name, e.person, e.sealed IS NOT NULL FROM ended e";

/// The same for orders of several credentials, or that go farther.
pub(super) const END_OPENED_WIDE: &str =
    "SELECT * FROM logout_end_opened_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// Attaches a credential; a row when the session lives. What has expired by itself makes room.
pub(super) const ATTACH: &str = "
WITH changed AS (
    UPDATE logout_sessions s SET
        sealed = coalesce($5::bytea, s.sealed),
        (digests, expiries, csrf_dues) = (
            SELECT coalesce(array_agg(u.digest ORDER BY u.n), '{}') || $2::bytea,
                coalesce(array_agg(u.expires ORDER BY u.n), '{}') || $3::bigint,
                coalesce(array_agg(u.due ORDER BY u.n), '{}') || $4::boolean
            FROM unnest(s.digests, s.expiries, s.csrf_dues) WITH ORDINALITY u(digest, expires, due, n)
            WHERE u.expires > $6::bigint
        )
    WHERE s.id = $1::uuid AND s.ends > $6
    RETURNING s.id
), known AS (
    INSERT INTO logout_credentials (digest, session, expires) SELECT $2, c.id, $3 FROM changed c
    ON CONFLICT (digest) DO UPDATE SET session = excluded.session, expires = excluded.expires
)
SELECT c.id FROM changed c";

/// Always brings the value: the update changes nothing, but waits for whoever was first.
pub(super) const AGREE: &str = "
INSERT INTO logout_agreed AS a (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = a.value RETURNING a.value";

/// Sessions that are to be looked at, and whether they have expired; those that were used since are
/// put off.
pub(super) const SWEEP_SESSIONS: &str = "
WITH page AS MATERIALIZED (
    SELECT s.id, s.look_at, s.ends FROM logout_sessions s
    WHERE s.look_at <= $1::bigint AND s.look_at >= $2::bigint AND (s.look_at, s.id) > ($2, $3::uuid)
    ORDER BY s.look_at, s.id LIMIT $4::bigint
), put_off AS (
    UPDATE logout_sessions s SET look_at = p.ends
    FROM (SELECT * FROM page WHERE ends > $1 ORDER BY id) p WHERE s.id = p.id
)
SELECT p.id, p.look_at, p.ends <= $1 FROM page p ORDER BY p.look_at, p.id";

/// Credentials that have expired go, unless their session still lists them. Says where the page
/// ended and how long it was.
pub(super) const SWEEP_CREDENTIALS: &str = "
WITH page AS MATERIALIZED (
    SELECT k.digest, k.session, k.expires FROM logout_credentials k
    WHERE k.expires <= $1::bigint AND k.expires >= $2::bigint AND (k.expires, k.digest) > ($2, $3::bytea)
    ORDER BY k.expires, k.digest LIMIT $4::bigint
), gone AS (
    DELETE FROM logout_credentials k
    USING (SELECT * FROM page ORDER BY digest) p
    WHERE k.digest = p.digest AND k.session = p.session AND k.expires = p.expires
        AND NOT EXISTS (SELECT FROM logout_sessions s WHERE s.id = p.session AND p.digest = ANY (s.digests))
)
SELECT p.expires, p.digest, count(*) OVER () FROM page p ORDER BY p.expires DESC, p.digest DESC LIMIT 1";

pub(super) const SWEEP_ONCE: &str = "
DELETE FROM logout_once WHERE key IN (SELECT o.key FROM logout_once o WHERE o.expires <= $1::bigint ORDER BY o.expires LIMIT $2::bigint)
    AND expires <= $1 RETURNING 1";

pub(super) const SWEEP_RECEIPTS: &str = "
DELETE FROM logout_receipts WHERE id IN (SELECT r.id FROM logout_receipts r WHERE r.id < $1::uuid ORDER BY r.id LIMIT $2::bigint)
    RETURNING 1";

pub(super) const SWEEP_DELIVERIES: &str = "
DELETE FROM logout_deliveries
WHERE session IN (
    SELECT d.session FROM logout_deliveries d WHERE d.state <> 'pending' AND d.created < $1::bigint ORDER BY d.created LIMIT $2::bigint
) AND state <> 'pending' RETURNING 1";

pub(super) const SWEEP_SEALED: &str = "
UPDATE logout_deliveries SET sealed = NULL
WHERE session IN (
    SELECT d.session FROM logout_deliveries d WHERE d.state = 'given-up' AND d.sealed IS NOT NULL AND d.expires <= $1::bigint
    ORDER BY d.expires LIMIT $2::bigint
) AND state = 'given-up' RETURNING 1";

/// Skips what somebody else is just leasing.
pub(super) const LEASE: &str = "
WITH due AS MATERIALIZED (
    SELECT d.session, d.ready FROM logout_deliveries d
    WHERE d.platform = $1 AND d.state = 'pending' AND d.ready <= $2::bigint
    ORDER BY d.ready, d.session LIMIT $3::bigint FOR UPDATE OF d SKIP LOCKED
)
UPDATE logout_deliveries d SET lease = d.lease + 1, ready = $4::bigint FROM due WHERE d.session = due.session
RETURNING ";

/// Under the lease only, which nobody has twice. Writes what a settlement changes and nothing that
/// a retry does.
pub(super) const SETTLE: &str = "
UPDATE logout_deliveries SET state = $3, due = $4::bigint, attempts = $5, tried_at = $6, answers = $7, verified = $8, sealed = $9,
    lease = lease + 1, ready = $4
WHERE session = $1::uuid AND lease = $2::bigint AND state = 'pending' RETURNING 1";

/// As `Delivery::try_again`. One that is leased stays so.
pub(super) const RETRY: &str = "
UPDATE logout_deliveries SET
    ready = CASE WHEN state = 'pending' AND ready <> due THEN ready ELSE $2::bigint END,
    created = CASE WHEN due < $2 THEN $2 ELSE created END, state = 'pending', due = $2
WHERE session = $1::uuid AND state <> 'confirmed' AND sealed IS NOT NULL RETURNING 1";
