//! The longer statements. To avoid deadlocks, statements that end sessions take their rows in the
//! order of ids, and one that opens a session waits for no row. One case is left: two far-reaching
//! sign-outs of one person, between whose statements a session joins a login. The server notices it
//! after a second, and the one that it undoes is tried again.

use super::table::{DELIVERIES, RECEIPTS, SESSIONS};

/// Credentials with what a sign-out by them must match, which `crate::rules::Conditions` says, take
/// the place of whatever is there.
const TAKE_OVER: &str = "
    ON CONFLICT (digest) DO UPDATE SET session = excluded.session, expires = excluded.expires,
        client = excluded.client, csrf = excluded.csrf";

/// Opens a session if it may be, and says 0; 1 for a credential that was ended, 2 for a sign-on
/// that was. After the session's values come whether it needs a sibling, the instant, and the
/// `csrf` of each credential.
///
/// The sessions that the decision rests on are locked against being ended until this one is there.
/// All of them, which is what the aggregates are for: they read their lists to the end. Where one
/// of them is being ended just now, the statement fails at once and is tried again (see `link`): if
/// it waited, holding others of the sign-on, a sign-out of the sign-on would wait for those.
pub(super) fn open() -> String {
    let width = SESSIONS.width();
    let values: Vec<String> = (1..=width).map(|number| format!("${number}")).collect();
    let [id, client, sign_on, sealed, digests, expiries] =
        ["id", "client", "sign_on", "sealed", "digests", "expiries"]
            .map(|column| SESSIONS.parameter(column));
    format!(
        "
WITH held AS MATERIALIZED (
    SELECT s.id FROM logout_sessions s
    WHERE {sealed}::bytea IS NOT NULL AND s.id IN (
        SELECT k.session FROM logout_credentials k
        WHERE k.digest = ANY ({digests}::bytea[]) AND k.expires > {now}::bigint
    )
    ORDER BY s.id FOR KEY SHARE OF s NOWAIT
), holders AS MATERIALIZED (
    SELECT coalesce(array_agg(h.id), '{{}}') AS ids FROM held h
), siblings AS MATERIALIZED (
    SELECT s.id FROM logout_sessions s
    WHERE {join}::boolean AND s.sign_on = {sign_on}::uuid AND s.ends > {now}
    ORDER BY s.id FOR KEY SHARE OF s NOWAIT
), verdict AS MATERIALIZED (
    SELECT CASE
        WHEN {sealed} IS NOT NULL AND EXISTS (
            SELECT FROM logout_credentials k, holders
            WHERE k.digest = ANY ({digests}) AND k.expires > {now}
                AND k.session <> ALL (holders.ids)
        ) THEN 1
        WHEN {join} AND {sign_on} IS NOT NULL AND (SELECT count(*) FROM siblings) = 0 THEN 2
        ELSE 0
    END AS is
), dropped AS (
    DELETE FROM logout_credentials k
    USING verdict v, logout_sessions s CROSS JOIN LATERAL unnest(s.digests) u(digest)
    WHERE v.is = 0 AND s.id = {id}::uuid AND k.digest = u.digest AND k.session = s.id
        AND k.digest <> ALL ({digests})
), written AS (
    INSERT INTO logout_sessions AS s ({columns})
    SELECT {values} FROM verdict v WHERE v.is = 0
    ON CONFLICT (id) DO UPDATE SET ({columns}) = ROW ({excluded})
), known AS (
    INSERT INTO logout_credentials (digest, session, expires, client, csrf)
    SELECT DISTINCT ON (u.digest) u.digest, {id}, u.expires, {client}, u.csrf
    FROM verdict v CROSS JOIN LATERAL unnest({digests}, {expiries}, {csrfs}::bytea[])
        u(digest, expires, csrf)
    WHERE v.is = 0 ORDER BY u.digest{TAKE_OVER}
)
SELECT v.is FROM verdict v",
        join = format_args!("${}", width + 1),
        now = format_args!("${}", width + 2),
        csrfs = format_args!("${}", width + 3),
        columns = SESSIONS.columns(),
        excluded = SESSIONS.columns_of("excluded"),
        values = values.join(", "),
    )
}

/// Changes the credentials of a session that has not changed since it was read, and writes the last
/// of them.
pub(super) fn attach() -> String {
    format!(
        "
WITH written AS (
    UPDATE logout_sessions SET sealed = $3, digests = $4, expiries = $5, needs_csrf = $6
    WHERE id = $1::uuid AND xmin::text = $2
    RETURNING id
), known AS (
    INSERT INTO logout_credentials (digest, session, expires, client, csrf)
    SELECT $7::bytea, $8::uuid, $9::bigint, $10::text, $11::bytea FROM written{TAKE_OVER}
)
SELECT s.id FROM written s"
    )
}

/// The sessions that orders name: by their ids, or by a credential of theirs. The lists have a row
/// for each target. `over` says whether the session must have expired, `client` and `csrf` are
/// compared with what lies beside the credential. NULL matches everything in all three.
const NAMED: &str = "
    SELECT u.*, coalesce(u.session, k.session) AS id
    FROM unnest($1::int[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::boolean[], $10::uuid[], $11::bytea[], $12::text[],
            $13::bytea[])
        u(number, receipt, at, reason, asked, reach, token_issuer, token_jti, over, session,
            digest, client, csrf)
    LEFT JOIN LATERAL (
        SELECT k.session FROM logout_credentials k
        WHERE k.digest = u.digest AND k.expires > u.at
            AND (k.client = u.client) IS NOT FALSE AND (k.csrf = u.csrf) IS NOT FALSE
        OFFSET 0
    ) k ON true
    ORDER BY id, u.number";

/// The sessions that orders may reach besides those that they name. OFFSET 0 keeps the list on the
/// outside of the loop, and reads the table only for a row that wants all of a platform.
const REACHED: &str = "
    SELECT u.number, u.receipt, u.at, u.reason, u.asked, u.reach, u.token_issuer, u.token_jti,
        u.over, p.id
    FROM unnest($1::int[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::boolean[], $10::uuid[], $11::uuid[], $12::bigint[],
            $13::text[], $14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[])
        u(number, receipt, at, reason, asked, reach, token_issuer, token_jti, over, session,
            sign_on, person_key, person, subject_key, platform, realm, name, whole)
    CROSS JOIN LATERAL (
        SELECT u.session AS id WHERE u.session IS NOT NULL
        UNION ALL SELECT s.id FROM logout_sessions s WHERE s.sign_on = u.sign_on
        UNION ALL SELECT s.id FROM logout_sessions s
        WHERE s.person_key = u.person_key AND s.person = u.person
        UNION ALL SELECT s.id FROM logout_sessions s
        WHERE s.subject_key = u.subject_key AND s.platform = u.platform AND s.realm = u.realm
            AND s.name = u.name
        UNION ALL (
            SELECT s.id FROM logout_sessions s
            WHERE u.whole IS NOT NULL AND s.platform = u.whole OFFSET 0
        )
        OFFSET 0
    ) p
    ORDER BY p.id, u.number";

/// Ends the sessions that orders name, writes receipts and deliveries, and brings what has ended.
/// One statement is enough: sessions that are named cannot multiply. A session that several orders
/// name is credited to the first.
pub(super) fn end_named() -> String {
    end(NAMED)
}

/// The same for orders that reach farther, after [`lock_reached`].
pub(super) fn end_reached() -> String {
    end(REACHED)
}

/// Locks what orders reach. A session that another caller opens under the same login has then been
/// opened, and the next statement sees it, or its caller finds the login ended. One statement alone
/// would miss the former.
pub(super) fn lock_reached() -> String {
    format!(
        "
SELECT FROM logout_sessions s WHERE s.id IN (SELECT m.id FROM ({REACHED}) m)
ORDER BY s.id FOR UPDATE OF s"
    )
}

/// Tombstones are not written: the credentials of a session that has gone are that. A credential
/// that had expired by itself is none; most sessions have no such, and bring no `digests`. A
/// session of a relying party that two sign-outs open at the same moment may end twice, and is told
/// of once.
fn end(meant: &str) -> String {
    format!(
        "
WITH meant AS MATERIALIZED ({meant}
), ended AS (
    DELETE FROM logout_sessions s USING meant m
    WHERE s.id = m.id AND ((s.ends <= m.at) = m.over) IS NOT FALSE
    RETURNING m.number, m.receipt, m.at, m.reason, m.asked, m.reach, m.token_issuer,
        m.token_jti, s.id, s.platform, s.realm, s.name, s.person, s.expires, s.sealed,
        CASE WHEN m.at >= ANY (s.expiries) THEN s.digests END AS digests
), spent AS (
    DELETE FROM logout_credentials k
    USING (
        SELECT e.id, e.at, u.digest FROM ended e CROSS JOIN LATERAL unnest(e.digests) u(digest)
        WHERE e.digests IS NOT NULL
    ) d
    WHERE k.digest = d.digest AND k.session = d.id AND k.expires <= d.at
), told AS (
    INSERT INTO logout_deliveries (session, platform, realm, name, receipt, sealed, expires,
        created, due, ready)
    SELECT e.id, e.platform, e.realm, e.name, e.receipt, e.sealed, e.expires, e.at, e.at, e.at
    FROM ended e WHERE e.sealed IS NOT NULL
    ON CONFLICT (session) DO NOTHING
), kept AS (
    INSERT INTO logout_receipts ({receipt})
    SELECT e.receipt, row_number() OVER (PARTITION BY e.number) - 1, e.at, e.reason, e.asked,
        e.reach, e.id, e.platform, e.realm, e.name, e.person, e.sealed IS NOT NULL,
        e.token_issuer, e.token_jti
    FROM ended e
)
SELECT e.number, e.id AS session, e.platform AS session_platform, e.realm, e.name, e.person,
    e.sealed IS NOT NULL AS upstream
FROM ended e",
        receipt = RECEIPTS.columns(),
    )
}

/// Always brings the value: the update changes nothing, but waits for whoever was first.
pub(super) const AGREE: &str = "
INSERT INTO logout_agreed AS a (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = a.value RETURNING a.value";

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
SELECT p.id, p.look_at, p.ends <= $1 AS is_over FROM page p ORDER BY p.look_at, p.id";

/// Credentials that have expired go, unless their session still lists them. Says where the page
/// ended and how long it was.
pub(super) const SWEEP_CREDENTIALS: &str = "
WITH page AS MATERIALIZED (
    SELECT k.digest, k.session, k.expires FROM logout_credentials k
    WHERE k.expires <= $1::bigint AND k.expires >= $2::bigint
        AND (k.expires, k.digest) > ($2, $3::bytea)
    ORDER BY k.expires, k.digest LIMIT $4::bigint
), gone AS (
    DELETE FROM logout_credentials k
    USING (SELECT * FROM page ORDER BY digest) p
    WHERE k.digest = p.digest AND k.session = p.session AND k.expires = p.expires
        AND NOT EXISTS (
            SELECT FROM logout_sessions s WHERE s.id = p.session AND p.digest = ANY (s.digests)
        )
)
SELECT p.expires, p.digest, count(*) OVER () AS count FROM page p
ORDER BY p.expires DESC, p.digest DESC LIMIT 1";

pub(super) const SWEEP_ONCE: &str = "
DELETE FROM logout_once WHERE key IN (
    SELECT o.key FROM logout_once o WHERE o.expires <= $1::bigint
    ORDER BY o.expires LIMIT $2::bigint
) AND expires <= $1 RETURNING 1";

pub(super) const SWEEP_RECEIPTS: &str = "
DELETE FROM logout_receipts WHERE id IN (
    SELECT r.id FROM logout_receipts r WHERE r.id < $1::uuid AND r.ordinal = 0
    ORDER BY r.id LIMIT $2::bigint
) RETURNING 1";

pub(super) const SWEEP_DELIVERIES: &str = "
DELETE FROM logout_deliveries
WHERE session IN (
    SELECT d.session FROM logout_deliveries d WHERE d.state <> 'pending' AND d.created < $1::bigint
    ORDER BY d.created LIMIT $2::bigint
) AND state <> 'pending' RETURNING 1";

pub(super) const SWEEP_SEALED: &str = "
UPDATE logout_deliveries SET sealed = NULL
WHERE session IN (
    SELECT d.session FROM logout_deliveries d
    WHERE d.state = 'given-up' AND d.sealed IS NOT NULL AND d.expires <= $1::bigint
    ORDER BY d.expires LIMIT $2::bigint
) AND state = 'given-up' RETURNING 1";

/// Skips what somebody else is just leasing.
pub(super) fn lease() -> String {
    format!(
        "
WITH due AS MATERIALIZED (
    SELECT d.session, d.ready FROM logout_deliveries d
    WHERE d.platform = $1 AND d.state = 'pending' AND d.ready <= $2::bigint
    ORDER BY d.ready, d.session LIMIT $3::bigint FOR UPDATE OF d SKIP LOCKED
)
UPDATE logout_deliveries d SET lease = d.lease + 1, ready = $4::bigint
FROM due WHERE d.session = due.session
RETURNING {}, due.ready AS waited_since",
        DELIVERIES.columns_of("d")
    )
}

/// Changes a delivery that has not changed since it was read.
pub(super) const PUT_DELIVERY: &str = "
UPDATE logout_deliveries SET sealed = $3, created = $4, lease = $5, ready = $6, due = $7,
    state = $8, attempts = $9, tried_at = $10, answers = $11, verified = $12
WHERE session = $1::uuid AND xmin::text = $2 RETURNING 1";
