//! Revocations of tokens: whose they are, and what ends.

use logout_core::provider::{ClientCredentials, TokenIssuer};

use super::*;

/// Issues tokens for the purpose `session`.
struct AnyClient;

impl TokenIssuer for AnyClient {
    fn token(&self, token: &str, _sessions: &SessionAuthority) -> Vec<PresentedCredential> {
        vec![PresentedCredential::in_header("session", token)]
    }
}

/// The same, to registered clients.
struct Registered;

impl TokenIssuer for Registered {
    fn token(&self, token: &str, sessions: &SessionAuthority) -> Vec<PresentedCredential> {
        AnyClient.token(token, sessions)
    }

    fn client(&self, credentials: Option<&ClientCredentials>) -> Option<ClientId> {
        let named = credentials.filter(|client| ["app", "other"].contains(&&*client.id))?;
        Some(ClientId::new(&named.id))
    }
}

fn revoke(
    authority: &SessionAuthority,
    issuer: &dyn TokenIssuer,
    token: &str,
    client: Option<&str>,
) -> Result<(), Refusal> {
    let client = client.map(|id| ClientCredentials {
        id: id.to_owned(),
        secret: None,
    });
    block_on(authority.revoke_token(issuer, token, client.as_ref()))
}

/// RFC 7009, section 2.1: first the client, then whether the token was issued to it.
#[test]
fn a_token_is_revoked_by_the_client_that_it_was_issued_to() {
    let world = World::new();
    let shop = world.platform("shop", Reach::Session);
    let app = Session {
        client: Some(ClientId::new("app")),
        ..session(&shop, "alice", "of app")
    };
    open(&shop, app);
    open(&shop, session(&shop, "bob", "of nobody"));
    open(&shop, session(&shop, "carol", "of nobody too"));
    for (issuer, client, expected) in [
        (
            &Registered as &dyn TokenIssuer,
            None,
            Refusal::ClientUnknown,
        ),
        (&Registered, Some("unknown"), Refusal::ClientUnknown),
        (&Registered, Some("other"), Refusal::ClientMismatch),
        (&AnyClient, None, Refusal::ClientMismatch),
        (&AnyClient, Some("unknown"), Refusal::ClientMismatch),
    ] {
        assert_eq!(revoke(&shop, issuer, "of app", client), Err(expected));
    }
    assert_eq!(world.alive(), ["shop/alice", "shop/bob", "shop/carol"]);
    for (issuer, token, client) in [
        (&Registered as &dyn TokenIssuer, "of app", Some("app")),
        (&AnyClient, "of nobody", None),
        (&AnyClient, "of nobody too", Some("unknown")),
        // By now the same as one that there never was.
        (&AnyClient, "of app", Some("unknown")),
        (&AnyClient, "never", None),
    ] {
        assert_eq!(revoke(&shop, issuer, token, client), Ok(()), "{token}");
    }
    assert_eq!(world.alive(), [] as [&str; 0]);
}

#[test]
fn a_revocation_reaches_as_far_as_the_platforms_sign_outs_and_asks_for_no_csrf_token() {
    for (reach, left) in [
        (Reach::Session, vec!["dam/alice", "shop/alice", "shop/bob"]),
        (Reach::Subject, vec!["dam/alice", "shop/bob"]),
        (Reach::Person, vec!["shop/bob"]),
    ] {
        let world = World::new();
        let (shop, dam) = (
            world.platform("shop", reach),
            world.platform("dam", Reach::Session),
        );
        let mut revoked = session(&shop, "alice", "a");
        revoked.credentials[0].csrf_due = true;
        open(&shop, revoked);
        open(&shop, session(&shop, "alice", "a2"));
        open(&shop, session(&shop, "bob", "b"));
        open(&dam, session(&dam, "alice", "a"));
        revoke(&shop, &AnyClient, "a", None).unwrap();
        assert_eq!(world.alive(), left);
    }
}
