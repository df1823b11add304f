//! A provider, and a hub in front of a portal that nobody has started.

use std::net::TcpListener;

use logout_core::time::Timestamp;
use logout_tests::front::{admin, passes};
use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::idp::{TestIdp, send_token};
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

/// The name of the provider in the configuration.
pub(crate) const OP: &str = "op";

/// A hub whose sessions are those of one portal, each known by a cookie, and a provider of theirs.
pub(crate) struct Scene {
    pub(crate) hub: TestHub,
    pub(crate) idp: TestIdp,
}

/// The table of a portal in front of an address that nobody listens at.
pub(crate) fn portal(more: &str) -> String {
    // Taken for a moment, so that the number is nobody else's.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = nobody.local_addr().unwrap();
    format!(
        "[[platform]]\nname = \"portal\"\nvendor = \"hcl-dx\"\nupstream = \"http://{nobody}\"\n\
         {more}\n"
    )
}

/// The body that registers a session at the portal by its cookie, with further members.
pub(crate) fn registration(cookie: &str, more: &Value) -> Value {
    let mut body =
        json!({ "platform": "portal", "subject": "alice", "cookies": { "LtpaToken2": cookie } });
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    body
}

impl Scene {
    /// A sign-out reaches one session.
    pub(crate) fn start(store: StoreKind) -> Self {
        Self::with(store, "", "reach = \"session\"")
    }

    /// With further lines for the provider and for the portal.
    pub(crate) fn with(store: StoreKind, idp: &str, platform: &str) -> Self {
        Self::of(store, TestIdp::start(), |provider| {
            format!("{}{}", provider.table(OP, idp), portal(platform))
        })
    }

    /// With these tables.
    pub(crate) fn of(
        store: StoreKind,
        idp: TestIdp,
        tables: impl FnOnce(&TestIdp) -> String,
    ) -> Self {
        let tables = format!("[single_logout]\nwait = \"0ms\"\n{}", tables(&idp));
        let hub = TestHub::on(store, &tables).unwrap();
        Self { hub, idp }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.hub.services().clock.now()
    }

    /// Registers a session with this cookie, and with these further members.
    pub(crate) fn register(&self, cookie: &str, more: &Value) -> Value {
        let body = registration(cookie, more);
        let answer = admin(&self.hub, Request::post("/api/sessions").json(&body));
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// Registers a session that came from this login at the provider.
    pub(crate) fn register_login(&self, cookie: &str, names: &Value) -> Value {
        let mut login = names.clone();
        login["iss"] = self.idp.issuer().into();
        self.register(cookie, &json!({ "idp": login }))
    }

    /// Opens a session of its own for a row of a table, and gives its cookie and the names of its
    /// login.
    pub(crate) fn open(&self, row: usize) -> (String, Value) {
        let (cookie, names) = (
            format!("cookie-{row}"),
            json!({ "sub": "alice", "sid": format!("sid {row}") }),
        );
        self.register_login(&cookie, &names);
        (cookie, names)
    }

    pub(crate) fn is_alive(&self, cookie: &str) -> bool {
        passes(
            &self.hub,
            "portal",
            "Cookie",
            &format!("LtpaToken2={cookie}"),
        )
    }

    /// Which of these are alive.
    pub(crate) fn alive<'a>(&self, cookies: &[&'a str]) -> Vec<&'a str> {
        let alive = cookies.iter().filter(|cookie| self.is_alive(cookie));
        alive.copied().collect()
    }

    /// A valid token that names these, issued now.
    pub(crate) fn token(&self, names: &Value) -> String {
        self.idp.token(self.now(), names)
    }

    pub(crate) fn send(&self, token: &str) -> Answer {
        send_token(self.hub.address(), OP, token)
    }

    /// Sends a valid token that names these, which is taken.
    pub(crate) fn sign_out(&self, names: &Value) {
        let answer = self.send(&self.token(names));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The receipts that tokens of providers have left, the latest first.
    pub(crate) fn receipts(&self) -> Vec<Value> {
        receipts(&self.hub)
    }
}

/// The receipts that tokens of providers have left, the latest first.
pub(crate) fn receipts(hub: &TestHub) -> Vec<Value> {
    let receipts = admin(hub, Request::get("/api/receipts?limit=1000")).json();
    let receipts = receipts["receipts"].as_array().unwrap().clone();
    let of_token = |receipt: &Value| receipt["reason"] == "identity-provider";
    assert!(
        receipts
            .iter()
            .all(|receipt| of_token(receipt) != receipt["token"].is_null())
    );
    receipts.into_iter().filter(of_token).collect()
}

/// These claims, or this header, with another member.
pub(crate) fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

/// The same without a member that is there.
pub(crate) fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}
