//! Sessions, and the requests that sign them out, each made from a number alone: nobody has to keep
//! ten million of them.

use std::time::Duration;

use logout_core::credential::Credential;
use logout_core::platform::PlatformName;
use logout_core::session::{Device, Person, Session, SsoSessionId, Subject};
use logout_core::time::Timestamp;

use crate::dialect::{digest, sign_out};
use crate::process::BoxError;
use crate::session_id;

/// The vendors whose credentials a stand-in does not sign, so that they can be made elsewhere.
pub(super) const VENDORS: [&str; 2] = ["hcl-dx", "sitefinity"];

/// Longer than any measurement: none of them expires meanwhile.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn secret(number: u64) -> String {
    format!("{number:044}")
}

/// The request that signs this session out.
pub(super) fn request(vendor: &str, number: u64) -> Result<Vec<u8>, BoxError> {
    Ok(sign_out(vendor, &secret(number))?.1.into_bytes())
}

/// One login by a browser: a subject and a person, a sign-on, one credential, a device.
pub(super) fn session(vendor: &str, epoch: u64, number: u64) -> Result<Session, BoxError> {
    let (platform, secret) = (PlatformName::new("bench"), secret(number));
    let purpose = sign_out(vendor, &secret)?.0;
    let opened = Timestamp::from_millis(epoch + number);
    let (name, expires) = (format!("user{number}"), opened.plus(LIFE));
    let [.., high, middle, low] = number.to_be_bytes();
    Ok(Session {
        id: session_id::of(epoch, number),
        sign_on: Some(SsoSessionId::random()),
        subject: Subject::new("default", &name),
        person: Some(Person::new(format!("{name}@example.com"))),
        account: None,
        client: None,
        administrator: false,
        credentials: vec![Credential {
            digest: digest(vendor, &platform, purpose, &secret)?,
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
            user_agent: Some(
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
            ),
        },
        sealed: None,
        platform,
    })
}
