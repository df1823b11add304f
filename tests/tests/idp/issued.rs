//! The tokens that stand-ins issue, and every route that takes one.

use logout_tests::front::{self, more_keys, passes};
use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::logins::{WIX_APP, text, wix_app, wix_member_of};
use serde_json::{Value, json};

/// Another app of the Wix stand-in.
pub(crate) const OTHER_APP: &str = "aaaaaaaa-1234-1234-1234-123456789012";

/// The client that programs log in to Assets as.
pub(crate) const PROGRAM: &str = "a program/1+2";

/// One stand-in of every vendor at the root.
pub(crate) fn stand_ins() -> String {
    let tables = front::VENDORS.map(|vendor| {
        let keys = more_keys(vendor).replace(&wix_app(), &apps());
        format!("[[platform]]\nname = \"{vendor}\"\nvendor = \"{vendor}\"\n{keys}\n")
    });
    tables.concat()
}

/// The apps of the Wix stand-in.
pub(crate) fn apps() -> String {
    format!(
        "{}\n[[platform.app]]\nclient_id = \"{OTHER_APP}\"\n",
        wix_app()
    )
}

type IsTaken = fn(&Answer) -> bool;

/// What was issued at one login.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) platform: &'static str,
    pub(crate) client: Option<&'static str>,
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
}

/// The kinds of logins that tokens are issued at.
pub(crate) const KINDS: [fn(&TestHub, &str, &str) -> Issued; 6] = [
    |hub, name, password| of_header("assets", hub, name, password),
    |hub, name, password| of_header("hcl-dx", hub, name, password),
    |hub, name, password| of_header("sitefinity", hub, name, password),
    program,
    member,
    |hub, _, _| visitor(hub),
];

/// A login of every kind.
pub(crate) fn issued_to(hub: &TestHub, name: &str, password: &str) -> Vec<Issued> {
    let kinds = KINDS.into_iter();
    kinds.map(|kind| kind(hub, name, password)).collect()
}

fn of_header(vendor: &'static str, hub: &TestHub, name: &str, password: &str) -> Issued {
    let header = front::login(hub, vendor, name, password).header.1;
    let token = header.split_once(['=', ' ']).unwrap().1;
    Issued::new(vendor, None, token.to_owned())
}

/// A program's login to Assets.
pub(crate) fn program(hub: &TestHub, name: &str, password: &str) -> Issued {
    let form = [
        ("username", name),
        ("password", password),
        ("clientId", PROGRAM),
    ];
    let login = Request::post("/services/apilogin").form(&form);
    let token = text(&login.send(hub.address()).json()["authToken"]);
    Issued::new("assets", Some(PROGRAM), token)
}

/// A member's login to the Wix app.
pub(crate) fn member(hub: &TestHub, name: &str, password: &str) -> Issued {
    let tokens = wix_member_of(hub, name, password);
    Issued {
        refresh: Some(tokens.refresh),
        ..Issued::new("wix", Some(WIX_APP), tokens.access)
    }
}

fn visitor(hub: &TestHub) -> Issued {
    let grant = json!({ "clientId": WIX_APP, "grantType": "anonymous" });
    let tokens = Request::post("/oauth2/token").json(&grant);
    let tokens = tokens.send(hub.address()).json();
    Issued {
        refresh: Some(text(&tokens["refresh_token"])),
        ..Issued::new("wix", Some(WIX_APP), text(&tokens["access_token"]))
    }
}

/// Of `alice`.
pub(crate) fn alices(hub: &TestHub) -> Vec<Issued> {
    issued_to(hub, "alice", Accounts::ALICE)
}

impl Issued {
    fn new(platform: &'static str, client: Option<&'static str>, access: String) -> Self {
        Self {
            platform,
            client,
            access,
            refresh: None,
        }
    }

    /// Both tokens, or the one that there is.
    pub(crate) fn tokens(&self) -> Vec<&str> {
        let refresh = self.refresh.as_deref();
        std::iter::once(self.access.as_str())
            .chain(refresh)
            .collect()
    }

    /// The request that revokes `token`, by the client that it was issued to.
    pub(crate) fn revocation(&self, token: &str) -> Request {
        let mut form = vec![("token", token)];
        form.extend(self.client.map(|client| ("client_id", client)));
        Request::post(&format!("/revoke/{}", self.platform)).form(&form)
    }

    /// Whether the tokens are taken, on which all routes have to agree.
    pub(crate) fn is_alive(&self, hub: &TestHub) -> bool {
        let (header, value) = self.header();
        let checked = passes(hub, self.platform, header, &value);
        for (request, is_taken) in self.routes() {
            let answer = request.clone().send(hub.address());
            let answered = format!("{request:?}: {} {}", answer.status, answer.text());
            assert_eq!(is_taken(&answer), checked, "{answered}");
            assert_ne!(answer.status, 503, "{answered}");
        }
        checked
    }

    /// The header that presents the access token.
    fn header(&self) -> (&'static str, String) {
        match self.platform {
            "hcl-dx" => ("Cookie", format!("LtpaToken2={}", self.access)),
            "wix" => ("Authorization", self.access.clone()),
            _ => ("Authorization", format!("Bearer {}", self.access)),
        }
    }

    fn routes(&self) -> Vec<(Request, IsTaken)> {
        let (header, value) = self.header();
        let get = |path: &str| Request::get(path).header(header, &value);
        let post = |path: &str| Request::post(path).header(header, &value);
        match self.platform {
            "assets" => {
                let is_taken: IsTaken = |answer| answer.json()["errorcode"].is_null();
                let paths = ["/services/profile", "/services/ping", "/services/search?q="];
                let cookie = format!("authToken={}", self.access);
                let by = |path| {
                    let by_cookie = Request::get(path).header("Cookie", &cookie);
                    [(get(path), is_taken), (by_cookie, is_taken)]
                };
                paths.into_iter().flat_map(by).collect()
            }
            "hcl-dx" => vec![
                (post("/dx/api/core/v1/auth/validate"), is_ok),
                (get("/wps/myportal"), is_ok),
                (get("/wps/portal"), |answer| {
                    !answer.text().contains("Nobody is signed in")
                }),
            ],
            "sitefinity" => {
                let is_taken: IsTaken = |answer| answer.json()["value"]["IsAuthenticated"] == true;
                ["/api/default/users/current", "/sf/system/users/current"]
                    .map(|path| (get(path), is_taken))
                    .into()
            }
            _ => self.wix_routes(),
        }
    }

    fn wix_routes(&self) -> Vec<(Request, IsTaken)> {
        // To a visitor some say 403, which is not what they say to a token that has ended.
        let is_known: IsTaken = |answer| matches!(answer.status, 200 | 403);
        let is_active: IsTaken = |answer| answer.json()["active"] == true;
        let with = |request: Request| request.header("Authorization", &self.access);
        let post = |path: &str, body: &Value| with(Request::post(path).json(body));
        let logout = json!({ "logout": { "clientId": WIX_APP } });
        let grant = json!({
            "clientId": WIX_APP,
            "grantType": "refresh_token",
            "refreshToken": self.refresh,
        });
        let info = json!({ "token": self.access });
        let mut routes = vec![(post("/headless/v1/redirect-session", &logout), is_ok as _)];
        routes.push((with(Request::get("/members/v1/members/my")), is_known));
        for below in ["", "/_api"] {
            let path = |path: &str| format!("{below}/oauth2/{path}");
            routes.push((with(Request::get(&path("user-info"))), is_known));
            routes.push((post(&path("token-info"), &info), is_active));
            let refreshed = Request::post(&path("token")).json(&grant);
            routes.push((refreshed, is_ok));
        }
        routes
    }
}

fn is_ok(answer: &Answer) -> bool {
    answer.status == 200
}
