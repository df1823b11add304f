//! Real relying parties, and what each makes of logout tokens that a test signs: facts on which a
//! sender has to build.

use logout_core::credential::random_bytes;
use logout_core::ports::Clock as _;
use logout_identity::SystemClock;
use logout_tests::idp::EVENT;
use logout_tests::oidc_provider::OidcProvider;
use logout_tests::real_relying_party::{Kind, RelyingParty};
use logout_tests::signing_key::SigningKey;
use logout_tests::skip::Run;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use logout_tests::visitor::Visitor;
use serde_json::{Value, json};

use crate::scene::with;

pub(crate) fn add(run: &mut Run) {
    for kind in Kind::ALL {
        for (name, body) in [
            ("a_token_with_sid_ends_its_session", with_sid as fn(Kind)),
            ("a_token_with_sub_alone", sub_alone),
            ("a_login_without_sid", login_without_sid),
            ("a_bad_token_is_400_and_ends_nothing", bad_tokens),
            ("a_session_outlives_a_restart", restarted),
        ] {
            let name = format!("real_relying_party::{}::{name}", kind.name());
            run.add(&name, kind.needs(), move || body(kind));
        }
    }
}

/// An issuer that publishes its name and its key, a provider with the same key, and a relying
/// party.
struct Scene {
    issuer: ScriptedUpstream,
    key: SigningKey,
    party: RelyingParty,
    _provider: OidcProvider,
}

impl Scene {
    fn start(kind: Kind, with_sid: bool) -> Self {
        let key = SigningKey::generate();
        let issuer = ScriptedUpstream::start([], Behaviour::Slam);
        let name = issuer.base();
        let both = json!({
            "issuer": name,
            "jwks_uri": format!("{name}/.well-known/jwks.json"),
            "keys": [key.jwk()],
        });
        let headers = "content-type: application/json\r\n";
        issuer.now(Behaviour::answer("200 OK", headers, &both.to_string()));
        let mut party = RelyingParty::reserve(kind, with_sid);
        let provider = OidcProvider::start_as(&name, &key, &[party.client().clone()]);
        party.start(&provider);
        Self {
            issuer,
            key,
            party,
            _provider: provider,
        }
    }

    fn log_in(&self, name: &str) -> (Visitor, Value) {
        let mut visitor = Visitor::default();
        let login = self.party.log_in(&mut visitor, name);
        assert!(self.party.is_open_to(&visitor));
        assert_eq!(login["sub"], name);
        (visitor, login)
    }

    /// Claims of a valid token that names these.
    fn claims(&self, names: &Value) -> Value {
        let now = SystemClock.now().as_secs();
        let mut claims = json!({
            "iss": self.issuer.base(),
            "aud": self.party.client().id,
            "iat": now,
            "exp": now + 120,
            "jti": u128::from_be_bytes(random_bytes()).to_string(),
            "events": { EVENT: {} },
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(names.as_object().unwrap().clone());
        claims
    }

    /// What it answers to a valid token that names these.
    fn tell(&self, names: &Value) -> u16 {
        self.send(&self.claims(names))
    }

    fn send(&self, claims: &Value) -> u16 {
        let answer = self.party.send_token(&self.key.logout_token(claims));
        assert!(
            answer
                .header("cache-control")
                .is_some_and(|value| value.contains("no-store")),
            "{answer:?}"
        );
        answer.status
    }
}

/// The status of a success: 200, or the 204 that some frameworks make of it (Back-Channel Logout
/// 1.0, section 2.8).
fn success(kind: Kind) -> u16 {
    match kind {
        Kind::ExpressOpenidConnect => 204,
        Kind::ModAuthOpenidc => 200,
    }
}

fn with_sid(kind: Kind) {
    let scene = Scene::start(kind, true);
    let (alice, login) = scene.log_in("alice");
    let (elsewhere, other) = scene.log_in("alice");
    let (bob, _) = scene.log_in("bob");
    assert_ne!(login["sid"], other["sid"]);
    let unknown = json!({ "sub": "nobody", "sid": "unknown" });
    assert_eq!(scene.tell(&unknown), success(kind));
    for visitor in [&alice, &elsewhere, &bob] {
        assert!(scene.party.is_open_to(visitor));
    }
    assert_eq!(scene.tell(&login), success(kind));
    assert!(!scene.party.is_open_to(&alice));
    // One of the two takes note of `sub` besides `sid`, and refuses the sessions of both.
    let ends_all = kind == Kind::ExpressOpenidConnect;
    assert_eq!(scene.party.is_open_to(&elsewhere), !ends_all);
    assert!(scene.party.is_open_to(&bob));
}

fn sub_alone(kind: Kind) {
    let scene = Scene::start(kind, true);
    let (alice, login) = scene.log_in("alice");
    assert_eq!(scene.tell(&json!({ "sub": login["sub"] })), success(kind));
    // Where this holds, the success was none.
    assert_eq!(scene.party.is_open_to(&alice), scene.party.needs_sid());
}

/// mod_auth_openidc 2.4.12.3 knows such a session by its `sub`, and only the latest of each.
fn login_without_sid(kind: Kind) {
    let scene = Scene::start(kind, false);
    let (earlier, login) = scene.log_in("alice");
    let (latest, _) = scene.log_in("alice");
    let (bob, _) = scene.log_in("bob");
    assert_eq!(login["sid"], "");
    assert_eq!(scene.tell(&json!({ "sub": login["sub"] })), success(kind));
    assert_eq!(scene.party.is_open_to(&earlier), scene.party.needs_sid());
    assert!(!scene.party.is_open_to(&latest));
    assert!(scene.party.is_open_to(&bob));
}

fn bad_tokens(kind: Kind) {
    let scene = Scene::start(kind, true);
    let (alice, login) = scene.log_in("alice");
    let claims = scene.claims(&login);
    let now = claims["iat"].as_i64().unwrap();
    for bad in [
        with(&claims, "iss", json!("http://127.0.0.1:1")),
        with(&claims, "aud", json!("another")),
        with(&claims, "exp", json!(now - 600)),
        with(&claims, "nonce", json!("n")),
        with(&claims, "events", json!({})),
    ] {
        assert_eq!(scene.send(&bad), 400, "{bad}");
    }
    let forged = SigningKey::generate().logout_token(&claims);
    assert_eq!(scene.party.send_token(&forged).status, 400);
    assert!(scene.party.is_open_to(&alice));
}

fn restarted(kind: Kind) {
    let mut scene = Scene::start(kind, true);
    let (alice, login) = scene.log_in("alice");
    scene.party.stop();
    scene.party.start_again();
    assert!(scene.party.is_open_to(&alice));
    assert_eq!(scene.tell(&login), success(kind));
    assert!(!scene.party.is_open_to(&alice));
}
