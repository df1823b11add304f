//! Several providers in one app, beside routes of its own.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::sync::Arc;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use logout_actix::{Limits, Mount, MountError, MountedPlatform, TrustedProxies};
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

/// What a platform says of an address that it does not have: by a mark that only one vendor's words
/// have.
fn not_found(answer: &Answer) -> Option<&'static str> {
    let status = answer.status.as_u16();
    if answer.body.contains(r#""errorcode":404"#) {
        assert_eq!(status, 200);
        return Some("assets");
    }
    if status != 404 || answer.body == "the app knows no such page" {
        return None;
    }
    if answer.header("content-type") == Some("application/json; charset=utf-8") {
        return Some("sitefinity, in JSON");
    }
    let is_json = answer.header("content-type") == Some("application/json");
    match (is_json, answer.header("x-wix-request-id").is_some()) {
        (true, true) => Some("wix"),
        (true, false) => Some("hcl-dx"),
        (false, _) if answer.header("pragma").is_some() => Some("sitefinity"),
        (false, _) => Some("assets, in text"),
    }
}

#[actix_web::test]
async fn a_path_that_no_endpoint_takes_is_refused_by_the_vendor_that_it_was_meant_for() {
    let mount = Mount::new(all_four(&services().await)).unwrap();
    for (path, vendor) in [
        ("/services/logout/", "assets"),
        ("//services//logout", "assets"),
        ("/Services/Logout", "assets"),
        ("/services/logout.", "assets"),
        ("/services/logout;x", "assets"),
        ("/services%2Flogout", "assets"),
        ("/services%252Flogout", "assets"),
        ("/services", "assets"),
        ("/logout/", "assets, in text"),
        ("//logout", "assets, in text"),
        ("/LOGOUT", "assets, in text"),
        ("/_api/", "wix"),
        ("/_api/iam/authentication/v1/logout/", "wix"),
        ("/V1/logout", "wix"),
        ("/oauth2/revoke", "wix"),
        ("/members/v1/members", "wix"),
        ("/Sitefinity", "sitefinity"),
        ("/Sitefinity/SignOut/x", "sitefinity"),
        ("//Sitefinity/SignOut", "sitefinity"),
        ("/api/default/users", "sitefinity, in JSON"),
        ("/wps", "hcl-dx"),
        ("/WPS/portal", "hcl-dx"),
        ("/wps/myportal/!ut/p/a1/other", "hcl-dx"),
        ("/dx/api/core/v1/auth/logout/", "hcl-dx"),
        ("/dx/api/core/v2/auth/logout", "hcl-dx"),
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = ask(&mount, to(method.clone(), path)).await;
            assert_eq!(
                not_found(&answer),
                Some(vendor),
                "{method} {path}: {} {}",
                answer.status,
                answer.body
            );
            assert!(
                answer.header("logout-receipt").is_none() && answer.header("set-cookie").is_none(),
                "{path}"
            );
            assert_eq!(
                answer
                    .header("cache-control")
                    .map(|value| value.contains("no-store")),
                Some(true),
                "{path}"
            );
        }
    }
}

/// Ways to get `path` wrong, at each place where that can be done.
fn misspellings(path: &str) -> Vec<String> {
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    let at_slash = |at: usize, with: &str| format!("{}{with}{}", &path[..at], &path[at + 1..]);
    let mut wrong: Vec<String> = ["/", "//", ".", ";", ";x=1", "%20", "%00", "/.", "/x/.."]
        .iter()
        .map(|behind| format!("{path}{behind}"))
        .collect();
    for at in slashes {
        wrong.extend(["//", "/./", "/x/../", "/;/", "/%2E/"].map(|with| at_slash(at, with)));
        if at > 0 {
            wrong.extend(
                ["%2F", "%2f", "%5C", "%252F", "./", ";x/", "%20/"].map(|with| at_slash(at, with)),
            );
        }
        wrong.push(format!(
            "{}{}",
            &path[..=at],
            path[at + 1..].to_ascii_uppercase()
        ));
    }
    wrong
}

#[actix_web::test]
async fn no_misspelling_of_any_endpoint_is_the_apps_or_another_vendors() {
    let platforms = all_four(&services().await);
    let endpoints: Vec<_> = platforms
        .iter()
        .flat_map(|one| one.provider.endpoints().iter().chain(one.login_endpoints()))
        .cloned()
        .collect();
    let mount = Mount::new(platforms.clone()).unwrap();
    let app = App::new()
        .configure(mount.routes())
        .default_service(web::to(|| async { "the app knows no such page" }));
    let app = init_service(app).await;
    let mut tried = 0;
    for platform in &platforms {
        let vendor = platform.provider.vendor();
        for endpoint in platform
            .provider
            .endpoints()
            .iter()
            .chain(platform.login_endpoints())
        {
            let path = endpoint
                .path()
                .replace("**", "deep")
                .replace(['{', '}'], "");
            for wrong in misspellings(&path) {
                // A spelling that the vendor takes, or one of an endpoint that takes any name
                // there.
                if path == "/"
                    || endpoints
                        .iter()
                        .any(|known| known.matches(&wrong).is_some())
                {
                    continue;
                }
                let answer = Answer::of(call_service(&app, get(&wrong).to_request()).await).await;
                let said = not_found(&answer).unwrap_or("nobody");
                assert!(
                    said.starts_with(vendor),
                    "{wrong}, wrong for {path} of {vendor}: {said}, {}",
                    answer.body
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}

#[actix_web::test]
async fn below_a_host_or_prefix_of_its_own_everything_is_the_platforms_unless_it_says_otherwise() {
    let services = services().await;
    let with = |owns_rest: bool| {
        let own = |mut platform: MountedPlatform| {
            platform.owns_rest = owns_rest;
            platform
        };
        let shop = own(at_host(
            mounted("wix", "shop", "", &services),
            "shop.example",
        ));
        let platforms = vec![
            own(mounted("hcl-dx", "portal", "/portal", &services)),
            shop,
            own(mounted("assets", "dam", "/", &services)),
        ];
        Mount::with(
            platforms,
            &["/", "/receipts/"],
            TrustedProxies::default(),
            Limits::default(),
        )
        .unwrap()
    };
    for (owns_rest, host, path, vendor) in [
        (true, "hub.example", "/portal/nowhere", Some("hcl-dx")),
        (true, "hub.example", "//Portal//nowhere", Some("hcl-dx")),
        (true, "hub.example", "/portal", Some("hcl-dx")),
        (true, "shop.example", "/nowhere", Some("wix")),
        (true, "shop.example:8443", "/services/logout/", Some("wix")),
        // What is reserved is so on every host; and the root of every host belongs to no platform
        // alone.
        (true, "shop.example", "/receipts/x", None),
        (true, "shop.example", "/", None),
        (true, "hub.example", "/nowhere", None),
        (false, "hub.example", "/portal/nowhere", None),
        (false, "hub.example", "/portal/wps/nowhere", Some("hcl-dx")),
        (false, "shop.example", "/nowhere", None),
        (false, "shop.example", "/v1/nowhere", Some("wix")),
    ] {
        let answer = ask(
            &with(owns_rest),
            TestRequest::with_uri(path).insert_header((header::HOST, host)),
        )
        .await;
        assert_eq!(
            not_found(&answer),
            vendor,
            "{owns_rest} {host} {path}: {} {}",
            answer.status,
            answer.body
        );
    }
}

#[actix_web::test]
async fn an_endpoint_of_any_depth_stays_out_of_other_platforms_territories() {
    let services = services().await;
    let mount = Mount::new(all_four(&services)).unwrap();
    for (path, location) in [
        ("/news/SignOut", "/news"),
        ("/wpsx/signout/", "/wpsx"),
        ("/v2/SignOut", "/v2"),
        ("/logout/SignOut", "/logout"),
    ] {
        let answer = ask(&mount, get(path)).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (StatusCode::FOUND, Some(location)),
            "{path}"
        );
    }
    for (path, vendor) in [
        ("/services/SignOut", "assets"),
        ("/services/x/signout", "assets"),
        ("/v1/SignOut", "wix"),
        ("/_api/SignOut", "wix"),
        ("/wps/SignOut", "hcl-dx"),
        ("/wps/portal/x/SignOut", "hcl-dx"),
        ("/news//SignOut", "sitefinity"),
        ("/news/SignOut;x", "sitefinity"),
        ("/wps/portal/ibm_security_logout/", "hcl-dx"),
    ] {
        let answer = ask(&mount, get(path)).await;
        assert_eq!(
            (not_found(&answer), answer.header("logout-receipt")),
            (Some(vendor), None),
            "{path}"
        );
    }
    let servlet = ask(
        &mount,
        get("/wps/portal/ibm_security_logout?logoutExitPage=/portal"),
    )
    .await;
    assert_eq!(
        (servlet.status, servlet.header("location")),
        (StatusCode::FOUND, Some("/wps/portal"))
    );

    // Of two sites below one another, the longer prefix decides; a reserved path is neither's.
    let sites = vec![
        mounted("sitefinity", "cms", "/", &services),
        mounted("sitefinity", "de", "/de", &services),
    ];
    let mount = Mount::with(
        sites,
        &["/", "/receipts/"],
        TrustedProxies::default(),
        Limits::default(),
    )
    .unwrap();
    for (path, location) in [
        ("/news/SignOut", "/news"),
        ("/de/news/SignOut", "/de/news"),
        ("/dex/news/SignOut", "/dex/news"),
    ] {
        assert_eq!(
            ask(&mount, get(path)).await.header("location"),
            Some(location),
            "{path}"
        );
    }
    for path in ["/de/SignOut", "/de/news//SignOut"] {
        assert_eq!(
            not_found(&ask(&mount, get(path)).await),
            Some("sitefinity"),
            "{path}"
        );
    }
    assert_eq!(
        ask(&mount, get("/receipts/SignOut")).await.body,
        "the app knows no such page"
    );
}

#[actix_web::test]
async fn two_endpoints_of_any_depth_that_have_a_path_in_common_are_refused_by_name() {
    let services = services().await;
    let portal = |name: &str, prefix: &str, context: &str| {
        let platform = Platform::new(name, format!("http://hub.example{prefix}").parse().unwrap());
        let config_service =
            logout_hcl_dx::ConfigService::default().with("uri.context.path", context);
        let config = HclDxConfig {
            config_service,
            ..HclDxConfig::default()
        };
        let provider = Arc::new(HclDxProvider::new(config, &platform).unwrap());
        let sessions =
            SessionAuthority::new(Arc::new(platform), provider.clone(), services.clone());
        MountedPlatform::new(provider, sessions)
    };
    let fault = |platforms| Mount::new(platforms).err();
    // The programming interface of both is at the same address anyway.
    assert!(matches!(
        fault(vec![portal("one", "", "/a"), portal("two", "", "/b")]),
        Some(MountError::Overlap { .. })
    ));
    assert_eq!(
        fault(vec![portal("one", "", ""), portal("two", "/two", "")]),
        None
    );
    assert_eq!(
        fault(vec![
            portal("one", "", ""),
            mounted("sitefinity", "cms", "", &services)
        ]),
        None
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
    let mount = Mount::with(
        platforms,
        &[],
        TrustedProxies::default(),
        Limits {
            body: 8,
            ..Limits::default()
        },
    )
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

#[actix_web::test]
async fn platforms_that_claim_one_address_are_refused_by_name() {
    let services = services().await;
    let cms = |name: &str, prefix: &str| mounted("sitefinity", name, prefix, &services);
    let fault = |platforms, reserved: &[&str]| {
        Mount::with(
            platforms,
            reserved,
            TrustedProxies::default(),
            Limits::default(),
        )
        .err()
    };
    let overlap = fault(vec![cms("one", "/"), cms("two", "/")], &[]);
    assert!(
        matches!(overlap, Some(MountError::Overlap { one, other, .. }) if one == "one" && other == "two")
    );
    assert_eq!(
        fault(vec![cms("one", "/"), cms("one", "/a")], &[]),
        Some(MountError::SameName("one".to_owned()))
    );
    let reserved = fault(vec![cms("one", "/")], &["/sitefinity/signout"]);
    assert_eq!(
        reserved,
        Some(MountError::Reserved {
            platform: "one".to_owned(),
            path: "/sitefinity/signout".to_owned()
        })
    );
    for allowed in [
        vec![cms("one", "/a"), cms("two", "/b")],
        vec![
            at_host(cms("one", "/"), "a.example"),
            at_host(cms("two", "/"), "b.example"),
        ],
        vec![at_host(cms("one", "/"), "a.example"), cms("two", "/")],
    ] {
        assert_eq!(fault(allowed, &[]), None);
    }
}
