//! What a sign-out by a credential has to match.

use logout_core::credential::{Credential, SecretDigest};
use logout_core::session::{ClientId, Session};
use logout_core::sign_out::CsrfProof;
use logout_core::store::ByCredential;

/// Beside a credential, and in a request. Where both have a value the two must be equal: the same
/// rule as [`ByCredential::admits`], for stores that only compare.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Conditions<'a> {
    pub(crate) client: Option<&'a str>,
    pub(crate) csrf: Option<&'a [u8]>,
}

impl<'a> Conditions<'a> {
    /// Those of a credential, written down when its session is opened.
    pub(crate) fn of(session: &'a Session, credential: &Credential) -> Self {
        // A proof that is due and was never given out is matched by none.
        let secret = session.csrf.as_ref();
        let secret = secret.map_or(b"none".as_slice(), |digest| digest.as_bytes());
        Self {
            client: session.client.as_ref().map(ClientId::as_str),
            csrf: credential.csrf_due.then_some(secret),
        }
    }

    pub(crate) fn presented(by: &'a ByCredential) -> Self {
        Self {
            client: by.client.as_ref().map(ClientId::as_str),
            csrf: match &by.csrf {
                CsrfProof::NotNeeded => None,
                CsrfProof::Presented(None) => Some(b"absent"),
                CsrfProof::Presented(Some(token)) => Some(SecretDigest::as_bytes(token)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use logout_core::receipt::Reach;

    use super::*;
    use crate::record::tests::session;

    fn holds<T: PartialEq>(kept: Option<T>, presented: Option<T>) -> bool {
        kept.is_none() || presented.is_none() || kept == presented
    }

    #[test]
    fn conditions_admit_what_the_contract_admits() {
        let clients = [None, Some("app"), Some("other")].map(|name| name.map(ClientId::new));
        let token = |number| Some(SecretDigest::from_bytes([number; 32]));
        let proofs = [
            CsrfProof::NotNeeded,
            CsrfProof::Presented(None),
            CsrfProof::Presented(token(1)),
            CsrfProof::Presented(token(2)),
        ];
        let mut cases = Vec::new();
        for kept in &clients {
            for named in &clients {
                for csrf in [None, token(1)] {
                    for csrf_due in [false, true] {
                        let proofs = proofs.iter();
                        cases.extend(proofs.map(|proof| (kept, named, csrf, csrf_due, proof)));
                    }
                }
            }
        }
        for (kept, named, csrf, csrf_due, proof) in cases {
            let session = Session {
                client: kept.clone(),
                csrf,
                ..session()
            };
            let known = Credential {
                csrf_due,
                ..session.credentials[0].clone()
            };
            let by = ByCredential {
                digest: known.digest,
                client: named.clone(),
                csrf: *proof,
                reach: Reach::Session,
            };
            let (kept, given) = (Conditions::of(&session, &known), Conditions::presented(&by));
            assert_eq!(
                holds(kept.client, given.client) && holds(kept.csrf, given.csrf),
                by.admits(kept.client, csrf.as_ref(), csrf_due),
                "{by:?} {kept:?}"
            );
        }
    }
}
