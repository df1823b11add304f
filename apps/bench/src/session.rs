//! Sessions that are made from a number alone, so that ten million of them need no memory here.

use std::time::Duration;

use logout_core::credential::Credential;
use logout_core::platform::PlatformName;
use logout_core::ports::Tokens;
use logout_core::session::{ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject};
use logout_core::time::Timestamp;

use crate::dialect::{CLIENT, digest, sign_out, stand_in_secret};
use crate::process::BoxError;

/// The name of the platform.
pub(crate) const PLATFORM: &str = "bench";

/// Longer than any measurement.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// An odd multiplier, so that no two numbers meet.
const SCATTER: u64 = 2_654_435_761;

/// The sessions of one vendor's stand-in, one opened every millisecond since `epoch`.
pub(crate) struct Sessions<'a> {
    pub(crate) vendor: &'a str,
    /// In milliseconds since the Unix epoch.
    pub(crate) epoch: u64,
    pub(crate) tokens: &'a dyn Tokens,
}

impl Sessions<'_> {
    fn secret(&self, number: u64) -> Result<String, BoxError> {
        let opened = Timestamp::from_millis(self.epoch + number);
        let life = (opened, opened.plus(LIFE));
        stand_in_secret(
            self.tokens,
            self.vendor,
            &PlatformName::new(PLATFORM),
            number,
            life,
        )
    }

    /// The request that signs this session out.
    pub(crate) fn request(&self, number: u64) -> Result<String, BoxError> {
        Ok(sign_out(self.vendor, &self.secret(number)?)?.1)
    }

    /// A login by a browser, with a sign-on and a client where the vendor has them.
    pub(crate) fn session(&self, number: u64) -> Result<Session, BoxError> {
        let opened = Timestamp::from_millis(self.epoch + number);
        let platform = PlatformName::new(PLATFORM);
        let life = (opened, opened.plus(LIFE));
        let login = login(self.vendor, platform, number, &self.secret(number)?, life)?;
        Ok(Session {
            id: id(self.epoch, number),
            sign_on: (self.vendor == "sitefinity").then(SsoSessionId::random),
            client: (self.vendor == "wix").then(|| ClientId::new(CLIENT)),
            ..login
        })
    }
}

/// The person of this number, logged in with one credential, a subject and a device.
pub(crate) fn login(
    vendor: &str,
    platform: PlatformName,
    number: u64,
    secret: &str,
    (opened, expires): (Timestamp, Timestamp),
) -> Result<Session, BoxError> {
    let (name, purpose) = (format!("user{number}"), sign_out(vendor, secret)?.0);
    let [.., high, middle, low] = number.to_be_bytes();
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    Ok(Session {
        id: SessionId::at(opened),
        sign_on: None,
        subject: Subject::new("default", &name),
        person: Some(Person::new(format!("{name}@example.com"))),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![Credential {
            digest: digest(vendor, &platform, purpose, secret)?,
            expires,
            csrf_due: false,
        }],
        csrf: None,
        opened,
        seen: opened,
        idle_timeout: Some(LIFE),
        expires,
        device: Device {
            address: Some([10, high, middle, low].into()),
            user_agent: Some(agent.to_owned()),
        },
        sealed: None,
        platform,
        idp: None,
    })
}

/// A UUID of version 7 for the session of this number, whose last 48 bits look random.
fn id(epoch: u64, number: u64) -> SessionId {
    let time = (epoch + number).to_be_bytes();
    let tail = (number.wrapping_mul(SCATTER) % (1 << 48)).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&time[2..]);
    (bytes[6], bytes[8]) = (0x70, 0x80);
    bytes[10..].copy_from_slice(&tail[2..]);
    SessionId::from_bytes(bytes)
}

/// The number of a session that [`Sessions`] has made.
pub(crate) fn number(epoch: u64, session: SessionId) -> Option<u64> {
    let mut time = [0; 8];
    time[2..].copy_from_slice(&session.as_bytes()[..6]);
    let number = u64::from_be_bytes(time).checked_sub(epoch)?;
    (id(epoch, number) == session).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: u64 = 1_764_000_000_000;

    #[test]
    fn ids_are_in_the_order_of_numbers_and_say_them() {
        let ids: Vec<SessionId> = (0..1_000).map(|number| id(EPOCH, number)).collect();
        assert!(ids.is_sorted());
        assert!(
            ids.iter()
                .zip(0..)
                .all(|(id, number)| super::number(EPOCH, *id) == Some(number))
        );
        assert_eq!(
            id(EPOCH, 1).to_string(),
            "019ab697-e801-7000-8000-00009e3779b1"
        );
    }

    #[test]
    fn the_id_of_another_session_has_no_number() {
        assert_eq!(number(EPOCH, SessionId::from_bytes([7; 16])), None);
        assert_eq!(number(EPOCH + 1, id(EPOCH, 0)), None);
    }
}
