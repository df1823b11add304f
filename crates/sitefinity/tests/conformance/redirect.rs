//! Where a browser may be sent.

use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::support::*;

/// Ways to begin an address that a naive check lets through.
const BEGINNINGS: &[&str] = &[
    "https://",
    "http://",
    "HTTPS://",
    "https:",
    "https:/",
    "https:///",
    "//",
    "///",
    "////",
    "/\\",
    "\\\\",
    "\\/",
    "/\t/",
    "\t//",
    "/\n/",
    "/.//",
    "/..//",
    "/x/..//",
    "./\\",
    "/%2e%2e//",
    "%2f%2f",
    "/%2f",
    "/%5c",
    "%5c%5c",
    "/%09/",
    "/;//",
    "?//",
    "~//",
    "~/\\",
    "https:\\\\",
    "ftp://",
    "javascript://",
    "data://",
    "blob:https://",
    "view-source:https://",
    "\u{200b}https://",
    "\u{feff}//",
    "https://\u{0}",
    "//\u{ad}",
];

/// Ways to write a foreign host, some of which hold the name of one that is allowed.
const HOSTS: &[&str] = &[
    "evil.test",
    "cms.example@evil.test",
    "www.example.com@evil.test",
    "x:y@evil.test",
    "cms.example%40evil.test",
    "www.example.com%2540evil.test",
    "cms.example.evil.test",
    "www.example.com.evil.test",
    "evil.test/www.example.com",
    "evil.test?www.example.com",
    "evil.test#www.example.com",
    "evil.test\\@cms.example",
    "evil.test\\.www.example.com",
    "evil.test%2f.www.example.com",
    "xwww.example.com",
    "evil.test@www.example.com",
    "evil:x@cms.example",
    "evil-www.example.com",
    "evil\u{3002}test",
    "[::1]",
    "127.1",
    "0x7f000001",
    "www.example.com:8443",
    "www.example.com.",
    "cms.example:8080",
    "evil.test%00.cms.example",
];

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// Every beginning with every host: as it is, and encoded once more.
fn attacks() -> impl Iterator<Item = String> {
    let plain = BEGINNINGS
        .iter()
        .flat_map(|start| HOSTS.iter().map(move |host| format!("{start}{host}/x")));
    plain.flat_map(|text| [encoded(&text), text])
}

/// Asserts that a browser that asked for `asked` stays at the platform or goes where it may.
fn assert_stays(location: &str, asked: &str, requested: &str) {
    let reached = Url::parse(asked).unwrap().join(location).unwrap();
    let origin = reached.origin().ascii_serialization();
    assert!(
        matches!(
            origin.as_str(),
            "http://cms.example" | "https://www.example.com"
        ),
        "{requested:?} leads to {reached}"
    );
    assert!(
        !location.starts_with("//")
            && !location.contains('\\')
            && location.bytes().all(|byte| byte.is_ascii_graphic()),
        "{location:?}"
    );
    assert!(
        reached.username().is_empty() && reached.password().is_none(),
        "{reached}"
    );
}

#[test]
fn no_sign_out_leads_to_a_foreign_site_and_each_is_done() {
    let cms = Cms::new();
    for requested in attacks() {
        let alice = cms.login("alice");
        let response =
            cms.send(alice.sends(sign_out(&format!("redirect_uri={}", encoded(&requested)))));
        assert_eq!(response.status(), 302, "{requested:?}");
        assert_stays(
            header(&response, "location").unwrap(),
            "http://cms.example/Sitefinity/SignOut",
            &requested,
        );
        assert!(!cms.site_lives(&alice.site), "{requested:?}");
    }
}

#[test]
fn no_sign_out_below_a_prefix_leads_to_a_foreign_site() {
    let mut platform =
        logout_core::platform::Platform::new("cms", "http://cms.example/cms".parse().unwrap());
    platform.redirects = vec!["https://www.example.com".to_owned()];
    let cms = Cms::at(platform);
    for requested in attacks() {
        let response = cms.send(sign_out(&format!("redirect_uri={}", encoded(&requested))));
        assert_stays(
            header(&response, "location").unwrap(),
            "http://cms.example/cms/Sitefinity/SignOut",
            &requested,
        );
    }
}

#[test]
fn no_login_leads_to_a_foreign_site() {
    let cms = Cms::new();
    let alice = cms.login("alice");
    for requested in attacks() {
        let value = encoded(&requested);
        let handler = "http://cms.example/sitefinity/login-handler";
        let response = cms.login_with(
            "bob",
            post("/sitefinity/login-handler"),
            &format!("RedirectUrl={value}"),
        );
        assert_stays(header(&response, "location").unwrap(), handler, &requested);
        let response = cms.login_with(
            "nobody",
            post("/sitefinity/login-handler"),
            &format!("ErrorRedirectUrl={value}"),
        );
        assert!(
            header(&response, "location")
                .unwrap()
                .contains("loginerror=True"),
            "{requested:?}"
        );
        assert_stays(header(&response, "location").unwrap(), handler, &requested);
        let response =
            cms.send(alice.sends(get(SIGN_IN).with_query(format!("redirect_uri={value}"))));
        assert_stays(
            header(&response, "location").unwrap(),
            &format!("http://cms.example{SIGN_IN}"),
            &requested,
        );
    }
}

#[test]
fn a_cleanly_foreign_address_leads_to_the_root() {
    let cms = Cms::new();
    for requested in [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "https://good%40evil.test",
        "https://good@evil.test",
        "javascript:alert(1)",
        "%2F%2Fevil.test",
        "https://cms.example/",
        "http://cms.example:8080/",
        "https://www.example.com.evil.test/",
        "http://www.example.com/",
    ] {
        let response = cms.send(sign_out(&format!("redirect_uri={}", encoded(requested))));
        assert_eq!(header(&response, "location"), Some("/"), "{requested}");
    }
}

#[test]
fn the_host_that_a_client_names_plays_no_part() {
    let cms = Cms::new();
    for (name, value) in [
        ("host", "evil.test"),
        ("x-forwarded-host", "evil.test"),
        ("forwarded", "host=evil.test"),
        ("x-original-host", "evil.test"),
    ] {
        let request = |query: &str| sign_out(query).with_header(name, value);
        assert_eq!(
            header(&cms.send(request("")), "location"),
            Some("/"),
            "{name}"
        );
        assert_eq!(
            header(&cms.send(request("redirect_uri=%20home")), "location"),
            Some("/home"),
            "{name}"
        );
        assert_eq!(
            header(
                &cms.send(request("redirect_uri=http://evil.test/")),
                "location"
            ),
            Some("/"),
            "{name}"
        );
    }
}

#[test]
fn no_parameter_adds_a_header_or_breaks_one() {
    let cms = Cms::new();
    let admin = cms.login("admin");
    let breaks: Vec<String> = (0..=0x20)
        .chain([0x7f])
        .map(|byte: u8| format!("%{byte:02X}"))
        .chain(
            [
                "%0d%0a",
                "%0D%0A%20",
                "%E5%98%8A%E5%98%8D",
                "%250d%250a",
                "%C2%85",
                "%E2%80%A8",
                "%FF",
                "%u000a",
            ]
            .map(str::to_owned),
        )
        .collect();
    for text in &breaks {
        for query in [
            format!("redirect_uri=/a{text}Set-Cookie:x=1"),
            format!("redirect_uri={text}Set-Cookie:x=1"),
            format!("redirect_uri=https://www.example.com/{text}Set-Cookie:x=1"),
            format!("username=a{text}Set-Cookie:x=1"),
            format!("provider={text}X:1&username={text}Set-Cookie:x=1"),
            format!("redirect=false{text}Set-Cookie:x=1&sts_signout=true{text}"),
        ] {
            let response = cms.send(admin.sends(sign_out(&query)));
            assert!(matches!(response.status(), 200 | 302), "{query}");
            for (name, value) in response.headers() {
                assert!(!value.chars().any(char::is_control), "{query}: {name}");
                assert!(*name != "set-cookie" || !value.starts_with("x="), "{query}");
            }
            let known = [
                "location",
                "cache-control",
                "pragma",
                "set-cookie",
                "logout-receipt",
            ];
            assert!(
                response
                    .headers()
                    .iter()
                    .all(|(name, _)| known.contains(name)),
                "{query}"
            );
        }
    }
}

#[test]
fn with_redirect_false_nothing_is_said_about_a_return_address() {
    let cms = Cms::new();
    for query in [
        "redirect=false&redirect_uri=/x",
        "redirect_uri=https://evil.test&Redirect=False",
        "redirect=false&redirect_uri=a&redirect_uri=b",
    ] {
        let alice = cms.login("alice");
        let response = cms.send(alice.sends(sign_out(query)));
        assert_eq!(
            (
                response.status(),
                header(&response, "location"),
                response.body()
            ),
            (200, None, &b""[..]),
            "{query}"
        );
        assert!(!cms.site_lives(&alice.site), "{query}");
    }
}
