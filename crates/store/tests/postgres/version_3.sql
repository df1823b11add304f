-- The tables as version 3 made them (the functions without their bodies), and some rows.

CREATE TABLE logout_sessions (
    id uuid PRIMARY KEY,
    platform text NOT NULL,
    realm text NOT NULL,
    name text NOT NULL,
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
    ends bigint NOT NULL,
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

CREATE TABLE logout_credentials (
    digest bytea PRIMARY KEY,
    session uuid NOT NULL,
    expires bigint NOT NULL
);
CREATE INDEX logout_credentials_expires ON logout_credentials (expires);

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
    lease bigint NOT NULL DEFAULT 0,
    ready bigint NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX logout_deliveries_ready ON logout_deliveries (platform, ready, session)
    WHERE state = 'pending';
CREATE INDEX logout_deliveries_settled ON logout_deliveries (created) WHERE state <> 'pending';
CREATE INDEX logout_deliveries_given_up ON logout_deliveries (expires)
    WHERE state = 'given-up' AND sealed IS NOT NULL;

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

ALTER TABLE logout_sessions ADD COLUMN account bytea;

CREATE FUNCTION logout_end_1(
    receipts uuid[], ats bigint[], reasons text[], asked text[], reaches text[],
    one_of int[], one uuid[],
    expired_of int[], expired uuid[],
    sign_on_of int[], sign_on_ids uuid[],
    person_of int[], person_keys bigint[], person_names text[],
    subject_of int[], subject_keys bigint[], subject_platforms text[], subject_realms text[],
        subject_names text[],
    platform_of int[], platform_names text[]
) RETURNS TABLE (
    r_receipt uuid, r_ids uuid[], r_platforms text[], r_realms text[], r_names text[],
        r_persons text[], r_upstreams boolean[]
) LANGUAGE plpgsql AS $$ BEGIN END $$;

CREATE FUNCTION logout_end_opened_1(
    receipts uuid[], ats bigint[], reasons text[], asked text[], reaches text[],
    orders int[], digests bytea[], clients text[], proofs int[], tokens bytea[], widths int[]
) RETURNS TABLE (
    r_receipt uuid, r_id uuid, r_platform text, r_realm text, r_name text, r_person text,
        r_upstream boolean
) LANGUAGE plpgsql AS $$ BEGIN END $$;

CREATE TABLE logout_schema (version integer PRIMARY KEY);
INSERT INTO logout_schema VALUES (1), (2), (3);

INSERT INTO logout_sessions (id, platform, realm, name, subject_key, person, person_key, client,
    sign_on, administrator, csrf, opened, seen, idle, expires, ends, look_at, address, user_agent,
    sealed, digests, expiries, csrf_dues, account)
VALUES
    -- Of a client, with a secret: one credential needs a proof, the other does not.
    ('01010101-0101-0101-0101-010101010101', 'cms', 'Default', E'alice\x010', 1, NULL, NULL, 'app',
        '31313131-3131-3131-3131-313131313131', false,
        '\x2121212121212121212121212121212121212121212121212121212121212121',
        1760000000000, 1760000000000, NULL, 1760086400000, 1760086400000, 1760086400000,
        '192.0.2.1', 'curl', NULL,
        ARRAY[
            '\x1111111111111111111111111111111111111111111111111111111111111111',
            '\x1212121212121212121212121212121212121212121212121212121212121212'
        ]::bytea[],
        ARRAY[1760086400000, 1760086400000], ARRAY[true, false], '\x0102030405060708'),
    -- Of no client and without a secret; its credential needs a proof all the same.
    ('02020202-0202-0202-0202-020202020202', 'cms', 'Default', 'dora', 2, NULL, NULL, NULL,
        NULL, false, NULL, 1760000000000, 1760000000000, NULL, 1760086400000, 1760086400000,
        1760086400000, NULL, NULL, NULL,
        ARRAY['\x1313131313131313131313131313131313131313131313131313131313131313']::bytea[],
        ARRAY[1760086400000], ARRAY[true], NULL);

INSERT INTO logout_credentials (digest, session, expires) VALUES
    ('\x1111111111111111111111111111111111111111111111111111111111111111',
        '01010101-0101-0101-0101-010101010101', 1760086400000),
    ('\x1212121212121212121212121212121212121212121212121212121212121212',
        '01010101-0101-0101-0101-010101010101', 1760086400000),
    ('\x1313131313131313131313131313131313131313131313131313131313131313',
        '02020202-0202-0202-0202-020202020202', 1760086400000),
    -- A tombstone.
    ('\x1414141414141414141414141414141414141414141414141414141414141414',
        '04040404-0404-0404-0404-040404040404', 1760086400000),
    -- Left over from when its session was opened before.
    ('\x1515151515151515151515151515151515151515151515151515151515151515',
        '02020202-0202-0202-0202-020202020202', 1760086400000);

INSERT INTO logout_receipts (id, at, reason, platform, reach, ids, platforms, realms, names,
    persons, upstreams)
VALUES
    ('0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a', 1759999999999, 'user', 'cms', 'session',
        ARRAY['03030303-0303-0303-0303-030303030303']::uuid[], ARRAY['cms'], ARRAY['Default'],
        ARRAY['erin'], ARRAY[NULL]::text[], ARRAY[false]),
    ('0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b', 1760000000000, 'administrator', NULL, 'person',
        ARRAY['04040404-0404-0404-0404-040404040404',
            '05050505-0505-0505-0505-050505050505']::uuid[],
        ARRAY['cms', 'cms'], ARRAY['Default', 'Default'], ARRAY['bob', E'carol\x010'],
        ARRAY[NULL, 'carol@example.com'], ARRAY[true, false]);

INSERT INTO logout_deliveries (session, platform, realm, name, receipt, sealed, expires, created,
    due, ready)
VALUES ('04040404-0404-0404-0404-040404040404', 'cms', 'Default', 'bob',
    '0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b',
    '\x01', 1760086400000, 1760000000000, 1760000000000, 1760000000000);
