-- Carries out sign-outs by what was presented, where they may go farther than one session or present several credentials. Orders are
-- numbered from 1; each credential names its order. A credential counts if it opens a session at the order's instant, of the
-- client that the request names (`clients`), with the proof that is due (`proofs`: 0 none is needed, 1 none came, 2 `tokens` came); `widths`
-- says how far it goes: 0 the session, 1 its sign-on, 2 its subject, 3 its person.
--
-- As in `logout_end_1`, sessions are locked first, so that whoever opens another one under the same login has finished, and is seen by the
-- second statement, or waits and finds the login ended. OFFSET 0 keeps each list on the outside of its loop.
CREATE FUNCTION logout_end_opened_1(
    receipts uuid[], ats bigint[], reasons text[], asked text[], reaches text[],
    orders int[], digests bytea[], clients text[], proofs int[], tokens bytea[], widths int[]
) RETURNS TABLE (
    r_receipt uuid, r_id uuid, r_platform text, r_realm text, r_name text, r_person text, r_upstream boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    own_of int[];
    own uuid[];
    own_width int[];
BEGIN
    SELECT array_agg(h.ord), array_agg(h.id), array_agg(h.width) INTO own_of, own, own_width
    FROM (
        SELECT t.ord, p.id, t.width
        FROM unnest(orders, digests, clients, proofs, tokens, widths) t(ord, digest, client, proof, token, width)
        CROSS JOIN LATERAL (
            SELECT s.id
            FROM (
                SELECT k.session FROM logout_credentials k WHERE k.digest = t.digest AND k.expires > ats[t.ord] OFFSET 0
            ) k
            JOIN logout_sessions s ON s.id = k.session
            CROSS JOIN LATERAL (SELECT array_position(s.digests, t.digest) AS at) place
            WHERE s.ends > ats[t.ord] AND s.expiries[place.at] > ats[t.ord]
                AND (t.client IS NULL OR s.client IS NULL OR s.client = t.client)
                AND (t.proof = 0 OR NOT s.csrf_dues[place.at] OR (t.proof = 2 AND s.csrf = t.token))
            OFFSET 0
        ) p
    ) h;
    IF own IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM logout_sessions s
    WHERE s.id IN (
        SELECT unnest(own)
        UNION SELECT p.id FROM unnest(own, own_width) t(id, width) CROSS JOIN LATERAL (
            SELECT o.id FROM logout_sessions s JOIN logout_sessions o ON o.sign_on = s.sign_on WHERE s.id = t.id AND t.width >= 1 OFFSET 0
        ) p
        UNION SELECT p.id FROM unnest(own, own_width) t(id, width) CROSS JOIN LATERAL (
            SELECT o.id FROM logout_sessions s JOIN logout_sessions o ON o.subject_key = s.subject_key
                AND o.platform = s.platform AND o.realm = s.realm AND o.name = s.name
            WHERE s.id = t.id AND t.width >= 2 OFFSET 0
        ) p
        UNION SELECT p.id FROM unnest(own, own_width) t(id, width) CROSS JOIN LATERAL (
            SELECT o.id FROM logout_sessions s JOIN logout_sessions o ON o.person_key = s.person_key AND o.person = s.person
            WHERE s.id = t.id AND t.width >= 3 OFFSET 0
        ) p
    )
    ORDER BY s.id
    FOR UPDATE OF s;
    RETURN QUERY
    WITH opened AS MATERIALIZED (
        -- Only those that nobody else has ended meanwhile: what is behind the others is not this order's any more.
        SELECT t.ord, t.width, s.id, s.sign_on, s.subject_key, s.platform, s.realm, s.name, s.person_key, s.person
        FROM unnest(own_of, own, own_width) t(ord, id, width) CROSS JOIN LATERAL (
            SELECT s.* FROM logout_sessions s WHERE s.id = t.id OFFSET 0
        ) s
    ), meant AS (
        SELECT o.ord, o.id FROM opened o
        UNION ALL
        SELECT o.ord, p.id FROM opened o CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s WHERE s.sign_on = o.sign_on OFFSET 0
        ) p WHERE o.width >= 1
        UNION ALL
        SELECT o.ord, p.id FROM opened o CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s
            WHERE s.subject_key = o.subject_key AND s.platform = o.platform AND s.realm = o.realm AND s.name = o.name OFFSET 0
        ) p WHERE o.width >= 2
        UNION ALL
        SELECT o.ord, p.id FROM opened o CROSS JOIN LATERAL (
            SELECT s.id FROM logout_sessions s WHERE s.person_key = o.person_key AND s.person = o.person OFFSET 0
        ) p WHERE o.width >= 3
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
    ), kept AS (
        INSERT INTO logout_receipts
        SELECT receipts[e.ord], ats[e.ord], reasons[e.ord], asked[e.ord], reaches[e.ord], array_agg(e.id), array_agg(e.platform),
            array_agg(e.realm), array_agg(e.name), array_agg(e.person), array_agg(e.sealed IS NOT NULL)
        FROM ended e GROUP BY e.ord
    )
    SELECT receipts[e.ord], e.id, e.platform, e.realm, e.name, e.person, e.sealed IS NOT NULL FROM ended e;
END
$$;
