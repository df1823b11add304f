//! Logging in, asking, and looking at answers.

use std::ops::Deref;

use logout_assets::{AssetsConfig, AssetsProvider, Profile};
use logout_core::platform::Platform;
use logout_core::{Method, Request, Response};
use logout_suite::testing::StandIn;
use serde_json::{Value, json};

/// A stand-in at `http://dam.example/`, and shorthands for its clients.
pub(crate) struct Dam(StandIn<AssetsProvider>);

/// What a login hands out.
#[derive(Clone)]
pub(crate) struct Login {
    /// The token, or the session id.
    pub(crate) secret: String,
    pub(crate) csrf: String,
}

impl Deref for Dam {
    type Target = StandIn<AssetsProvider>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

pub(crate) fn platform() -> Platform {
    let mut platform = Platform::new("dam", "http://dam.example/".parse().expect("a URL"));
    platform.redirects = vec!["https://www.example.com".to_owned()];
    platform
}

impl Dam {
    pub(crate) fn with(config: AssetsConfig, platform: Platform) -> Self {
        Self(StandIn::new(platform, |platform| {
            AssetsProvider::new(config, platform).expect("a sound configuration")
        }))
    }

    pub(crate) fn of(profile: Profile) -> Self {
        Self::with(
            AssetsConfig {
                profile,
                ..AssetsConfig::default()
            },
            platform(),
        )
    }

    pub(crate) fn assets() -> Self {
        Self::of(Profile::Assets6)
    }

    pub(crate) fn with_statuses() -> Self {
        Self::with(
            AssetsConfig {
                errors_as_status: true,
                ..AssetsConfig::default()
            },
            platform(),
        )
    }

    /// A person's login.
    pub(crate) fn login(&self, name: &str) -> Login {
        let response = self.send(
            post("/services/login").with_query(format!("username={name}&password={name}-password")),
        );
        let body = json_of(&response);
        assert_eq!(body["loginSuccess"], json!(true), "{body}");
        let secret = cookie_set(&response)
            .expect("a login sets a cookie")
            .to_owned();
        Login {
            secret,
            csrf: body["csrfToken"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// A program's login.
    pub(crate) fn api_login(&self, name: &str) -> String {
        let response = self.send(
            post("/services/apilogin")
                .with_query(format!("username={name}&password={name}-password")),
        );
        json_of(&response)["authToken"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// Whether a token opens anything, on every route that takes one, as bearer and as cookie.
    pub(crate) fn token_lives(&self, token: &str) -> bool {
        let answers: Vec<bool> = ["/services/profile", "/services/search", "/services/ping"]
            .into_iter()
            .flat_map(|path| [bearer(get(path), token), cookie(get(path), token)])
            .map(|request| {
                let body = json_of(&self.send(request));
                assert!(
                    body.get("errorcode").is_none_or(|code| *code == json!(401)),
                    "{body}"
                );
                body.get("errorcode").is_none()
            })
            .collect();
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "the routes disagree: {answers:?}"
        );
        answers[0]
    }
}

pub(crate) fn get(path: &str) -> Request<'static> {
    Request::new(Method::Get, path)
}

pub(crate) fn post(path: &str) -> Request<'static> {
    Request::new(Method::Post, path)
}

pub(crate) fn bearer(request: Request<'static>, token: &str) -> Request<'static> {
    request.with_header("authorization", format!("Bearer {token}"))
}

pub(crate) fn cookie(request: Request<'static>, token: &str) -> Request<'static> {
    request.with_header("cookie", format!("authToken={token}"))
}

pub(crate) fn csrf(request: Request<'static>, token: &str) -> Request<'static> {
    request.with_header("x-csrf-token", token)
}

pub(crate) fn json_of(response: &Response) -> Value {
    assert_eq!(
        header(response, "content-type"),
        Some("application/json;charset=utf-8")
    );
    serde_json::from_slice(response.body()).expect("JSON")
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.as_str())
}

/// The value of a cookie that is set, not deleted.
pub(crate) fn cookie_set(response: &Response) -> Option<&str> {
    let value = header(response, "set-cookie")?
        .split(';')
        .next()?
        .split_once('=')?
        .1;
    Some(value).filter(|value| !value.is_empty())
}

/// Whether the session's cookie is deleted, with the attributes that it is set with.
pub(crate) fn deletes_cookie(response: &Response, name: &str) -> bool {
    header(response, "set-cookie").is_some_and(|value| {
        let mut parts = value.split("; ");
        parts.next() == Some(&format!("{name}="))
            && ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=0"]
                .iter()
                .all(|part| value.split("; ").any(|own| own == *part))
    })
}

/// Asserts an error object with this code, by HTTP status `status`.
pub(crate) fn assert_error(response: &Response, status: u16, code: u16) {
    let body = json_of(response);
    assert_eq!(
        (response.status(), &body["errorcode"]),
        (status, &json!(code)),
        "{body}"
    );
    assert!(
        body["errorname"].is_string() && body["message"].is_string(),
        "{body}"
    );
    assert_eq!(
        body.as_object().map(|members| members.len()),
        Some(3),
        "{body}"
    );
    assert_eq!(header(response, "cache-control"), Some("no-store"));
}

pub(crate) fn assert_signed_out(response: &Response) {
    assert_eq!(
        (response.status(), json_of(response)),
        (200, json!({ "logoutSuccess": true }))
    );
    assert_eq!(header(response, "cache-control"), Some("no-store"));
    assert!(header(response, "logout-receipt").is_some());
}
