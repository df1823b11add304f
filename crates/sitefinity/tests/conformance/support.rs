//! Logging in, asking, and looking at answers.

use std::ops::Deref;

use logout_core::platform::Platform;
use logout_core::receipt::Receipt;
use logout_core::store::SessionStore as _;
use logout_core::{Method, Request, Response};
use logout_sitefinity::{SitefinityConfig, SitefinityProvider};
use logout_suite::testing::StandIn;
use serde_json::Value;

pub(crate) const SIGN_OUT: &str = "/Sitefinity/SignOut";
pub(crate) const SIGN_IN: &str = "/Sitefinity/Authenticate/OpenID/connect/authorize";

/// A stand-in, and shorthands for its clients.
pub(crate) struct Cms(StandIn<SitefinityProvider>);

/// What a browser holds after a login.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) site: String,
    pub(crate) token_service: String,
}

impl Deref for Cms {
    type Target = StandIn<SitefinityProvider>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

pub(crate) fn platform() -> Platform {
    let mut platform = Platform::new("cms", "http://cms.example/".parse().unwrap());
    platform.redirects = vec!["https://www.example.com".to_owned()];
    platform
}

impl Cms {
    pub(crate) fn new() -> Self {
        Self::at(platform())
    }

    pub(crate) fn at(platform: Platform) -> Self {
        Self(StandIn::new(platform, |platform| {
            SitefinityProvider::new(SitefinityConfig::default(), platform).unwrap()
        }))
    }

    pub(crate) fn anti_forgery(&self) -> String {
        let response =
            self.send(get("/sitefinity/anticsrf").with_header("x-sf-antiforgery-request", "true"));
        json_of(&response)["Value"].as_str().unwrap().to_owned()
    }

    /// A form login with these further fields; `provider/name`, or a name in the default provider.
    pub(crate) fn login_with(&self, who: &str, request: Request<'static>, more: &str) -> Response {
        let (provider, name) = who.split_once('/').unwrap_or(("", who));
        let token = self.anti_forgery();
        let body = format!(
            "username={name}&password={name}-password&MembershipProviderName={provider}&sf_antiforgery={token}&{more}"
        );
        self.send(
            request
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_body(body),
        )
    }

    pub(crate) fn login(&self, who: &str) -> Browser {
        let response = self.login_with(who, post("/sitefinity/login-handler"), "");
        let cookie = |name| {
            cookie_set(&response, name)
                .expect("a login sets the cookie")
                .to_owned()
        };
        Browser {
            site: cookie(".AspNet.Cookies"),
            token_service: cookie("idsrv"),
        }
    }

    /// An access token.
    pub(crate) fn token(&self, name: &str) -> String {
        let body = format!("grant_type=password&username={name}&password={name}-password");
        let request = post("/sitefinity/oauth/token")
            .with_header("content-type", "application/x-www-form-urlencoded");
        json_of(&self.send(request.with_body(body)))["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// Whether a cookie of the site opens anything. Every probe has to say the same.
    pub(crate) fn site_lives(&self, cookie: &str) -> bool {
        agreed(
            self.probes(|request| {
                request.with_header("cookie", format!(".AspNet.Cookies={cookie}"))
            }),
        )
    }

    /// Whether an access token opens anything. Every probe has to say the same.
    pub(crate) fn token_lives(&self, token: &str) -> bool {
        agreed(self.probes(|request| bearer(request, token)))
    }

    /// Whether the token service knows its cookie.
    pub(crate) fn token_service_lives(&self, cookie: &str) -> bool {
        let response = self.send(get(SIGN_IN).with_header("cookie", format!("idsrv={cookie}")));
        assert!(matches!(response.status(), 200 | 302));
        assert_eq!(
            response.status() == 302,
            cookie_set(&response, ".AspNet.Cookies").is_some()
        );
        response.status() == 302
    }

    fn probes(&self, with: impl Fn(Request<'static>) -> Request<'static>) -> Vec<bool> {
        let mut answers =
            vec![json_of(&self.send(with(get("/rest-api/login-status"))))["IsLoggedIn"] == true];
        for path in ["/api/default/users/current", "/sf/system/users/current"] {
            let response = self.send(with(get(path)));
            assert!(matches!(response.status(), 200 | 401));
            answers.push(json_of(&response)["value"]["IsAuthenticated"] == true);
        }
        answers
    }

    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        futures_executor::block_on(self.store().receipts(None, 1_000))
            .unwrap()
            .items
    }
}

fn agreed(answers: Vec<bool>) -> bool {
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "the probes disagree: {answers:?}"
    );
    answers[0]
}

pub(crate) fn get(path: &str) -> Request<'static> {
    Request::new(Method::Get, path)
}

pub(crate) fn post(path: &str) -> Request<'static> {
    Request::new(Method::Post, path)
}

pub(crate) fn sign_out(query: &str) -> Request<'static> {
    get(SIGN_OUT).with_query(query)
}

pub(crate) fn bearer(request: Request<'static>, token: &str) -> Request<'static> {
    request.with_header("authorization", format!("Bearer {token}"))
}

impl Browser {
    /// The request with both cookies.
    pub(crate) fn sends(&self, request: Request<'static>) -> Request<'static> {
        request.with_header(
            "cookie",
            format!(
                ".AspNet.Cookies={}; idsrv={}",
                self.site, self.token_service
            ),
        )
    }
}

pub(crate) fn json_of(response: &Response) -> Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    headers(response, name).next()
}

pub(crate) fn headers<'a, 'n>(
    response: &'a Response,
    name: &'n str,
) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
    response
        .headers()
        .iter()
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value.as_str())
}

/// The `Set-Cookie` headers of this cookie.
pub(crate) fn set_cookies<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    headers(response, "set-cookie")
        .filter(|value| value.split_once('=').is_some_and(|(key, _)| key == name))
        .collect()
}

/// The value of a cookie that is set, not removed.
pub(crate) fn cookie_set<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let value = set_cookies(response, name)
        .first()?
        .split(';')
        .next()?
        .split_once('=')?
        .1;
    Some(value).filter(|value| !value.is_empty())
}

/// All of an answer but the id of its receipt, which is fresh every time.
pub(crate) fn apart_from_receipt(
    response: &Response,
) -> (u16, Vec<(&'static str, String)>, Vec<u8>) {
    let (status, headers, body) = response.clone().into_parts();
    let kept = |(name, value)| match name {
        "logout-receipt" => (name, String::new()),
        _ => (name, String::from(value)),
    };
    let headers = headers.into_iter().map(kept).collect();
    (status, headers, body.into_owned())
}
