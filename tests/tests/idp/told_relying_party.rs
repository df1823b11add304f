//! Real relying parties that the hub tells of sign-outs.

use std::time::Duration;

use logout_core::ports::Clock as _;
use logout_identity::SystemClock;
use logout_tests::front::{Front, receipt, wait_until};
use logout_tests::http::{Answer, Request};
use logout_tests::oidc_provider::OidcProvider;
use logout_tests::real_relying_party::{Kind, RelyingParty};
use logout_tests::secret_file;
use logout_tests::signing_key::SigningKey;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::visitor::Visitor;
use serde_json::{Value, json};

/// The name of the relying party in receipts.
const WIKI: &str = "wiki";
/// How long a delivery waits for its next attempt.
const RETRY: Duration = Duration::from_millis(20);
/// Lines for a relying party that takes sessions of the provider's names.
const BY_SESSION: &str = "session_required = true\nsubject = \"idp\"";

pub(crate) fn add(run: &mut Run) {
    for kind in Kind::ALL {
        for (name, body) in [
            (
                "a_sign_out_at_a_platform_ends_its_session",
                ends as fn(Kind),
            ),
            ("stopped_it_is_told_once_it_is_back", is_back),
            ("its_session_without_sid_ends_by_sub", by_sub),
            ("a_token_with_sub_alone_is_confirmed", sub_alone),
        ] {
            let name = format!("told_relying_party::{}::{name}", kind.name());
            run.add(&name, kind.needs(), move || body(kind));
        }
    }
}

/// A hub in front of four products, and a relying party with logins at a provider. The provider has
/// the hub's name and key.
struct Scene {
    front: Front,
    provider: OidcProvider,
    party: RelyingParty,
}

impl Scene {
    /// With further lines for the relying party, and with logins that have a `sid` or not.
    fn start(kind: Kind, more: &str, with_sid: bool) -> Self {
        let key = SigningKey::generate();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing.pem");
        secret_file::write(&file, key.pem());
        let mut party = RelyingParty::reserve(kind, with_sid);
        let client = party.client();
        let tables = format!(
            "first_retry = \"{RETRY:?}\"\nlast_retry = \"{RETRY:?}\"\n\
             [logout_tokens]\nsigning_key_files = [{file:?}]\n\
             [[relying_party]]\nclient_id = \"{}\"\nname = \"{WIKI}\"\nbackchannel_logout_uri = \"{}\"\n{more}\n",
            client.id, client.backchannel_logout_uri
        );
        let front = Front::with_tables(StoreKind::Disk, "wait = \"0ms\"", "person", &tables);
        // The others have no other clock than the system's.
        let now = front.hub.services().clock.now();
        front.hub.advance(SystemClock.now().since(now));
        let discovery = Request::get("/.well-known/openid-configuration");
        let discovery = discovery.send(front.hub.address()).json();
        let issuer = discovery["issuer"].as_str().unwrap();
        let provider = OidcProvider::start_as(issuer, &key, std::slice::from_ref(client));
        party.start(&provider);
        Self {
            front,
            provider,
            party,
        }
    }

    /// Logs in at the relying party.
    fn log_in(&self, name: &str) -> (Visitor, Value) {
        let mut visitor = Visitor::default();
        let login = self.party.log_in(&mut visitor, name);
        assert!(self.party.is_open_to(&visitor));
        (visitor, login)
    }

    /// Registers a session at a product that came from the same login.
    fn register(&self, login: &Value) {
        let mut login = login.clone();
        login["iss"] = self.provider.issuer().into();
        if login["sid"] == "" {
            login.as_object_mut().unwrap().remove("sid");
        }
        let registration = json!({ "idp": login });
        self.front.register("assets", "alice", registration);
    }

    /// Signs Alice out, at another product than that of the registered session.
    fn sign_out(&self) -> Answer {
        let login = self.front.login("hcl-dx");
        let answer = login.sign_out().send(self.front.hub.address());
        assert!(!self.front.passes(&login));
        answer
    }

    /// The delivery to the relying party in the receipt of this answer.
    fn delivery(&self, answer: &Answer) -> Value {
        let receipt = receipt(&self.front.hub, answer);
        let sessions = receipt["sessions"].as_array().unwrap().iter();
        let mut told = sessions.filter(|session| session["platform"] == WIKI);
        let session = told.next().unwrap_or_else(|| panic!("{receipt}"));
        assert_eq!(told.next(), None);
        session["delivery"].clone()
    }

    /// Waits until the relying party has confirmed. Time goes on meanwhile.
    fn assert_confirmed(&self, answer: &Answer) {
        wait_until("the relying party confirms", || {
            let delivery = self.delivery(answer);
            let is_pending = delivery["state"] == "pending";
            assert!(is_pending || delivery["state"] == "confirmed", "{delivery}");
            // Nothing but the answer says that the session is over.
            assert!(
                is_pending || delivery["verified"] == "unknown",
                "{delivery}"
            );
            self.front.hub.advance(RETRY);
            !is_pending
        });
    }
}

fn ends(kind: Kind) {
    let scene = Scene::start(kind, BY_SESSION, true);
    let (alice, login) = scene.log_in("alice");
    let (bob, _) = scene.log_in("bob");
    scene.register(&login);
    scene.assert_confirmed(&scene.sign_out());
    assert!(!scene.party.is_open_to(&alice));
    assert!(scene.party.is_open_to(&bob));
}

fn is_back(kind: Kind) {
    let mut scene = Scene::start(kind, BY_SESSION, true);
    let (alice, login) = scene.log_in("alice");
    let (bob, _) = scene.log_in("bob");
    scene.register(&login);
    scene.party.stop();
    let answer = scene.sign_out();
    wait_until("it is tried in vain", || {
        let delivery = scene.delivery(&answer);
        assert_eq!(delivery["state"], "pending", "{delivery}");
        scene.front.hub.advance(RETRY);
        delivery["attempts"].as_u64() > Some(1)
    });
    scene.party.start_again();
    scene.assert_confirmed(&answer);
    assert!(!scene.party.is_open_to(&alice));
    assert!(scene.party.is_open_to(&bob));
}

/// The provider's `sub` is the person's name here, so that nothing has to be registered.
fn by_sub(kind: Kind) {
    let scene = Scene::start(kind, "", false);
    let (alice, login) = scene.log_in("alice@example.com");
    let (bob, _) = scene.log_in("bob@example.com");
    assert_eq!(login["sid"], "");
    scene.assert_confirmed(&scene.sign_out());
    assert!(!scene.party.is_open_to(&alice));
    assert!(scene.party.is_open_to(&bob));
}

/// mod_auth_openidc 2.4.12.3 finds a session that has a `sid` by nothing else, and says success.
fn sub_alone(kind: Kind) {
    let scene = Scene::start(kind, "", true);
    let (alice, login) = scene.log_in("alice@example.com");
    assert_ne!(login["sid"], "");
    scene.assert_confirmed(&scene.sign_out());
    assert_eq!(scene.party.is_open_to(&alice), scene.party.needs_sid());
}
