//! Rows of the tables, from and to the types of `logout-core`.

use std::borrow::Cow;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use logout_core::delivery::{AttemptRecord, Delivery, DeliveryState, Verification};
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::SsoSessionId;
use logout_core::session::{AccountVersion, ClientId, Device, Person, Session, SessionId, Subject};
use logout_core::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::failure::Failure;
use super::value::{
    answer, idp_key, instant, millis, person_key, plain, read_answer, span, subject_key, text, uuid,
};
use super::work::{Params, params};
use crate::rules::{Conditions, OutboxRow};

/// The values of a session's row.
pub(super) fn session_values(session: &Session) -> Params {
    let ends = millis(session.ends_by(session.seen));
    let mut values = params![
        uuid(session.id.as_bytes()),
        text(session.platform.as_str()),
        text(&session.subject.realm),
        text(&session.subject.name),
        subject_key(&session.subject),
        session.person.as_ref().map(|person| text(person.as_str())),
        session.person.as_ref().map(person_key),
        session.client.as_ref().map(|client| text(client.as_str())),
        session.sign_on.map(|id| uuid(id.as_bytes())),
        session.administrator,
        session.csrf.map(|digest| digest.as_bytes().to_vec()),
        millis(session.opened),
        millis(session.seen),
        session.idle_timeout.map(span),
        millis(session.expires),
        ends,
        ends,
        session.device.address,
        session.device.user_agent.as_deref().map(text),
        sealed(session.sealed.as_ref()),
    ];
    values.extend(credential_lists(session));
    let account = session.account.map(|account| account.to_bytes().to_vec());
    values.push(Box::new(account));
    let idp = session.idp.as_ref();
    let name = |name: fn(&IdpLogin) -> Option<&str>| idp.and_then(name).map(text);
    values.extend(params![
        name(|login| Some(login.issuer())),
        name(IdpLogin::subject),
        name(IdpLogin::session),
        idp.and_then(IdpLogin::subject_key).map(idp_key),
        idp.and_then(IdpLogin::session_key).map(idp_key),
    ]);
    values
}

/// What a session's row has of its credentials: `digests`, `expiries` and `needs_csrf`.
pub(super) fn credential_lists(session: &Session) -> Params {
    let known = &session.credentials;
    let digests = known.iter().map(|known| known.digest.as_bytes().to_vec());
    let expiries = known.iter().map(|known| millis(known.expires));
    let dues = known.iter().map(|known| known.csrf_due);
    params![
        digests.collect::<Vec<_>>(),
        expiries.collect::<Vec<_>>(),
        dues.collect::<Vec<_>>(),
    ]
}

/// The values of a receipt's rows, one for each session.
pub(super) fn receipt_values(receipt: &Receipt) -> impl Iterator<Item = Params> {
    (0_i32..).zip(&receipt.sessions).map(|(ordinal, ended)| {
        params![
            uuid(receipt.id.as_bytes()),
            ordinal,
            millis(receipt.at),
            receipt.reason.as_str(),
            receipt.platform.as_ref().map(|name| text(name.as_str())),
            receipt.reach.as_str(),
            uuid(ended.id.as_bytes()),
            text(ended.platform.as_str()),
            text(&ended.subject.realm),
            text(&ended.subject.name),
            ended.person.as_ref().map(|person| text(person.as_str())),
            ended.upstream,
            receipt.token.as_ref().map(|token| text(&token.issuer)),
            receipt.token.as_ref().map(|token| text(&token.jti)),
        ]
    })
}

/// The values of a credential's row, as it is while its session lives.
pub(super) fn credential_values(session: &Session, known: &Credential) -> Params {
    let Conditions { client, csrf } = Conditions::of(session, known);
    params![
        known.digest.as_bytes().to_vec(),
        uuid(session.id.as_bytes()),
        millis(known.expires),
        client.map(text),
        csrf.map(<[u8]>::to_vec),
    ]
}

/// The values of a delivery's row.
pub(super) fn delivery_values(row: &OutboxRow) -> Params {
    let delivery = &row.delivery;
    let mut values = params![
        uuid(delivery.session.as_bytes()),
        text(delivery.platform.as_str()),
        text(&delivery.subject.realm),
        text(&delivery.subject.name),
        uuid(delivery.receipt.as_bytes()),
        millis(delivery.expires),
    ];
    values.extend(outbox_values(row));
    values
}

/// What changes of a delivery: from `sealed` to `verified`.
pub(super) fn outbox_values(row: &OutboxRow) -> Params {
    let delivery = &row.delivery;
    let (tried_at, answers): (Vec<i64>, Vec<String>) = delivery
        .history
        .iter()
        .map(|attempt| (millis(attempt.at), answer(attempt.answer)))
        .unzip();
    params![
        sealed(delivery.sealed.as_ref()),
        millis(delivery.created),
        i64::try_from(row.lease).unwrap_or(i64::MAX),
        millis(row.ready.unwrap_or(delivery.due)),
        millis(delivery.due),
        delivery.state.as_str(),
        i64::from(delivery.attempts),
        tried_at,
        answers,
        delivery.verified.map(|verified| verified.as_str()),
    ]
}

pub(super) fn sealed(sealed: Option<&Sealed>) -> Option<Vec<u8>> {
    sealed.map(|sealed| sealed.as_bytes().to_vec())
}

/// Reads a row by the names of its columns.
pub(super) struct Fields<'r>(pub(super) &'r Row);

impl<'r> Fields<'r> {
    /// The value of a column.
    pub(super) fn get<T: FromSql<'r>>(&self, column: &str) -> Result<T, Failure> {
        Ok(self.0.try_get(column)?)
    }

    /// A value that `parse` understands.
    fn parsed<S: FromSql<'r>, T>(
        &self,
        column: &str,
        parse: impl Fn(S) -> Option<T>,
    ) -> Result<T, Failure> {
        parse(self.get(column)?).ok_or_else(|| damaged(column))
    }

    pub(super) fn digest(&self, column: &str) -> Result<[u8; 32], Failure> {
        self.parsed(column, |bytes: &[u8]| bytes.try_into().ok())
    }

    pub(super) fn uuid(&self, column: &str) -> Result<[u8; 16], Failure> {
        Ok(self.get::<Uuid>(column)?.into_bytes())
    }

    pub(super) fn instant(&self, column: &str) -> Result<Timestamp, Failure> {
        Ok(instant(self.get(column)?))
    }

    pub(super) fn text(&self, column: &str) -> Result<Cow<'r, str>, Failure> {
        Ok(plain(self.get(column)?))
    }

    fn maybe_text(&self, column: &str) -> Result<Option<Cow<'r, str>>, Failure> {
        Ok(self.get::<Option<_>>(column)?.map(plain))
    }

    fn sealed(&self) -> Result<Option<Sealed>, Failure> {
        Ok(self.get::<Option<&[u8]>>("sealed")?.map(Sealed::new))
    }

    fn platform(&self, column: &str) -> Result<PlatformName, Failure> {
        Ok(PlatformName::new(&self.text(column)?))
    }

    fn subject(&self) -> Result<Subject, Failure> {
        Ok(Subject::new(self.text("realm")?, self.text("name")?))
    }

    fn person(&self) -> Result<Option<Person>, Failure> {
        Ok(self.maybe_text("person")?.map(Person::new))
    }

    pub(super) fn session(&self) -> Result<Session, Failure> {
        let idle: Option<i64> = self.get("idle")?;
        Ok(Session {
            id: SessionId::from_bytes(self.uuid("id")?),
            platform: self.platform("platform")?,
            subject: self.subject()?,
            person: self.person()?,
            account: self
                .parsed("account", |bytes: Option<&[u8]>| {
                    bytes.map(<[u8; 8]>::try_from).transpose().ok()
                })?
                .map(AccountVersion::from_bytes),
            idp: self.idp()?,
            client: self.maybe_text("client")?.map(ClientId::new),
            sign_on: self
                .get::<Option<Uuid>>("sign_on")?
                .map(|id| SsoSessionId::from_bytes(id.into_bytes())),
            administrator: self.get("administrator")?,
            credentials: self.credentials()?,
            csrf: self
                .parsed("csrf", |bytes: Option<&[u8]>| {
                    bytes.map(<[u8; 32]>::try_from).transpose().ok()
                })?
                .map(SecretDigest::from_bytes),
            opened: self.instant("opened")?,
            seen: self.instant("seen")?,
            idle_timeout: idle
                .map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or_default())),
            expires: self.instant("expires")?,
            device: Device {
                address: self.get("address")?,
                user_agent: self.maybe_text("user_agent")?.map(Cow::into_owned),
            },
            sealed: self.sealed()?,
        })
    }

    fn idp(&self) -> Result<Option<IdpLogin>, Failure> {
        let [issuer, subject, session] = [
            self.maybe_text("idp_issuer")?,
            self.maybe_text("idp_subject")?,
            self.maybe_text("idp_session")?,
        ];
        Ok(
            issuer
                .and_then(|issuer| IdpLogin::new(&issuer, subject.as_deref(), session.as_deref())),
        )
    }

    fn token(&self) -> Result<Option<TokenId>, Failure> {
        let (issuer, jti) = (
            self.maybe_text("token_issuer")?,
            self.maybe_text("token_jti")?,
        );
        Ok(issuer.zip(jti).map(|(issuer, jti)| TokenId {
            issuer: issuer.into(),
            jti: jti.into(),
        }))
    }

    fn credentials(&self) -> Result<Vec<Credential>, Failure> {
        let digests: Vec<&[u8]> = self.get("digests")?;
        let expiries: Vec<i64> = self.get("expiries")?;
        let dues: Vec<bool> = self.get("needs_csrf")?;
        let lists = digests.into_iter().zip(expiries).zip(dues);
        lists
            .map(|((bytes, expires), csrf_due)| {
                let digest = bytes.try_into().map_err(|_| damaged("digests"))?;
                Ok(Credential {
                    digest: CredentialDigest::from_bytes(digest),
                    expires: instant(expires),
                    csrf_due,
                })
            })
            .collect()
    }

    /// A session that has ended, as receipts list it.
    pub(super) fn ended(&self) -> Result<EndedSession, Failure> {
        Ok(EndedSession {
            id: SessionId::from_bytes(self.uuid("session")?),
            platform: self.platform("session_platform")?,
            subject: self.subject()?,
            person: self.person()?,
            upstream: self.get("upstream")?,
        })
    }

    pub(super) fn delivery(&self) -> Result<Delivery, Failure> {
        Ok(Delivery {
            session: SessionId::from_bytes(self.uuid("session")?),
            platform: self.platform("platform")?,
            subject: self.subject()?,
            receipt: ReceiptId::from_bytes(self.uuid("receipt")?),
            sealed: self.sealed()?,
            expires: self.instant("expires")?,
            created: self.instant("created")?,
            due: self.instant("due")?,
            state: self.parsed("state", DeliveryState::parse)?,
            attempts: u32::try_from(self.get::<i64>("attempts")?).unwrap_or(u32::MAX),
            history: self.history()?,
            verified: self.parsed("verified", |word: Option<&str>| match word {
                Some(word) => Verification::parse(word).map(Some),
                None => Some(None),
            })?,
        })
    }

    pub(super) fn outbox_row(&self) -> Result<OutboxRow, Failure> {
        let mut row = OutboxRow::new(self.delivery()?);
        row.lease = u64::try_from(self.get::<i64>("lease")?).unwrap_or_default();
        if row.is_pending() {
            row.ready = Some(self.instant("ready")?);
        }
        Ok(row)
    }

    fn history(&self) -> Result<Vec<AttemptRecord>, Failure> {
        let tried_at: Vec<i64> = self.get("tried_at")?;
        let answers: Vec<&str> = self.get("answers")?;
        let lists = tried_at.into_iter().zip(answers);
        lists
            .map(|(at, word)| {
                Ok(AttemptRecord {
                    at: instant(at),
                    answer: read_answer(word).ok_or_else(|| damaged("answers"))?,
                })
            })
            .collect()
    }
}

/// The receipts of rows that come receipt by receipt.
pub(super) fn receipts(rows: &[Row]) -> Result<Vec<Receipt>, Failure> {
    let mut receipts: Vec<Receipt> = Vec::new();
    for row in rows.iter().map(Fields) {
        let id = ReceiptId::from_bytes(row.uuid("id")?);
        match receipts.last_mut() {
            Some(last) if last.id == id => last.sessions.push(row.ended()?),
            Some(_) | None => receipts.push(Receipt {
                id,
                at: row.instant("at")?,
                reason: row.parsed("reason", Reason::parse)?,
                platform: row
                    .maybe_text("platform")?
                    .map(|name| PlatformName::new(&name)),
                reach: row.parsed("reach", Reach::parse)?,
                token: row.token()?,
                sessions: vec![row.ended()?],
            }),
        }
    }
    Ok(receipts)
}

pub(super) fn sessions(rows: &[Row]) -> Result<Vec<Session>, Failure> {
    rows.iter().map(|row| Fields(row).session()).collect()
}

pub(super) fn deliveries(rows: &[Row]) -> Result<Vec<Delivery>, Failure> {
    rows.iter().map(|row| Fields(row).delivery()).collect()
}

fn damaged(column: &str) -> Failure {
    log::error!("the column {column} of a row in the session store cannot be read");
    Failure::Unknown
}
