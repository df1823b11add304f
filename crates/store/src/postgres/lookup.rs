//! Credentials that are asked for at the same time are looked up together.

use std::collections::HashMap;
use std::sync::Arc;

use logout_core::credential::CredentialDigest;
use logout_core::session::Session;
use logout_core::store::{Lookup, StoreUnavailable};
use logout_core::time::Timestamp;
use tokio::sync::oneshot::Sender;
use tokio_postgres::Row;
use uuid::Uuid;

use super::failure::Failure;
use super::link::Link;
use super::row::Fields;
use super::table::SESSIONS;
use super::work::params;
use crate::batch::Carry;
use crate::rules;

/// A credential that a caller asks for.
pub(super) struct Find {
    pub(super) credential: CredentialDigest,
    pub(super) now: Timestamp,
    pub(super) reply: Sender<Lookup>,
}

/// Looks credentials up.
pub(super) struct LookupBatcher {
    link: Arc<Link>,
    statement: String,
}

/// What the tables hold of a credential.
struct StoredCredential {
    session: Option<Arc<Session>>,
    expires: Timestamp,
}

impl LookupBatcher {
    pub(super) fn new(link: Arc<Link>) -> Self {
        // One statement sees both tables as of one instant: a session that is being ended is there
        // or has gone, and its credentials stay.
        let statement = format!(
            "SELECT k.digest, k.expires AS until, {}
             FROM logout_credentials k LEFT JOIN logout_sessions s ON s.id = k.session
             WHERE k.digest = ANY ($1::bytea[])",
            SESSIONS.columns_of("s")
        );
        Self { link, statement }
    }

    /// What each of these credentials is at its instant, in their order.
    pub(super) async fn find(
        &self,
        asked: &[(CredentialDigest, Timestamp)],
    ) -> Result<Vec<Lookup>, Failure> {
        let digests: Vec<Vec<u8>> = asked
            .iter()
            .map(|(digest, _)| digest.as_bytes().to_vec())
            .collect();
        let rows = self.link.rows(&self.statement, &params![digests]).await?;
        let stored = rows
            .iter()
            .map(StoredCredential::read)
            .collect::<Result<HashMap<_, _>, _>>()?;
        let lookups = asked.iter().map(|(digest, now)| {
            stored
                .get(digest)
                .map_or(Lookup::Unknown, |stored| stored.at(digest, *now))
        });
        Ok(lookups.collect())
    }
}

impl Carry<Find> for LookupBatcher {
    async fn carry(&self, jobs: Vec<Find>) -> Result<(), StoreUnavailable> {
        let asked: Vec<_> = jobs.iter().map(|job| (job.credential, job.now)).collect();
        let lookups = self.find(&asked).await?;
        for (job, lookup) in jobs.into_iter().zip(lookups) {
            // A caller that has gone away needs no answer.
            let _ = job.reply.send(lookup);
        }
        Ok(())
    }
}

impl StoredCredential {
    fn read(row: &Row) -> Result<(CredentialDigest, Self), Failure> {
        let row = Fields(row);
        let has_session = row.get::<Option<Uuid>>("id")?.is_some();
        let session = has_session.then(|| row.session()).transpose()?;
        Ok((
            CredentialDigest::from_bytes(row.digest("digest")?),
            Self {
                session: session.map(Arc::new),
                expires: row.instant("until")?,
            },
        ))
    }

    fn at(&self, credential: &CredentialDigest, now: Timestamp) -> Lookup {
        rules::lookup(self.session.clone(), credential, self.expires, now)
    }
}
