//! A stand-in of the portal, and what its clients do with it.

use logout_core::message::{Method, Request, Response};
use logout_core::platform::Platform;
use logout_hcl_dx::{ConfigService, ContentItem, HclDxConfig, HclDxProvider, Setting};
use logout_suite::testing::StandIn;
use serde_json::Value;

pub(crate) const LOGIN: &str = "/dx/api/core/v1/auth/login";
pub(crate) const LOGOUT: &str = "/dx/api/core/v1/auth/logout";
pub(crate) const VALIDATE: &str = "/dx/api/core/v1/auth/validate";
/// The portal's logout address, as the vendor prints it.
pub(crate) const PORTAL_LOGOUT: &str =
    "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/";
/// The public home of the stand-in.
pub(crate) const PUBLIC_PAGE: &str = "http://dx.example/wps/portal";

/// Content that is open to everybody, to everybody after login, and to alice only.
pub(crate) const OPEN: &str = "3f1c2a9e-0000-4000-8000-000000000001";
pub(crate) const MEMBERS: &str = "3f1c2a9e-0000-4000-8000-000000000002";
pub(crate) const ALICES: &str = "3f1c2a9e-0000-4000-8000-000000000003";

pub(crate) type Dx = StandIn<HclDxProvider>;

pub(crate) fn config() -> HclDxConfig {
    let item = |id: &str, anonymous, readers| ContentItem {
        id: id.into(),
        title: "Welcome".into(),
        text: "Hello".into(),
        anonymous,
        readers,
    };
    let content = vec![
        item(OPEN, true, None),
        item(MEMBERS, false, None),
        item(ALICES, false, Some(vec!["alice".into()])),
    ];
    HclDxConfig {
        content,
        ..HclDxConfig::default()
    }
}

pub(crate) fn with_properties(properties: &[(&str, Setting)]) -> HclDxConfig {
    let config_service = properties
        .iter()
        .fold(ConfigService::default(), |table, (name, value)| {
            table.with(*name, value.clone())
        });
    HclDxConfig {
        config_service,
        ..config()
    }
}

pub(crate) fn platform() -> Platform {
    Platform::new("dx", "http://dx.example/".parse().unwrap())
}

pub(crate) fn dx(config: HclDxConfig) -> Dx {
    StandIn::new(platform(), |platform| {
        HclDxProvider::new(config, platform).unwrap()
    })
}

pub(crate) fn post(path: &str) -> Request<'static> {
    Request::new(Method::Post, path)
}

pub(crate) fn get(path: &str) -> Request<'static> {
    Request::new(Method::Get, path)
}

pub(crate) fn cookie(request: Request<'static>, token: &str) -> Request<'static> {
    request.with_header("cookie", format!("LtpaToken2={token}"))
}

pub(crate) fn login_request(name: &str, password: &str) -> Request<'static> {
    let body = serde_json::json!({ "username": name, "password": password }).to_string();
    post(LOGIN)
        .with_header("content-type", "application/json")
        .with_body(body)
}

/// Logs in and gives the token.
pub(crate) fn log_in(dx: &Dx, name: &str) -> String {
    let response = dx.send(login_request(name, &format!("{name}-password")));
    assert_eq!(response.status(), 200);
    let set = header(&response, "set-cookie").unwrap();
    set.strip_prefix("LtpaToken2=")
        .and_then(|rest| rest.split(';').next())
        .unwrap()
        .to_owned()
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.as_str())
}

pub(crate) fn cleared(response: &Response) -> Vec<&str> {
    let set = response
        .headers()
        .iter()
        .filter(|(name, value)| *name == "set-cookie" && value.contains("Max-Age=0"));
    set.filter_map(|(_, value)| value.split('=').next())
        .collect()
}

pub(crate) fn json(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// Asserts the vendor's error object.
pub(crate) fn assert_fault(response: &Response, status: u16) {
    assert_eq!(response.status(), status);
    let body = json(response);
    assert!(
        ["code", "message", "reason"]
            .iter()
            .all(|member| body["error"][member].is_string()),
        "{body}"
    );
    assert!(body.get("redirectUrl").is_none());
}

pub(crate) fn content_path(access_type: &str, id: &str) -> String {
    format!("/dx/api/core/v1/{access_type}/webcontent/contents/{id}")
}

pub(crate) fn is_alive(dx: &Dx, token: &str) -> bool {
    dx.send(cookie(post(VALIDATE), token)).status() == 200
}

/// Replays a token on every route that takes one.
pub(crate) fn assert_dead(dx: &Dx, token: &str) {
    for request in [
        post(VALIDATE),
        get(&content_path("dxmyrest", MEMBERS)),
        post(LOGOUT),
    ] {
        let path = request.path().to_owned();
        let response = dx.send(cookie(request, token));
        assert_fault(&response, 401);
        assert_eq!(cleared(&response), ["LtpaToken2"], "{path}");
    }
    for path in ["/wps/myportal", PORTAL_LOGOUT] {
        let response = dx.send(cookie(get(path), token));
        assert_eq!(
            (response.status(), header(&response, "location")),
            (302, Some(PUBLIC_PAGE)),
            "{path}"
        );
    }
    let page = dx.send(cookie(get("/wps/portal"), token));
    assert!(String::from_utf8_lossy(page.body()).contains("Nobody is signed in."));
}
