//! Sessions, receipts, and values that can be taken once.

use async_trait::async_trait;
use logout_core::credential::{Credential, CredentialDigest, Sealed};
use logout_core::receipt::{EndedSession, Receipt, ReceiptId};
use logout_core::session::{Session, SessionId};
use logout_core::store::{
    EndOrder, Join, Lookup, OpenOutcome, Page, SessionFilter, SessionStore, StoreUnavailable,
    SweepPage,
};
use logout_core::time::Timestamp;
use tokio::sync::oneshot;

use super::lookup::Find;
use super::row::{self, Fields};
use super::table::{RECEIPTS, SESSIONS, VERSION};
use super::value::{idp_key, millis, person_key, subject_key, text, uuid};
use super::work::{Value, params};
use super::{PostgresStore, rows_of, statements, sweep};
use crate::rules::{self, ATTEMPTS, Conditions, Horizon, page};
use crate::wakeup::End;

/// Whether the server takes writes, and commits them where it should: to its standbys too, where it
/// waits for any. It writes an empty message to its log, for no reader.
const PROBE: &str = "SELECT current_setting('transaction_read_only') AS read_only, \
    pg_logical_emit_message(true, 'logout-hub', ''::text)";

#[async_trait]
impl SessionStore for PostgresStore {
    async fn open(
        &self,
        session: Session,
        join: Join,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreUnavailable> {
        let mut params = row::session_values(&session);
        let csrf = |known| Conditions::of(&session, known).csrf.map(<[u8]>::to_vec);
        let csrfs: Vec<_> = session.credentials.iter().map(csrf).collect();
        params.extend(params![join == Join::IfLive, millis(now), csrfs]);
        let verdict = self.rows(self.shared.open.clone(), params).await?;
        match verdict
            .first()
            .map(|row| Fields(row).get("is"))
            .transpose()?
        {
            Some(0) => Ok(OpenOutcome::Opened),
            Some(1) => Ok(OpenOutcome::CredentialEnded),
            Some(2) => Ok(OpenOutcome::SignOnEnded),
            Some(i32::MIN..=-1 | 3..) | None => Err(StoreUnavailable),
        }
    }

    async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, StoreUnavailable> {
        let (reply, answer) = oneshot::channel();
        self.shared.lookups.push(
            Find {
                credential: *credential,
                now,
                reply,
            },
            self.runtime(),
        )?;
        answer.await.map_err(|_| StoreUnavailable)
    }

    async fn attach(
        &self,
        session: SessionId,
        credential: Credential,
        sealed: Option<Sealed>,
        now: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        let id = uuid(session.as_bytes());
        let statement = format!(
            "SELECT {}, {VERSION} FROM logout_sessions WHERE id = $1",
            SESSIONS.columns()
        );
        for _ in 0..ATTEMPTS {
            let rows = self.rows(statement.clone(), params![id]).await?;
            let Some(fields) = rows.first().map(Fields) else {
                return Ok(false);
            };
            let mut session = fields.session()?;
            if !rules::attach(&mut session, &credential, sealed.as_ref(), now) {
                return Ok(false);
            }
            let mut params = params![id, fields.get::<String>("version")?];
            params.push(Box::new(row::sealed(session.sealed.as_ref())));
            params.extend(row::credential_lists(&session));
            params.extend(row::credential_values(&session, &credential));
            if self.is_done(self.shared.attach.clone(), params).await? {
                return Ok(true);
            }
        }
        Err(StoreUnavailable)
    }

    async fn touch(&self, session: SessionId, now: Timestamp) -> Result<(), StoreUnavailable> {
        self.shared.touches.note(session, now);
        Ok(())
    }

    async fn end(&self, order: EndOrder) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let (order, answer) = End::new(order);
        self.shared.endings.push(order, self.runtime())?;
        answer.ended().await
    }

    async fn put_once(
        &self,
        key: CredentialDigest,
        value: Vec<u8>,
        expires: Timestamp,
    ) -> Result<bool, StoreUnavailable> {
        let statement = "INSERT INTO logout_once (key, value, expires) VALUES ($1, $2, $3) \
            ON CONFLICT (key) DO NOTHING RETURNING 1";
        let params = params![key.as_bytes().to_vec(), value, millis(expires)];
        self.is_done(statement, params).await
    }

    async fn take_once(
        &self,
        key: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let statement = "DELETE FROM logout_once WHERE key = $1 RETURNING value, expires";
        let params = params![key.as_bytes().to_vec()];
        let rows = self.rows(statement, params).await?;
        let Some(row) = rows.first().map(Fields) else {
            return Ok(None);
        };
        let value = row.get("value")?;
        Ok((row.instant("expires")? > now).then_some(value))
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Session, SessionId>, StoreUnavailable> {
        // What is not asked for is left out of the statement, so that an index can serve the rest.
        let mut condition = String::from("s.ends > $1");
        let mut params = params![millis(now), rows_of(limit) + 1];
        let mut require = |columns: &str, value: Value| {
            params.push(value);
            condition.push_str(&format!(" AND {columns} ${}", params.len()));
        };
        if let Some(after) = after {
            require("s.id >", Box::new(uuid(after.as_bytes())));
        }
        if let Some(person) = &filter.person {
            require("s.person_key =", Box::new(person_key(person)));
            require("s.person =", Box::new(text(person.as_str())));
        }
        if let Some(subject) = &filter.subject {
            require("s.subject_key =", Box::new(subject_key(subject)));
            require("s.realm =", Box::new(text(&subject.realm)));
            require("s.name =", Box::new(text(&subject.name)));
        }
        if let Some(login) = &filter.idp {
            let column = match login.session() {
                Some(_) => "s.idp_session_key =",
                None => "s.idp_subject_key =",
            };
            require(column, Box::new(idp_key(login.narrowest_key())));
            require("s.idp_issuer =", Box::new(text(login.issuer())));
            for (column, name) in [
                ("s.idp_subject =", login.subject()),
                ("s.idp_session =", login.session()),
            ] {
                if let Some(name) = name {
                    require(column, Box::new(text(name)));
                }
            }
        }
        if let Some(platform) = &filter.platform {
            require("s.platform =", Box::new(text(platform.as_str())));
        }
        let statement = format!(
            "SELECT {} FROM logout_sessions s WHERE {condition} ORDER BY s.id LIMIT $2",
            SESSIONS.columns()
        );
        let sessions = row::sessions(&self.rows(statement, params).await?)?;
        Ok(page(sessions, limit, |session| session.id))
    }

    async fn receipt(&self, id: ReceiptId) -> Result<Option<Receipt>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_receipts WHERE id = $1 ORDER BY ordinal",
            RECEIPTS.columns()
        );
        let rows = self.rows(statement, params![uuid(id.as_bytes())]).await?;
        Ok(row::receipts(&rows)?.pop())
    }

    async fn receipts(
        &self,
        before: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Page<Receipt, ReceiptId>, StoreUnavailable> {
        let statement = format!(
            "SELECT {} FROM logout_receipts r WHERE r.id IN ( \
                SELECT p.id FROM logout_receipts p WHERE p.id < $1 AND p.ordinal = 0 \
                ORDER BY p.id DESC LIMIT $2 \
             ) ORDER BY r.id DESC, r.ordinal",
            RECEIPTS.columns()
        );
        let before = before.map_or(uuid::Uuid::max(), |id| uuid(id.as_bytes()));
        let params = params![before, rows_of(limit) + 1];
        let receipts = row::receipts(&self.rows(statement, params).await?)?;
        Ok(page(receipts, limit, |receipt| receipt.id))
    }

    async fn sweep(
        &self,
        from: Option<Vec<u8>>,
        limit: usize,
        now: Timestamp,
        receipts_until: Timestamp,
    ) -> Result<SweepPage, StoreUnavailable> {
        let horizon = Horizon {
            now,
            receipts_until,
        };
        sweep::step(self, from, limit, horizon).await
    }

    async fn get_or_insert(
        &self,
        name: &str,
        candidate: Vec<u8>,
    ) -> Result<Vec<u8>, StoreUnavailable> {
        let params = params![text(name), candidate];
        let rows = self.rows(statements::AGREE, params).await?;
        Ok(Fields(rows.first().ok_or(StoreUnavailable)?).get("value")?)
    }

    async fn health(&self) -> Result<(), StoreUnavailable> {
        let shared = self.shared.clone();
        let written = self
            .runtime()
            .spawn(async move { shared.touches.flush(&shared.link).await });
        // At the same time, so that a server that does not answer is found out as soon as by
        // others.
        let link = self.shared.link.clone();
        let probing = self.runtime().spawn(async move { link.probe(PROBE).await });
        let rows = probing.await.map_err(|_| StoreUnavailable)??;
        let read_only: &str = Fields(rows.first().ok_or(StoreUnavailable)?).get("read_only")?;
        if read_only != "off" {
            self.shared.link.leave();
            return Err(StoreUnavailable);
        }
        Ok(written.await.map_err(|_| StoreUnavailable)??)
    }
}
