//! A hub in front of four stand-ins, which play the vendors' products.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::http::{Answer, Request};
use crate::hub::{Accounts, TestHub};
use crate::logins;
use crate::stores::StoreKind;
use serde_json::{Value, json};

/// The vendors, by the names of their adapters.
pub const VENDORS: [&str; 4] = ["assets", "hcl-dx", "sitefinity", "wix"];

/// What HCL DX says when it has signed somebody out.
pub const SIGNED_OUT: &str = r#"{"redirectUrl":"/wps/portal","statusCode":200}"#;

/// How long something that happens in the background may take. Where several hubs share a store,
/// nobody takes up what a hub had under way that was killed before its lease of a minute has run
/// out.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The lines that a platform of this vendor needs besides its name.
pub fn more_keys(vendor: &str) -> String {
    if vendor == "wix" {
        logins::wix_app()
    } else {
        String::new()
    }
}

/// A hub on a store of some kind, in front of a stand-in of each vendor; everybody's sessions end
/// together.
#[derive(Debug)]
pub struct Front {
    /// The hub.
    pub hub: TestHub,
    /// The products, by vendor.
    pub stand_ins: BTreeMap<&'static str, TestHub>,
}

impl Front {
    /// With further lines for `[single_logout]`.
    ///
    /// # Panics
    /// When a hub does not start.
    pub fn start(store: StoreKind, single_logout: &str) -> Self {
        Self::with(store, single_logout, "person")
    }

    /// The same, with this reach at every platform.
    ///
    /// # Panics
    /// When a hub does not start.
    pub fn with(store: StoreKind, single_logout: &str, reach: &str) -> Self {
        Self::with_tables(store, single_logout, reach, "")
    }

    /// The same, with further tables.
    ///
    /// # Panics
    /// When a hub does not start.
    pub fn with_tables(store: StoreKind, single_logout: &str, reach: &str, more: &str) -> Self {
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
            &format!(
                "[single_logout]\n{single_logout}\n{more}{}",
                tables.concat()
            ),
        )
        .unwrap();
        Self { hub, stand_ins }
    }

    /// Logs `alice` in at `vendor`, through the hub.
    pub fn login(&self, vendor: &'static str) -> Login {
        login(&self.hub, vendor, "alice", Accounts::ALICE)
    }

    /// Logs somebody in at the product of `vendor` itself, of which the hub learns by a
    /// registration with these further members.
    ///
    /// # Panics
    /// When either does not take it.
    pub fn register(&self, vendor: &'static str, name: &str, more: Value) -> Login {
        let password = match name {
            "bob" => Accounts::BOB,
            _ => Accounts::ALICE,
        };
        let own = login(&self.stand_ins[vendor], vendor, name, password);
        let mut registration = own.registration(name);
        let members = registration.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("members").clone());
        let request = Request::post("/api/sessions").json(&registration);
        let answer = admin(&self.hub, request);
        assert_eq!(answer.status, 201, "{}", answer.text());
        own
    }

    /// Whether the product itself still takes the credential.
    pub fn is_alive(&self, login: &Login) -> bool {
        login.is_alive(&self.stand_ins[login.vendor])
    }

    /// Whether a proxy that asks the hub lets the credential pass.
    pub fn passes(&self, login: &Login) -> bool {
        passes(&self.hub, login.vendor, login.header.0, &login.header.1)
    }
}

/// The table of a platform of `vendor` in front of `upstream`, with further lines.
pub fn platform(vendor: &str, upstream: &str, more: &str) -> String {
    format!(
        "[[platform]]\nname = \"{vendor}\"\nvendor = \"{vendor}\"\nupstream = \"{upstream}\"\nreach = \"person\"\n\
         person = {{ from = \"subject\", lowercase = true, domain = \"example.com\" }}\n{more}\n{}\n",
        more_keys(vendor)
    )
}

/// A session, and the header that presents it.
#[derive(Clone, Debug)]
pub struct Login {
    /// The vendor at whose product it is.
    pub vendor: &'static str,
    /// Name and value of that header.
    pub header: (&'static str, String),
    /// What proves that a sign-out was not forged, where the vendor asks for that.
    pub csrf: Option<String>,
}

/// Logs somebody in at `vendor`, at a hub or at the product itself.
pub fn login(at: &TestHub, vendor: &'static str, name: &str, password: &str) -> Login {
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
    /// The body that registers it at a hub, as a session of `subject`.
    ///
    /// # Panics
    /// When its header is none that a product takes.
    pub fn registration(&self, subject: &str) -> Value {
        let mut body = json!({ "platform": self.vendor, "subject": subject });
        let (name, value) = &self.header;
        match value.split_once('=').filter(|_| *name == "Cookie") {
            Some((cookie, value)) => body["cookies"] = json!({ cookie: value }),
            None => body["bearer"] = value.trim_start_matches("Bearer ").into(),
        }
        if let Some(csrf) = &self.csrf {
            body["csrf"] = csrf.as_str().into();
        }
        body
    }

    /// The vendor's own sign-out call.
    pub fn sign_out(&self) -> Request {
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
    pub fn is_alive(&self, at: &TestHub) -> bool {
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

/// Whether a proxy in front of `platform` that asks `hub` lets this header pass.
///
/// # Panics
/// When the answer says neither.
pub fn passes(hub: &TestHub, platform: &str, name: &str, value: &str) -> bool {
    let answer = Request::get(&format!("/check/{platform}"))
        .header(name, value)
        .header("Logout-Check-Token", &hub.admin_token())
        .send(hub.admin_address());
    match answer.status {
        204 => true,
        401 => false,
        status => panic!("{status} {}", answer.text()),
    }
}

/// Asks the admin API of `hub`.
pub fn admin(hub: &TestHub, request: Request) -> Answer {
    request
        .header("Authorization", &format!("Bearer {}", hub.admin_token()))
        .send(hub.admin_address())
}

/// The receipt of this answer.
pub fn receipt(hub: &TestHub, answer: &Answer) -> Value {
    let id = answer
        .header("logout-receipt")
        .unwrap_or_else(|| panic!("no receipt: {} {}", answer.status, answer.text()));
    let receipt = admin(hub, Request::get(&format!("/api/receipts/{id}")));
    assert_eq!(receipt.status, 200, "{}", receipt.text());
    receipt.json()
}

/// The same, once nothing is pending in it.
pub fn settled(hub: &TestHub, answer: &Answer) -> Value {
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
pub fn deliveries(receipt: &Value) -> Vec<Value> {
    let sessions = receipt["sessions"].as_array().expect("sessions");
    sessions
        .iter()
        .map(|session| session["delivery"].clone())
        .filter(|delivery| !delivery.is_null())
        .collect()
}

/// Waits for something that happens in the background.
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(
            begun.elapsed() < PATIENCE,
            "it never came to pass that {what}"
        );
        std::thread::sleep(LOOK);
    }
}
