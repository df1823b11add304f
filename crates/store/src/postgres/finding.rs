//! What credentials are: those that are asked for at the same time are looked up together.

use std::collections::HashMap;
use std::sync::Arc;

use logout_core::credential::CredentialDigest;
use logout_core::session::Session;
use logout_core::store::{Lookup, StoreUnavailable};
use logout_core::time::Timestamp;
use tokio::sync::oneshot::Sender;
use tokio_postgres::Row;
use uuid::Uuid;

use super::link::{Failure, Link, params};
use super::row;
use crate::batch::Carry;

/// A credential that somebody asks for.
pub(super) struct Find {
    pub(super) credential: CredentialDigest,
    pub(super) now: Timestamp,
    pub(super) reply: Sender<Lookup>,
}

/// Looks credentials up.
pub(super) struct Findings {
    link: Arc<Link>,
    statement: String,
}

/// What lies under a digest.
struct Lying {
    session: Option<Arc<Session>>,
    expires: Timestamp,
}

impl Findings {
    pub(super) fn new(link: Arc<Link>) -> Self {
        // One statement, so that both tables are seen as of one instant: a session that is being
        // ended is there or has gone, and its credentials stay.
        let statement = format!(
            "SELECT k.digest, k.expires, {} FROM logout_credentials k LEFT JOIN logout_sessions s ON s.id = k.session \
             WHERE k.digest = ANY($1::bytea[])",
            row::SESSION
        );
        Self { link, statement }
    }

    /// What one credential is.
    pub(super) async fn find(
        &self,
        credential: &CredentialDigest,
        now: Timestamp,
    ) -> Result<Lookup, Failure> {
        let rows = self
            .link
            .rows(
                &self.statement,
                &params![vec![credential.as_bytes().to_vec()]],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Lookup::Unknown);
        };
        Ok(read(row)?.1.at(credential, now))
    }
}

impl Carry<Find> for Findings {
    async fn carry(&self, jobs: Vec<Find>) -> Result<(), StoreUnavailable> {
        let digests: Vec<Vec<u8>> = jobs
            .iter()
            .map(|job| job.credential.as_bytes().to_vec())
            .collect();
        let rows = self.link.rows(&self.statement, &params![digests]).await?;
        let lying = rows
            .iter()
            .map(read)
            .collect::<Result<HashMap<_, _>, Failure>>()?;
        for job in jobs {
            let found = lying
                .get(job.credential.as_bytes().as_slice())
                .map_or(Lookup::Unknown, |lying| lying.at(&job.credential, job.now));
            let _ = job.reply.send(found);
        }
        Ok(())
    }
}

fn read(found: &Row) -> Result<(&[u8], Lying), Failure> {
    let id: Option<Uuid> = found.try_get(2)?;
    let session = id
        .map(|_| row::session(found, 2))
        .transpose()?
        .map(Arc::new);
    Ok((
        found.try_get(0)?,
        Lying {
            session,
            expires: row::instant(found.try_get(1)?),
        },
    ))
}

impl Lying {
    fn at(&self, credential: &CredentialDigest, now: Timestamp) -> Lookup {
        match &self.session {
            _ if self.expires <= now => Lookup::Unknown,
            None => Lookup::Ended,
            Some(session) if session.is_expired(now) => Lookup::Unknown,
            Some(session) => match session
                .credentials
                .iter()
                .find(|known| known.digest == *credential)
            {
                Some(known) if known.expires > now => Lookup::Live(session.clone(), known.clone()),
                _ => Lookup::Unknown,
            },
        }
    }
}
