//! A hub in front of four stand-ins, which play the vendors' products.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::logins;
use logout_tests::stores::StoreKind;
use serde_json::Value;

pub(crate) const VENDORS: [&str; 4] = ["assets", "hcl-dx", "sitefinity", "wix"];

/// What HCL DX says when it has signed somebody out.
pub(crate) const SIGNED_OUT: &str = r#"{"redirectUrl":"/wps/portal","statusCode":200}"#;

/// How long something that happens in the background may take. Where several hubs share a store,
/// nobody takes up what a hub had under way that was killed before its lease of a minute has run
/// out.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The lines that a platform of this vendor needs besides its name.
pub(crate) fn more_keys(vendor: &str) -> String {
    if vendor == "wix" {
        logins::wix_app()
    } else {
        String::new()
    }
}

/// A hub on a store of some kind, in front of a stand-in of each vendor; everybody's sessions end
/// together.
pub(crate) struct Front {
    pub(crate) hub: TestHub,
    pub(crate) stand_ins: BTreeMap<&'static str, TestHub>,
}

impl Front {
    /// With further lines for `[single_logout]`.
    pub(crate) fn start(store: StoreKind, single_logout: &str) -> Self {
        Self::with(store, single_logout, "person")
    }

    /// The same, with this reach at every platform.
    pub(crate) fn with(store: StoreKind, single_logout: &str, reach: &str) -> Self {
        let stand_ins: BTreeMap<_, _> = VENDORS
            .into_iter()
            .map(|vendor| {
                (
                    vendor,
                    TestHub::start(vendor, &[more_keys(vendor)]).unwrap(),
                )
            })
            .collect();
        let tables = stand_ins
            .iter()
            .map(|(vendor, stand_in)| platform(vendor, &stand_in.base(), ""));
        let tables: Vec<String> = tables
            .map(|table| table.replace("reach = \"person\"", &format!("reach = \"{reach}\"")))
            .collect();
        let hub = TestHub::on(
            store,
            &format!("[single_logout]\n{single_logout}\n{}", tables.concat()),
        )
        .unwrap();
        Self { hub, stand_ins }
    }

    /// Logs `alice` in at `vendor`, through the hub.
    pub(crate) fn login(&self, vendor: &'static str) -> Login {
        login(&self.hub, vendor, "alice", Accounts::ALICE)
    }

    /// Whether the product itself still takes the credential.
    pub(crate) fn is_alive(&self, login: &Login) -> bool {
        login.is_alive(&self.stand_ins[login.vendor])
    }
}

/// The table of a platform of `vendor` in front of `upstream`, with further lines.
pub(crate) fn platform(vendor: &str, upstream: &str, more: &str) -> String {
    format!(
        "[[platform]]\nname = \"{vendor}\"\nvendor = \"{vendor}\"\nupstream = \"{upstream}\"\nreach = \"person\"\n\
         person = {{ from = \"subject\", lowercase = true, domain = \"example.com\" }}\n{more}\n{}\n",
        more_keys(vendor)
    )
}

/// A session, and the header that presents it.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) vendor: &'static str,
    pub(crate) header: (&'static str, String),
    /// What proves that a sign-out was not forged, where the vendor asks for that.
    pub(crate) csrf: Option<String>,
}

/// Logs somebody in at `vendor`, at a hub or at the product itself.
pub(crate) fn login(at: &TestHub, vendor: &'static str, name: &str, password: &str) -> Login {
    let with = |header, csrf| Login {
        vendor,
        header,
        csrf,
    };
    match vendor {
        "assets" => {
            let form = [("username", name), ("password", password)];
            let answer = Request::post("/services/login")
                .form(&form)
                .send(at.address());
            let cookie = answer
                .cookie("authToken")
                .unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
            let csrf = answer.json()["csrfToken"].as_str().map(str::to_owned);
            with(("Cookie", format!("authToken={cookie}")), csrf)
        }
        "hcl-dx" => {
            let body = serde_json::json!({ "username": name, "password": password });
            let answer = Request::post("/dx/api/core/v1/auth/login")
                .json(&body)
                .send(at.address());
            let cookie = answer
                .cookie("LtpaToken2")
                .unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
            with(("Cookie", format!("LtpaToken2={cookie}")), None)
        }
        "sitefinity" => {
            let form = [
                ("grant_type", "password"),
                ("username", name),
                ("password", password),
                ("client_id", "c"),
                ("client_secret", "s"),
            ];
            let answer = Request::post("/sitefinity/oauth/token")
                .form(&form)
                .send(at.address());
            let token = logins::text(&answer.json()["access_token"]);
            with(("Authorization", format!("Bearer {token}")), None)
        }
        "wix" => with(
            (
                "Authorization",
                logins::wix_member_of(at, name, password).access,
            ),
            None,
        ),
        other => panic!("{other}"),
    }
}

impl Login {
    /// The vendor's own sign-out call.
    pub(crate) fn sign_out(&self) -> Request {
        let request = match self.vendor {
            "assets" => Request::post("/services/logout"),
            "hcl-dx" => Request::post("/dx/api/core/v1/auth/logout"),
            "sitefinity" => Request::get("/Sitefinity/SignOut?sts_signout=true&redirect=false"),
            _ => Request::get("/_api/iam/authentication/v1/logout"),
        };
        let request = request.header(self.header.0, &self.header.1);
        match &self.csrf {
            Some(token) => request.header("X-CSRF-TOKEN", token),
            None => request,
        }
    }

    /// Whether `at` takes the credential for a live session's.
    pub(crate) fn is_alive(&self, at: &TestHub) -> bool {
        let probe = match self.vendor {
            "assets" => Request::get("/services/profile"),
            "hcl-dx" => Request::post("/dx/api/core/v1/auth/validate"),
            "sitefinity" => Request::get("/api/default/users/current"),
            _ => Request::get("/members/v1/members/my"),
        };
        let answer = probe
            .header(self.header.0, &self.header.1)
            .send(at.address());
        match self.vendor {
            "assets" => answer.json()["username"].is_string(),
            "sitefinity" => {
                answer.status == 200 && answer.json()["value"]["IsAuthenticated"] == true
            }
            _ => answer.status == 200,
        }
    }
}

/// Asks the admin API of `hub`.
pub(crate) fn admin(hub: &TestHub, request: Request) -> Answer {
    request
        .header("Authorization", &format!("Bearer {}", hub.admin_token()))
        .send(hub.admin_address())
}

/// The receipt of this answer.
pub(crate) fn receipt(hub: &TestHub, answer: &Answer) -> Value {
    let id = answer
        .header("logout-receipt")
        .unwrap_or_else(|| panic!("no receipt: {} {}", answer.status, answer.text()));
    let receipt = admin(hub, Request::get(&format!("/api/receipts/{id}")));
    assert_eq!(receipt.status, 200, "{}", receipt.text());
    receipt.json()
}

/// The same, once nothing is pending in it.
pub(crate) fn settled(hub: &TestHub, answer: &Answer) -> Value {
    let mut last = Value::Null;
    wait_until("the receipt is settled", || {
        last = receipt(hub, answer);
        deliveries(&last)
            .iter()
            .all(|delivery| delivery["state"] != "pending")
    });
    last
}

/// The deliveries of a receipt.
pub(crate) fn deliveries(receipt: &Value) -> Vec<Value> {
    let sessions = receipt["sessions"].as_array().expect("sessions");
    sessions
        .iter()
        .map(|session| session["delivery"].clone())
        .filter(|delivery| !delivery.is_null())
        .collect()
}

/// Waits for something that happens in the background.
pub(crate) fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(
            begun.elapsed() < PATIENCE,
            "it never came to pass that {what}"
        );
        std::thread::sleep(LOOK);
    }
}
