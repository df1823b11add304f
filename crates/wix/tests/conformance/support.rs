//! A Wix site without sockets, and what its visitors and members do.

mod answers;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_executor::block_on;
use logout_core::credential::SecretDigest;
use logout_core::message::{Method, Request, Response};
use logout_core::platform::Platform;
use logout_core::store::SessionStore as _;
use logout_suite::testing::StandIn;
use logout_wix::{App, WixConfig, WixProvider};
use serde_json::{Value, json};

pub(crate) use self::answers::{
    code_in, error, header, headers, location, opened, parameter, refusal, removed, set_cookie,
    text, told,
};

pub(crate) const APP: &str = "12345678-1234-1234-1234-123456789012";
pub(crate) const OTHER_APP: &str = "abcdef00-1234-1234-1234-123456789012";
pub(crate) const UNKNOWN_APP: &str = "99999999-1234-1234-1234-123456789012";
pub(crate) const CALLBACK: &str = "https://mysite.com/callback";
pub(crate) const GOODBYE: &str = "https://mysite.com/goodbye";
pub(crate) const VERIFIER: &str = "a-code-verifier-that-is-long-enough-for-anybody";
pub(crate) const LOGOUT: &str = "/_api/iam/authentication/v1/logout";
pub(crate) const LOGOUT_PATHS: [&str; 5] = [
    LOGOUT,
    "/iam/authentication/v1/logout",
    "/authentication/v1/logout",
    "/_api/authentication/v1/logout",
    "/v1/logout",
];
pub(crate) const REDIRECT_SESSION_PATHS: [&str; 3] = [
    "/_api/redirects-api/v1/redirect-session",
    "/headless/v1/redirect-session",
    "/redirect-session/v1/redirect-session",
];
pub(crate) const SDK: &str = "environment=js-sdk,package-name=@wix/auto_sdk_identity_authentication,\
    method-fqn=wix.iam.authentication.v1.AuthenticationService.Logout,entity=wix.iam.authentication.v1.authentication";
pub(crate) const COOKIES: [&str; 7] = [
    "smSession",
    "svSession",
    "hs",
    "XSRF-TOKEN",
    "bSession",
    "server-session-bind",
    "client-session-bind",
];

#[derive(Debug)]
pub(crate) struct Shop(pub(crate) StandIn<WixProvider>);

#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) cookie: String,
    pub(crate) session_token: String,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut WixConfig)) -> Self {
        Self::at("http://shop.example", change)
    }

    pub(crate) fn at(base: &str, change: impl FnOnce(&mut WixConfig)) -> Self {
        let app = |id: &str| App {
            client_id: id.into(),
            redirect_uris: vec![CALLBACK.into(), "https://mysite.com/goodbye".into()],
            redirect_domains: vec!["allowed.example".into(), "localhost".into()],
            ..App::default()
        };
        let mut config = WixConfig {
            apps: vec![app(APP), app(OTHER_APP)],
            ..WixConfig::default()
        };
        change(&mut config);
        let platform = Platform::new("shop", base.parse().unwrap());
        Self(StandIn::new(platform, |platform| {
            WixProvider::new(config, platform).unwrap()
        }))
    }

    pub(crate) fn send(&self, request: Request<'static>) -> Response {
        self.0.send(request)
    }

    pub(crate) fn visitor(&self) -> Visitor {
        self.visitor_of(APP)
    }

    pub(crate) fn visitor_of(&self, app: &str) -> Visitor {
        let answer = self.send(post(
            "/oauth2/token",
            &json!({ "clientId": app, "grantType": "anonymous" }),
        ));
        assert_eq!(answer.status(), 200);
        Visitor {
            access: text(&told(&answer)["access_token"]),
            refresh: text(&told(&answer)["refresh_token"]),
        }
    }

    /// The way that a script logs in: visitor, login, authorize, code.
    pub(crate) fn member(&self, name: &str) -> Member {
        self.member_of(APP, name)
    }

    pub(crate) fn member_of(&self, app: &str, name: &str) -> Member {
        let session_token = self.session_token(app, name);
        let sent_back = self.send(authorize(
            app,
            &[("sessionToken", &session_token), ("prompt", "none")],
        ));
        let cookie = set_cookie(&sent_back, "smSession").expect("no cookie");
        let tokens = told(&self.send(exchange(app, &code_in(&sent_back))));
        Member {
            access: text(&tokens["access_token"]),
            refresh: text(&tokens["refresh_token"]),
            cookie,
            session_token,
        }
    }

    pub(crate) fn session_token(&self, app: &str, name: &str) -> String {
        let answer = self.send(login(
            &self.visitor_of(app).access,
            &format!("{name}@example.com"),
            &format!("{name}-password"),
        ));
        assert_eq!(
            (answer.status(), &told(&answer)["state"]),
            (200, &json!("SUCCESS"))
        );
        text(&told(&answer)["sessionToken"])
    }

    /// Everything that would still open the session, by name.
    pub(crate) fn what_still_works(&self, member: &Member) -> Vec<&'static str> {
        let by_cookie = format!("x=y; smSession={}", member.cookie);
        let tries = [
            (
                "access token at the probe",
                with_token(get("/members/v1/members/my"), &member.access),
                200,
            ),
            (
                "access token at the other probe",
                with_token(get("/_api/members/v1/members/my"), &member.access),
                200,
            ),
            (
                "cookie at the probe",
                get("/members/v1/members/my").with_header("cookie", by_cookie.clone()),
                200,
            ),
            ("refresh token", refresh(APP, &member.refresh), 200),
            (
                "access token at login",
                login(&member.access, "bob", "bob-password"),
                200,
            ),
            (
                "access token at redirect session",
                redirect_to_logout(REDIRECT_SESSION_PATHS[0], &member.access, None),
                200,
            ),
        ];
        let mut working: Vec<_> = tries
            .into_iter()
            .filter(|(_, request, alive)| self.send(request.clone()).status() == *alive)
            .map(|(name, ..)| name)
            .collect();
        let silent = authorize(APP, &[("prompt", "none")]).with_header("cookie", by_cookie);
        working.extend(
            location(&self.send(silent))
                .filter(|to| to.contains("code="))
                .map(|_| "cookie at authorize"),
        );
        let direct = authorize(
            APP,
            &[("prompt", "none"), ("sessionToken", &member.session_token)],
        );
        working.extend(
            location(&self.send(direct))
                .filter(|to| to.contains("code="))
                .map(|_| "session token at authorize"),
        );
        let info = self.send(post(
            "/oauth2/token-info",
            &json!({ "token": member.access }),
        ));
        working
            .extend((told(&info)["active"] == json!(true)).then_some("access token at token-info"));
        working
    }

    pub(crate) fn assert_alive(&self, member: &Member) {
        assert_eq!(
            self.what_still_works(member).len(),
            9,
            "{:?}",
            self.what_still_works(member)
        );
    }

    pub(crate) fn assert_dead(&self, member: &Member) {
        assert_eq!(self.what_still_works(member), Vec::<&str>::new());
    }

    pub(crate) fn receipts(&self) -> usize {
        block_on(self.0.store().receipts(None, 100))
            .unwrap()
            .items
            .len()
    }

    pub(crate) fn visitor_lives(&self, visitor: &Visitor) -> bool {
        let probed = self
            .send(with_token(get("/members/v1/members/my"), &visitor.access))
            .status();
        let refreshed = self.send(refresh(APP, &visitor.refresh)).status();
        assert!(
            matches!((probed, refreshed), (403, 200) | (401, 400)),
            "{probed} {refreshed}"
        );
        refreshed == 200
    }
}

pub(crate) fn get(target: &str) -> Request<'static> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request::new(Method::Get, path).with_query(query)
}

pub(crate) fn post(path: &str, body: &Value) -> Request<'static> {
    Request::new(Method::Post, path)
        .with_header("content-type", "application/json")
        .with_body(body.to_string())
}

pub(crate) fn with_token(request: Request<'static>, token: &str) -> Request<'static> {
    request.with_header("authorization", token)
}

pub(crate) fn login(token: &str, email: &str, password: &str) -> Request<'static> {
    let body = json!({ "loginId": { "email": email }, "password": password });
    with_token(post("/_api/iam/authentication/v2/login", &body), token)
}

pub(crate) fn refresh(app: &str, token: &str) -> Request<'static> {
    post(
        "/oauth2/token",
        &json!({ "clientId": app, "grantType": "refresh_token", "refreshToken": token }),
    )
}

pub(crate) fn exchange(app: &str, code: &str) -> Request<'static> {
    let body = json!({ "clientId": app, "grantType": "authorization_code", "redirectUri": CALLBACK, "code": code, "codeVerifier": VERIFIER });
    post("/oauth2/token", &body)
}

pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(SecretDigest::of(VERIFIER).as_bytes())
}

pub(crate) fn authorize(app: &str, more: &[(&str, &str)]) -> Request<'static> {
    let challenge = challenge();
    let usual = [
        ("clientId", app),
        ("responseType", "code"),
        ("state", "s1 &"),
        ("redirectUri", CALLBACK),
        ("scope", "offline_access"),
        ("responseMode", "query"),
        ("codeChallenge", challenge.as_str()),
        ("codeChallengeMethod", "S256"),
    ];
    let kept = usual
        .iter()
        .filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    Request::new(Method::Get, "/_api/oauth2/authorize").with_query(encoded(kept.chain(more)))
}

pub(crate) fn encoded<'a>(pairs: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

pub(crate) fn redirect_to_logout(path: &str, token: &str, to: Option<&str>) -> Request<'static> {
    let body = json!({ "logout": { "clientId": APP }, "callbacks": { "postFlowUrl": to } });
    with_token(post(path, &body), token)
}

pub(crate) fn logout(query: &[(&str, &str)]) -> Request<'static> {
    Request::new(Method::Get, LOGOUT).with_query(encoded(query.iter()))
}

pub(crate) fn by_cookie(request: Request<'static>, member: &Member) -> Request<'static> {
    request.with_header("cookie", format!("smSession={}", member.cookie))
}
