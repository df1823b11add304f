-- Instants are milliseconds since the Unix epoch, as the hubs say them. The database's own clock is never asked.

CREATE TABLE logout_sessions (
    id uuid PRIMARY KEY,
    platform text NOT NULL,
    realm text NOT NULL,
    name text NOT NULL,
    -- Hashes to look up by: small whatever the length of what they stand for, which is compared as well.
    subject_key bigint NOT NULL,
    person text,
    person_key bigint,
    client text,
    sign_on uuid,
    administrator boolean NOT NULL,
    csrf bytea,
    opened bigint NOT NULL,
    seen bigint NOT NULL,
    idle bigint,
    expires bigint NOT NULL,
    -- When it is over if nobody uses it again.
    ends bigint NOT NULL,
    -- When housekeeping looks at it: never later than `ends`. A touch leaves it alone, so that it changes no index.
    look_at bigint NOT NULL,
    address inet,
    user_agent text,
    sealed bytea,
    digests bytea[] NOT NULL,
    expiries bigint[] NOT NULL,
    csrf_dues boolean[] NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX logout_sessions_person ON logout_sessions (person_key) WHERE person_key IS NOT NULL;
CREATE INDEX logout_sessions_subject ON logout_sessions (subject_key);
CREATE INDEX logout_sessions_sign_on ON logout_sessions (sign_on) WHERE sign_on IS NOT NULL;
CREATE INDEX logout_sessions_look_at ON logout_sessions (look_at);

-- Which session a credential opens. A row whose session has gone is the tombstone, so ending writes none.
CREATE TABLE logout_credentials (
    digest bytea PRIMARY KEY,
    session uuid NOT NULL,
    expires bigint NOT NULL
);
CREATE INDEX logout_credentials_expires ON logout_credentials (expires);

-- The sessions that it ended, column by column.
CREATE TABLE logout_receipts (
    id uuid PRIMARY KEY,
    at bigint NOT NULL,
    reason text NOT NULL,
    platform text,
    reach text NOT NULL,
    ids uuid[] NOT NULL,
    platforms text[] NOT NULL,
    realms text[] NOT NULL,
    names text[] NOT NULL,
    persons text[] NOT NULL,
    upstreams boolean[] NOT NULL
);

CREATE TABLE logout_deliveries (
    session uuid PRIMARY KEY,
    platform text NOT NULL,
    realm text NOT NULL,
    name text NOT NULL,
    receipt uuid NOT NULL,
    sealed bytea,
    expires bigint NOT NULL,
    created bigint NOT NULL,
    due bigint NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    attempts bigint NOT NULL DEFAULT 0,
    tried_at bigint[] NOT NULL DEFAULT '{}',
    answers text[] NOT NULL DEFAULT '{}',
    verified text,
    -- Counts leases; the latest is the one that counts.
    lease bigint NOT NULL DEFAULT 0,
    -- When it can be leased: `due`, or the end of its lease.
    ready bigint NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX logout_deliveries_ready ON logout_deliveries (platform, ready, session) WHERE state = 'pending';
CREATE INDEX logout_deliveries_settled ON logout_deliveries (created) WHERE state <> 'pending';
CREATE INDEX logout_deliveries_given_up ON logout_deliveries (expires) WHERE state = 'given-up' AND sealed IS NOT NULL;

CREATE TABLE logout_once (
    key bytea PRIMARY KEY,
    value bytea NOT NULL,
    expires bigint NOT NULL
);
CREATE INDEX logout_once_expires ON logout_once (expires);

CREATE TABLE logout_agreed (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

-- Carries out sign-outs that were asked for at the same time. Orders are numbered from 1; each target names its order, and a
-- session that several of them mean is credited to the first.
--
-- A function, because each of its statements sees what was committed before it began: sessions are locked first, so that
-- whoever opens another one under the same login has either finished, and is seen by the second statement, or waits and
-- finds the login ended. One statement alone would miss the former.
--
-- OFFSET 0 keeps each list on the outside of its loop: an empty one then costs nothing, where a planner that knows nothing of
-- their lengths may well read all sessions first.
CREATE FUNCTION logout_end_1(
    receipts uuid[], ats bigint[], reasons text[], asked text[], reaches text[],
    one_of int[], one uuid[],
    expired_of int[], expired uuid[],
    sign_on_of int[], sign_on_ids uuid[],
    person_of int[], person_keys bigint[], person_names text[],
    subject_of int[], subject_keys bigint[], subject_platforms text[], subject_realms text[], subject_names text[],
    platform_of int[], platform_names text[]
) RETURNS TABLE (
    r_receipt uuid, r_ids uuid[], r_platforms text[], r_realms text[], r_names text[], r_persons text[], r_upstreams boolean[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- Sessions named by their ids cannot multiply, and are deleted in the order of ids below: no lock is needed for them.
    IF cardinality(expired) + cardinality(sign_on_ids) + cardinality(person_keys) + cardinality(subject_keys)
        + cardinality(platform_names) > 0
    THEN
        PERFORM FROM logout_sessions s
        WHERE s.id IN (
            SELECT unnest(one)
            UNION SELECT unnest(expired)
            UNION SELECT p.id FROM unnest(sign_on_ids) t(sign_on) CROSS JOIN LATERAL (
                SELECT s.id FROM logout_sessions s WHERE s.sign_on = t.sign_on OFFSET 0
            ) p
            UNION SELECT p.id FROM unnest(person_keys, person_names) t(key, person) CROSS JOIN LATERAL (
                SELECT s.id FROM logout_sessions s WHERE s.person_key = t.key AND s.person = t.person OFFSET 0
            ) p
            UNION SELECT p.id FROM unnest(subject_keys, subject_platforms, subject_realms, subject_names) t(key, platform, realm, name)
            CROSS JOIN LATERAL (
                SELECT s.id FROM logout_sessions s
                WHERE s.subject_key = t.key AND s.platform = t.platform AND s.realm = t.realm AND s.name = t.name OFFSET 0
            ) p
            UNION SELECT p.id FROM unnest(platform_names) t(platform) CROSS JOIN LATERAL (
                SELECT s.id FROM logout_sessions s WHERE s.platform = t.platform OFFSET 0
            ) p
        )
        ORDER BY s.id
        FOR UPDATE OF s;
    END IF;
    RETURN QUERY
    WITH meant AS (
        SELECT t.ord, t.id FROM unnest(one_of, one) t(ord, id)
        UNION ALL
        SELECT t.ord, p.id FROM unnest(expired_of, expired) t(ord, id) CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s WHERE s.id = t.id AND s.ends <= ats[t.ord] OFFSET 0
        ) p
        UNION ALL
        SELECT t.ord, p.id FROM unnest(sign_on_of, sign_on_ids) t(ord, sign_on) CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s WHERE s.sign_on = t.sign_on OFFSET 0
        ) p
        UNION ALL
        SELECT t.ord, p.id FROM unnest(person_of, person_keys, person_names) t(ord, key, person) CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s WHERE s.person_key = t.key AND s.person = t.person OFFSET 0
        ) p
        UNION ALL
        SELECT t.ord, p.id
        FROM unnest(subject_of, subject_keys, subject_platforms, subject_realms, subject_names) t(ord, key, platform, realm, name)
        CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s
            WHERE s.subject_key = t.key AND s.platform = t.platform AND s.realm = t.realm AND s.name = t.name OFFSET 0
        ) p
        UNION ALL
        SELECT t.ord, p.id FROM unnest(platform_of, platform_names) t(ord, platform) CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s WHERE s.platform = t.platform OFFSET 0
        ) p
    ), credited AS MATERIALIZED (
        SELECT DISTINCT ON (m.id) m.id, m.ord FROM meant m ORDER BY m.id, m.ord
    ), ended AS (
        DELETE FROM logout_sessions s USING credited c WHERE s.id = c.id
        RETURNING c.ord, s.id, s.platform, s.realm, s.name, s.person, s.expires, s.sealed, s.digests, s.expiries
    ), spent AS (
        -- What had expired by itself needs no tombstone.
        DELETE FROM logout_credentials k
        USING (
            SELECT e.id, u.digest
            FROM ended e CROSS JOIN LATERAL unnest(e.digests, e.expiries) u(digest, expires)
            WHERE u.expires <= ats[e.ord]
        ) d
        WHERE k.digest = d.digest AND k.session = d.id
    ), told AS (
        INSERT INTO logout_deliveries (session, platform, realm, name, receipt, sealed, expires, created, due, ready)
        SELECT e.id, e.platform, e.realm, e.name, receipts[e.ord], e.sealed, e.expires, ats[e.ord], ats[e.ord], ats[e.ord]
        FROM ended e WHERE e.sealed IS NOT NULL
    )
    INSERT INTO logout_receipts AS r
    SELECT receipts[e.ord], ats[e.ord], reasons[e.ord], asked[e.ord], reaches[e.ord], array_agg(e.id), array_agg(e.platform),
        array_agg(e.realm), array_agg(e.name), array_agg(e.person), array_agg(e.sealed IS NOT NULL)
    FROM ended e GROUP BY e.ord
    RETURNING r.id, r.ids, r.platforms, r.realms, r.names, r.persons, r.upstreams;
END
$$;
