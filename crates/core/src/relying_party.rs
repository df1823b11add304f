//! Relying parties: applications that are told when somebody is signed out everywhere.
//!
//! A store knows nothing of them. A sign-out that concerns one opens a session there first, and
//! then ends that session in the same step as the others. So the receipt lists it, and the outbox
//! holds its delivery, as those of a product.

use std::time::Duration;

use crate::canonical::CanonicalForm;
use crate::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use crate::platform_name::PlatformName;
use crate::session::{Device, Person, Session, SessionId, Subject};
use crate::time::Timestamp;

/// How long a session of a relying party lives whose sign-out fails before its end: until then the
/// next sign-out of the person takes it along.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the credential of such a session is for. Nothing presents it.
const PURPOSE: &str = "sign-out";

/// An application that is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelyingParty {
    /// Its name in receipts, deliveries and metrics; no platform has the same.
    pub name: PlatformName,
    /// The name that it knows a person by.
    pub knows: KnownName,
    /// Whether it takes only sign-outs that name a session (`sid`).
    pub session_required: bool,
    /// Whether the hub tells it, with a delivery; otherwise a browser is sent there at best.
    pub is_told: bool,
}

/// The name that a relying party knows a person by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KnownName {
    /// The person's name across platforms.
    #[default]
    Person,
    /// The `sub` of the login at the identity provider.
    Login,
}

impl RelyingParty {
    /// The subject that is signed out there when `session` ends: the name is the `sub`, the realm
    /// the `sid`, which is empty where all sessions of the `sub` are meant. `sid` is the one that
    /// is signed out; without, all sessions of the `sub` are. `None` where it does not know
    /// `session` by anything.
    pub(crate) fn subject(&self, session: &Session, sid: Option<&str>) -> Option<Subject> {
        let login = session.idp.as_ref();
        let name = match self.knows {
            KnownName::Person => session.person.as_ref().map(Person::as_str),
            KnownName::Login => login.and_then(|login| login.subject()),
        };
        let sid = if sid.is_none() && !self.session_required {
            Some("")
        } else {
            login.and_then(|login| login.session()).or(sid)
        };
        Some(Subject::new(sid?, name?))
    }

    /// The session of `subject` there that ends with `others`, which belong to `person`. It has the
    /// same id and the same credential for the same `others` on the same day, so that several
    /// sign-outs that find the same sessions make one delivery. A later one makes another, since
    /// `others` may outlive a session that a failed sign-out has left there.
    pub(crate) fn session(
        &self,
        subject: Subject,
        person: Option<Person>,
        others: &[&Session],
        at: Timestamp,
    ) -> Session {
        let mut ids: Vec<String> = others.iter().map(|other| other.id.to_string()).collect();
        ids.sort_unstable();
        let named = [&*subject.realm, &*subject.name].map(|text| format!("{}:{text}", text.len()));
        let day = at.as_secs() / LIFE.as_secs();
        let text = format!("{} {day} {}", named.concat(), ids.join(" "));
        let opened = others.iter().map(|other| other.opened).max();
        let expires = at.plus(LIFE);
        let credential = Credential {
            digest: CredentialDigest::of(&self.name, PURPOSE, &CanonicalForm::of_text(&text)),
            expires,
            csrf_due: false,
        };
        Session {
            id: SessionId::derived(
                opened.unwrap_or(at),
                &SecretDigest::of(&format!("{} {text}", self.name)),
            ),
            platform: self.name.clone(),
            sign_on: None,
            subject,
            person,
            account: None,
            client: None,
            administrator: false,
            credentials: vec![credential],
            csrf: None,
            opened: at,
            seen: at,
            idle_timeout: None,
            expires,
            device: Device::default(),
            sealed: self.is_told.then_some(Sealed::Nothing),
            idp: None,
        }
    }
}
