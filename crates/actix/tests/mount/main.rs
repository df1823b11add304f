//! Several providers in one app, beside routes of its own.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod claims;
mod territory;

use std::sync::Arc;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use logout_actix::{Limits, Mount, MountedPlatform, TrustedProxies};
use logout_assets::{AssetsConfig, AssetsProvider};
use logout_core::LoginProvider;
use logout_core::authority::{Services, SessionAuthority};
use logout_core::credential::Secret;
use logout_core::platform::Platform;
use logout_core::ports::Account;
use logout_hcl_dx::{HclDxConfig, HclDxProvider};
use logout_identity::{JwtTokens, PasswordAccount, PasswordAccounts, SystemClock};
use logout_sitefinity::{SitefinityConfig, SitefinityProvider};
use logout_store::MemoryStore;
use logout_wix::{WixConfig, WixProvider};

const PASSWORD: &str = "wonderland";

async fn services() -> Services {
    let alice =
        PasswordAccount::with_password(Account::new("alice"), &Secret::new(PASSWORD)).unwrap();
    let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(SystemClock));
    let tokens = Arc::new(JwtTokens::load(&*store, &*clock).await.unwrap());
    Services::of_stand_ins(
        Arc::new(PasswordAccounts::new(vec![alice], store.clone(), clock.clone()).unwrap()),
        clock,
        store,
        tokens,
    )
}

fn mounted(vendor: &str, name: &str, prefix: &str, services: &Services) -> MountedPlatform {
    let platform = Platform::new(name, format!("http://hub.example{prefix}").parse().unwrap());
    let provider: Arc<dyn LoginProvider> = match vendor {
        "sitefinity" => {
            Arc::new(SitefinityProvider::new(SitefinityConfig::default(), &platform).unwrap())
        }
        "assets" => Arc::new(AssetsProvider::new(AssetsConfig::default(), &platform).unwrap()),
        "wix" => Arc::new(WixProvider::new(WixConfig::default(), &platform).unwrap()),
        _ => Arc::new(HclDxProvider::new(HclDxConfig::default(), &platform).unwrap()),
    };
    let sessions = SessionAuthority::new(Arc::new(platform), provider.clone(), services.clone());
    MountedPlatform::new(provider, sessions)
}

fn at_host(mut platform: MountedPlatform, host: &str) -> MountedPlatform {
    platform.host = Some(host.to_owned());
    platform
}

fn all_four(services: &Services) -> Vec<MountedPlatform> {
    [
        ("sitefinity", "cms"),
        ("assets", "dam"),
        ("wix", "shop"),
        ("hcl-dx", "portal"),
    ]
    .map(|(vendor, name)| mounted(vendor, name, "", services))
    .into()
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    async fn of(response: ServiceResponse) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self {
            status,
            headers,
            body: String::from_utf8(read_body(response).await.to_vec()).unwrap(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The answer of an app that has a page before the mount, one behind it, and words of its own for
/// everything else.
async fn ask(mount: &Mount, request: TestRequest) -> Answer {
    let app = App::new()
        .route("/before", web::get().to(|| async { "before" }))
        .configure(mount.clone().routes())
        .route("/", web::get().to(|| async { "the app's own home" }))
        .default_service(web::to(|| async {
            HttpResponse::NotFound().body("the app knows no such page")
        }));
    let app = init_service(app).await;
    Answer::of(call_service(&app, request.to_request()).await).await
}

fn to(method: Method, uri: &str) -> TestRequest {
    TestRequest::default()
        .method(method)
        .uri(uri)
        .insert_header((header::HOST, "hub.example"))
}

fn get(uri: &str) -> TestRequest {
    to(Method::GET, uri)
}

#[actix_web::test]
async fn what_is_no_platforms_is_left_to_the_app() {
    let mount = Mount::new(all_four(&services().await)).unwrap();
    for (path, body) in [("/before", "before"), ("/", "the app's own home")] {
        assert_eq!(ask(&mount, get(path)).await.body, body, "{path}");
    }
    for path in [
        "/nowhere",
        "/Sitefinityx",
        "/service",
        "/logout/x",
        "/logouts",
        "/api",
        "/api/other",
        "/dx",
        "/dx/apis",
        "/wpsx",
        "/v2/x",
    ] {
        let answer = ask(&mount, get(path)).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::NOT_FOUND, "the app knows no such page"),
            "{path}"
        );
        assert!(answer.header("logout-receipt").is_none(), "{path}");
    }
}

#[actix_web::test]
async fn four_vendors_share_the_root_of_one_host_and_each_answers_in_its_dialect() {
    let mount = Mount::new(all_four(&services().await)).unwrap();
    let sitefinity = ask(&mount, get("/sitefinity/signout")).await;
    assert_eq!(
        (sitefinity.status, sitefinity.header("location")),
        (StatusCode::FOUND, Some("/"))
    );
    let assets = ask(&mount, to(Method::POST, "/services/logout")).await;
    assert_eq!(assets.status, StatusCode::OK);
    assert!(
        assets.body.contains(r#""errorcode":401"#),
        "{}",
        assets.body
    );
    let wix = ask(&mount, get("/v1/logout")).await;
    assert!(
        wix.status == StatusCode::OK
            && wix.header("content-type").unwrap().starts_with("text/html")
    );
    let portal = ask(&mount, to(Method::POST, "/dx/api/core/v1/auth/logout")).await;
    assert_eq!(portal.status, StatusCode::UNAUTHORIZED);
    assert!(portal.body.starts_with(r#"{"error":{"#), "{}", portal.body);
}

#[actix_web::test]
async fn a_method_that_an_endpoint_does_not_take_is_refused_in_its_vendors_words() {
    let mount = Mount::new(all_four(&services().await)).unwrap();
    for (path, status, allow, words) in [
        (
            "/Sitefinity/SignOut",
            405,
            "GET, POST",
            "Method not allowed.",
        ),
        ("/services/logout", 200, "POST", r#""errorcode":405"#),
        ("/v1/logout", 405, "GET, POST", ""),
        (
            "/dx/api/core/v1/auth/logout",
            405,
            "POST, OPTIONS",
            r#"{"error":{"#,
        ),
    ] {
        let answer = ask(&mount, to(Method::DELETE, path)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (status, Some(allow)),
            "{path}"
        );
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
        assert!(answer.header("logout-receipt").is_none(), "{path}");
    }
    // A path of the app's own keeps the app's own rules.
    assert_eq!(
        ask(&mount, to(Method::DELETE, "/before")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[actix_web::test]
async fn a_prefix_stands_before_every_path_of_its_platform_and_before_nobody_elses() {
    let services = services().await;
    let platforms = [("cms", "/cms"), ("blog", "/sites/blog")]
        .map(|(name, prefix)| mounted("sitefinity", name, prefix, &services));
    let mount = Mount::new(platforms.into()).unwrap();
    for (path, location) in [
        ("/cms/Sitefinity/SignOut", "/cms/"),
        ("/sites/blog/Sitefinity/SignOut", "/sites/blog/"),
    ] {
        let answer = ask(&mount, get(path)).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (StatusCode::FOUND, Some(location)),
            "{path}"
        );
    }
    for path in [
        "/Sitefinity/SignOut",
        "/cmsSitefinity/SignOut",
        "/sites/Sitefinity/SignOut",
        "/sites",
        "/cmsx",
    ] {
        assert_eq!(
            ask(&mount, get(path)).await.body,
            "the app knows no such page",
            "{path}"
        );
    }
}

#[actix_web::test]
async fn a_platform_with_a_host_answers_there_and_one_without_everywhere_else() {
    let services = services().await;
    let anywhere = mounted("sitefinity", "anywhere", "/", &services);
    let mut here = mounted("sitefinity", "here", "/", &services);
    here.require_same_site = true;
    let mount = Mount::new(vec![anywhere, at_host(here, "CMS.example")]).unwrap();
    // Which of the two answers shows in what only one of them refuses.
    for (host, status) in [
        ("cms.example", StatusCode::FORBIDDEN),
        ("cms.example:8443", StatusCode::FORBIDDEN),
        ("CMS.EXAMPLE", StatusCode::FORBIDDEN),
        ("www.cms.example", StatusCode::FOUND),
        ("hub.example", StatusCode::FOUND),
        ("[::1]:8080", StatusCode::FOUND),
    ] {
        let request =
            TestRequest::with_uri("/Sitefinity/SignOut").insert_header((header::HOST, host));
        let answer = ask(
            &mount,
            request.insert_header(("sec-fetch-site", "cross-site")),
        )
        .await;
        assert_eq!(answer.status, status, "{host}");
    }
    // A target in absolute form names the host, whatever the header says.
    for (target, header, status) in [
        ("cms.example", "hub.example", StatusCode::FORBIDDEN),
        ("hub.example", "cms.example", StatusCode::FOUND),
    ] {
        let request = TestRequest::with_uri(&format!("http://{target}/Sitefinity/SignOut"))
            .insert_header((header::HOST, header));
        let answer = ask(
            &mount,
            request.insert_header(("sec-fetch-site", "cross-site")),
        )
        .await;
        assert_eq!(answer.status, status, "{target}");
    }
}

#[actix_web::test]
async fn a_platform_with_a_host_leaves_other_hosts_to_the_app() {
    let services = services().await;
    let mount = Mount::new(vec![at_host(
        mounted("sitefinity", "cms", "/", &services),
        "cms.example",
    )])
    .unwrap();
    assert_eq!(
        ask(&mount, get("/Sitefinity/SignOut")).await.body,
        "the app knows no such page"
    );
}

#[actix_web::test]
async fn a_session_of_one_platform_opens_and_ends_nothing_at_another() {
    let services = services().await;
    let mount = Mount::new(vec![
        mounted("hcl-dx", "one", "/one", &services),
        mounted("hcl-dx", "two", "/two", &services),
    ])
    .unwrap();
    let credentials = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
    let login = to(Method::POST, "/one/dx/api/core/v1/auth/login")
        .insert_header(("content-type", "application/json"));
    let login = ask(&mount, login.set_payload(credentials)).await;
    assert_eq!(login.status, StatusCode::OK, "{}", login.body);
    let cookie = login
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let call = async |platform: &str, what: &str| {
        let request = to(
            Method::POST,
            &format!("/{platform}/dx/api/core/v1/auth/{what}"),
        );
        ask(&mount, request.insert_header(("cookie", cookie.as_str())))
            .await
            .status
            .as_u16()
    };
    assert_eq!(
        (call("one", "validate").await, call("two", "validate").await),
        (200, 401)
    );
    assert_eq!(
        (call("two", "logout").await, call("one", "validate").await),
        (401, 200)
    );
    assert_eq!(
        (call("one", "logout").await, call("one", "validate").await),
        (200, 401)
    );
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_in_the_vendors_words() {
    let services = services().await;
    let platforms = vec![mounted("assets", "dam", "/", &services)];
    let mount = Mount::with(platforms, &[], TrustedProxies::default(), {
        let mut limits = Limits::default();
        limits.body = 8;
        limits
    })
    .unwrap();
    for (body, code) in [("12345678", 401), ("123456789", 413)] {
        let answer = ask(
            &mount,
            to(Method::POST, "/services/logout").set_payload(body),
        )
        .await;
        assert!(
            answer.body.contains(&format!(r#""errorcode":{code}"#)),
            "{body}: {}",
            answer.body
        );
    }
}
