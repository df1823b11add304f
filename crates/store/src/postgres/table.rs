//! The tables that hold records, and their columns.

/// Says of a row whether it has been changed since it was read: every change gives it another one.
pub(super) const VERSION: &str = "xmin::text AS version";

/// A table, and the columns that this program reads and writes.
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: &'static str,
}

impl Table {
    /// The list of its columns.
    pub(super) fn columns(&self) -> &'static str {
        self.columns
    }

    /// The list of its columns, where the statement calls the table `alias`.
    pub(super) fn columns_of(&self, alias: &str) -> String {
        format!(
            "{alias}.{}",
            self.columns.replace(", ", &format!(", {alias}."))
        )
    }

    /// How many there are.
    pub(super) fn width(&self) -> usize {
        self.columns.split(", ").count()
    }

    /// The parameter of `column`, where the first parameters of a statement are a row's values.
    pub(super) fn parameter(&self, column: &str) -> String {
        let before = self.columns.split(", ").take_while(|name| *name != column);
        format!("${}", before.count() + 1)
    }
}

pub(super) const AGREED: Table = Table {
    name: "logout_agreed",
    columns: "name, value",
};

pub(super) const ONCE: Table = Table {
    name: "logout_once",
    columns: "key, value, expires",
};

/// In the order of [`super::row::credential_values`].
pub(super) const CREDENTIALS: Table = Table {
    name: "logout_credentials",
    columns: "digest, session, expires, client, csrf",
};

/// In the order of [`super::row::session_values`].
pub(super) const SESSIONS: Table = Table {
    name: "logout_sessions",
    columns: "id, platform, realm, name, subject_key, person, person_key, client, sign_on, \
        administrator, csrf, opened, seen, idle, expires, ends, look_at, address, user_agent, \
        sealed, digests, expiries, needs_csrf, account, idp_issuer, idp_subject, idp_session, \
        idp_subject_key, idp_session_key",
};

/// In the order of [`super::row::receipt_values`].
pub(super) const RECEIPTS: Table = Table {
    name: "logout_receipts",
    columns: "id, ordinal, at, reason, platform, reach, session, session_platform, realm, name, \
        person, upstream, token_issuer, token_jti",
};

/// In the order of [`super::row::delivery_values`]. From `sealed` on, they change.
pub(super) const DELIVERIES: Table = Table {
    name: "logout_deliveries",
    columns: "session, platform, realm, name, receipt, expires, sealed, created, lease, ready, \
        due, state, attempts, tried_at, answers, verified",
};
