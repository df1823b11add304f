-- Instants are milliseconds since the Unix epoch, as the hubs say them. The database's own clock is
-- never asked.

CREATE TABLE logout_sessions (
    id uuid PRIMARY KEY,
    platform text NOT NULL,
    realm text NOT NULL,
    name text NOT NULL,
    -- Hashes to look up by: small whatever the length of what they stand for, which is compared as
    -- well.
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
    -- When housekeeping looks at it: never later than `ends`. A touch leaves it alone, so that it
    -- changes no index.
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

-- Which session a credential opens. A row whose session has gone is the tombstone, so ending writes
-- none.
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
