//! A real provider: sign-outs at the pages of npm's oidc-provider.

use logout_core::ports::Clock as _;
use logout_identity::SystemClock;
use logout_tests::front::{Front, Login, VENDORS, wait_until};
use logout_tests::oidc_provider::{Client, OidcProvider, REDIRECT_URI, Visitor, claims};
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::scene::receipts;

/// What stands in the configuration until the provider's address is known.
pub(crate) const ISSUER: &str = "http://127.0.0.1:1";
/// The hub's own client.
pub(crate) const HUB: &str = "hub";

pub(crate) fn add(run: &mut Run) {
    run.on_every_store(
        "real_provider::from_its_page_to_four_dead_credentials_at_four_products",
        &[Need::Node],
        one_client,
    );
    for (name, body) in [
        (
            "real_provider::each_product_may_be_a_client_of_its_own",
            own_clients as fn(),
        ),
        (
            "real_provider::without_a_sid_a_sign_out_ends_the_person_s_sessions_of_all_browsers",
            without_sid,
        ),
        (
            "real_provider::restarted_with_another_key_its_first_token_is_taken",
            restarted,
        ),
    ] {
        run.test(name, &[Need::Node], body);
    }
}

/// The provider and a hub, which knows it by each of these clients.
fn start(store: StoreKind, clients: &[&str], with_sid: bool) -> (Front, OidcProvider, Vec<Client>) {
    let tables: String = clients
        .iter()
        .map(|client| {
            format!(
                "[[idp]]\nname = \"{client}\"\nissuer = \"{ISSUER}\"\nclient_id = \"{client}\"\n\
                 jwks_uri = \"{ISSUER}/jwks\"\n"
            )
        })
        .collect();
    let mut front = Front::with_tables(store, "wait = \"0ms\"", "session", &tables);
    let clients: Vec<Client> = clients
        .iter()
        .map(|client| Client {
            id: (*client).to_owned(),
            redirect_uri: REDIRECT_URI.to_owned(),
            backchannel_logout_uri: format!("{}/idp/{client}/backchannel-logout", front.hub.base()),
            with_sid,
            post_logout_redirect_uris: Vec::new(),
        })
        .collect();
    let provider = OidcProvider::start(&clients);
    front.hub.reconfigure(ISSUER, provider.issuer());
    front.hub.restart().unwrap();
    set_clock(&front);
    (front, provider, clients)
}

/// The provider has no other clock than the system's.
pub(crate) fn set_clock(front: &Front) {
    let now = front.hub.services().clock.now();
    front.hub.advance(SystemClock.now().since(now));
}

/// Registers a session that came from the login with this ID token.
fn register(front: &Front, vendor: &'static str, id_token: &Value) -> Login {
    register_with(front, vendor, id_token, json!({}))
}

/// The same with further members.
pub(crate) fn register_with(
    front: &Front,
    vendor: &'static str,
    id_token: &Value,
    mut more: Value,
) -> Login {
    let login = json!({ "iss": id_token["iss"], "sub": id_token["sub"], "sid": id_token["sid"] });
    let name = id_token["sub"].as_str().unwrap();
    more["idp"] = login;
    let login = front.register(vendor, name, more);
    assert!(front.is_alive(&login) && front.passes(&login), "{vendor}");
    login
}

pub(crate) fn assert_dead(front: &Front, login: &Login) {
    assert!(!front.passes(login), "{}", login.vendor);
    wait_until("the product is told", || !front.is_alive(login));
}

/// The claims of the token that the provider has sent, and that it takes the answer for a success.
pub(crate) fn sent(provider: &OidcProvider) -> Value {
    let sent = provider.says();
    let token = sent["sent"].as_str().unwrap_or_else(|| panic!("{sent}"));
    let told = provider.says();
    assert!(told["accepted"].is_string(), "{told}");
    claims(token)
}

fn one_client(store: StoreKind) {
    let (front, provider, _) = start(store, &[HUB], true);
    let (mut alice, mut elsewhere, mut bob) = (
        Visitor::of(&provider),
        Visitor::of(&provider),
        Visitor::of(&provider),
    );
    let login = alice.log_in(HUB, "alice");
    let sessions = VENDORS.map(|vendor| register(&front, vendor, &login));
    let other = register(&front, "assets", &elsewhere.log_in(HUB, "alice"));
    let bobs = register(&front, "assets", &bob.log_in(HUB, "bob"));
    alice.sign_out();
    let token = sent(&provider);
    assert_eq!(
        (&token["sub"], &token["sid"]),
        (&login["sub"], &login["sid"])
    );
    for session in &sessions {
        assert_dead(&front, session);
    }
    for session in [&other, &bobs] {
        assert!(front.passes(session) && front.is_alive(session));
    }
    let receipts = receipts(&front.hub);
    assert_eq!(receipts.len(), 1);
    let named = json!({ "iss": provider.issuer(), "jti": token["jti"] });
    assert_eq!(receipts[0]["token"], named);
    let ended = receipts[0]["sessions"].as_array().unwrap();
    assert_eq!(ended.len(), 4, "{ended:?}");
}

/// Each has a `sid` of its own there for the same login.
fn own_clients() {
    let (front, provider, _) = start(StoreKind::Disk, &VENDORS, true);
    let (mut alice, mut elsewhere) = (Visitor::of(&provider), Visitor::of(&provider));
    let logins = VENDORS.map(|vendor| (vendor, alice.log_in(vendor, "alice")));
    assert_ne!(logins[0].1["sid"], logins[1].1["sid"]);
    let sessions = logins.map(|(vendor, login)| register(&front, vendor, &login));
    let others = VENDORS.map(|vendor| register(&front, vendor, &elsewhere.log_in(vendor, "alice")));
    alice.sign_out();
    for session in &sessions {
        assert_dead(&front, session);
    }
    for session in &others {
        assert!(front.passes(session) && front.is_alive(session));
    }
    assert_eq!(receipts(&front.hub).len(), 4);
}

fn without_sid() {
    let (front, provider, _) = start(StoreKind::Disk, &[HUB], false);
    let (mut alice, mut elsewhere, mut bob) = (
        Visitor::of(&provider),
        Visitor::of(&provider),
        Visitor::of(&provider),
    );
    let session = register(&front, "wix", &alice.log_in(HUB, "alice"));
    let other = register(&front, "hcl-dx", &elsewhere.log_in(HUB, "alice"));
    let bobs = register(&front, "hcl-dx", &bob.log_in(HUB, "bob"));
    alice.sign_out();
    let token = sent(&provider);
    assert_eq!(
        (&token["sub"], &token["sid"]),
        (&json!("alice"), &Value::Null)
    );
    assert_dead(&front, &session);
    assert_dead(&front, &other);
    assert!(front.passes(&bobs) && front.is_alive(&bobs));
}

fn restarted() {
    let (front, provider, clients) = start(StoreKind::Disk, &[HUB], true);
    let mut alice = Visitor::of(&provider);
    let session = register(&front, "assets", &alice.log_in(HUB, "alice"));
    alice.sign_out();
    sent(&provider);
    assert_dead(&front, &session);
    let provider = provider.restart(&clients);
    let mut alice = Visitor::of(&provider);
    let session = register(&front, "assets", &alice.log_in(HUB, "alice"));
    alice.sign_out();
    sent(&provider);
    assert_dead(&front, &session);
}
