//! Paths that no endpoint takes: refused in the words of the platform that they were meant for.

use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use logout_actix::{Limits, Mount, MountedPlatform, TrustedProxies};

use crate::{Answer, all_four, ask, at_host, get, mounted, services, to};

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
