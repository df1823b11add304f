//! How a server is reached, and what it takes from that: TLS, proxies, its public name and others'.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use logout_hub::Vendor;
use logout_tests::http::{Answer, Request};
use logout_tests::hub::Accounts;
use logout_tests::server::Server;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::tls::Certificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;

use crate::configuration::serve;
use crate::sample::{self, CLIENT, PLATFORMS};

pub(crate) fn add(run: &mut Run) {
    run.on_every_store("outside::over_tls_cookies_are_secure", &[], tls);
    run.test(
        "outside::browsers_are_told_to_come_by_https_only_where_they_do",
        &[],
        hsts,
    );
    run.on_every_store(
        "outside::forwarded_headers_are_believed_from_listed_proxies_only",
        &[],
        proxies,
    );
    run.on_every_store(
        "outside::every_url_begins_with_the_public_one",
        &[],
        public_urls,
    );
    run.on_every_store(
        "outside::no_answer_repeats_a_host_that_the_request_names",
        &[],
        foreign_hosts,
    );
}

/// Sends a request over TLS to a server whose certificate is this one.
fn send_over_tls(address: SocketAddr, certificate: &Certificate, request: &str) -> Answer {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate.file()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection =
        rustls::ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap())
            .unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    Answer::parse(&received).unwrap()
}

fn tls(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::new();
    let server = serve(folder.path(), store, &certificate.server_line(), PLATFORMS);
    assert!(
        server.base().starts_with("https://127.0.0.1:"),
        "{}",
        server.greeting()
    );
    let post = |target: &str, header: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{header}\r\n\r\n{body}"
        );
        send_over_tls(server.address(), &certificate, &request)
    };
    let is_secure = |cookie: &str| cookie.split("; ").any(|part| part == "Secure");
    let login = post(
        "/dx/api/core/v1/auth/login",
        "Content-Type: application/json",
        &json!({ "username": "alice", "password": Accounts::ALICE }).to_string(),
    );
    let set = login.header("set-cookie").expect("a cookie");
    assert!(is_secure(set), "{set}");
    let cookie = format!("Cookie: LtpaToken2={}", login.cookie("LtpaToken2").unwrap());
    assert_eq!(
        post("/dx/api/core/v1/auth/validate", &cookie, "").status,
        200
    );
    let out = post("/dx/api/core/v1/auth/logout", &cookie, "");
    assert_eq!(
        out.json()["redirectUrl"],
        format!("{}/wps/portal", server.base())
    );
    let cleared = out.header("set-cookie").expect("a cookie that is cleared");
    assert!(
        is_secure(cleared) && cleared.contains("Max-Age=0"),
        "{cleared}"
    );
    assert_eq!(
        post("/dx/api/core/v1/auth/validate", &cookie, "").status,
        401
    );
    assert!(
        Request::get("/").try_send(server.address()).is_err(),
        "nothing is served in the clear"
    );
}

fn proxies(store: StoreKind) {
    for (server_line, is_believed) in [
        ("trusted_proxies = [\"127.0.0.1\"]", true),
        ("trusted_proxies = [\"10.0.0.0/8\"]", false),
        ("", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(folder.path(), store, server_line, PLATFORMS);
        let login = Request::post("/dx/api/core/v1/auth/login")
            .header("X-Forwarded-For", "198.51.100.9, 203.0.113.7")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "evil.example")
            .json(&json!({ "username": "alice", "password": Accounts::ALICE }))
            .send(server.address());
        let set = login.header("set-cookie").expect("a cookie");
        assert_eq!(
            set.contains("; Secure"),
            is_believed,
            "{server_line}: {set}"
        );
        let sessions = server.admin("/api/sessions", folder.path()).json();
        let address = sessions["sessions"][0]["address"].as_str().unwrap();
        assert_eq!(
            address,
            if is_believed {
                "203.0.113.7"
            } else {
                "127.0.0.1"
            },
            "{server_line}"
        );
    }
}

fn public_urls(store: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let platforms = PLATFORMS.replace(
        "vendor = \"wix\"",
        "vendor = \"wix\"\npublic_url = \"https://shop.example.com\"",
    );
    sample::configure_with(
        folder.path(),
        store,
        "public_url = \"https://sso.example.com\"",
        &platforms,
    );
    let samples = sample::load(folder.path(), 4);
    let server = Server::serve(folder.path());
    let find = |vendor: Vendor| {
        samples
            .iter()
            .find(|sample| sample.vendor == vendor)
            .unwrap()
    };
    let body = json!({ "logout": { "clientId": CLIENT } });
    let link = find(Vendor::Wix)
        .with(Request::post("/headless/v1/redirect-session").json(&body))
        .send(server.address());
    let session = &link.json()["redirectSession"];
    for url in ["/fullUrl", "/shortUrl", "/urlDetails/endpoint"] {
        let url = session.pointer(url).unwrap().as_str().unwrap();
        assert!(url.starts_with("https://shop.example.com/_api/"), "{url}");
    }
    let out = find(Vendor::HclDx).sign_out().send(server.address());
    assert_eq!(
        out.json()["redirectUrl"],
        "https://sso.example.com/wps/portal"
    );
    let page = Request::get("/wps/myportal").send(server.address());
    assert_eq!(
        page.header("location"),
        Some("https://sso.example.com/wps/portal")
    );
    // The own origin is that of the public URL, and not the address that is listened on.
    for (wanted, location) in [
        (
            "https://sso.example.com/home",
            "https://sso.example.com/home",
        ),
        (&format!("{}/home", server.base()), "/"),
    ] {
        let answer = Request::get(&format!("/Sitefinity/SignOut?redirect_uri={wanted}"))
            .send(server.address());
        assert_eq!(answer.header("location"), Some(location), "{wanted}");
    }
    let index = Request::get("/").send(server.address()).text();
    assert!(
        index.contains("https://sso.example.com") && index.contains("https://shop.example.com")
    );
}

fn hsts() {
    for (server, has) in [
        ("", false),
        ("public_url = \"https://hub.example/\"", true),
        ("public_url = \"https://hub.example/\"\nhsts = false", false),
        ("public_url = \"http://hub.example/\"", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let running = serve(folder.path(), StoreKind::Disk, server, PLATFORMS);
        for target in ["/", "/logout", "/services/profile", "/nothing"] {
            let answer = Request::get(target).send(running.address());
            assert_eq!(
                answer.header("strict-transport-security").is_some(),
                has,
                "{server} {target}"
            );
        }
    }
    let (folder, certificate) = (tempfile::tempdir().unwrap(), Certificate::new());
    let running = serve(
        folder.path(),
        StoreKind::Disk,
        &certificate.server_line(),
        PLATFORMS,
    );
    let answer = send_over_tls(
        running.address(),
        &certificate,
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(
        answer.header("strict-transport-security"),
        Some("max-age=31536000")
    );
}

fn foreign_hosts(store: StoreKind) {
    const EVIL: &str = "evil.example";
    let folder = tempfile::tempdir().unwrap();
    sample::configure(folder.path(), store);
    let mut samples = sample::load(folder.path(), 4 * 100);
    let server = Server::serve(folder.path());
    let forged: [(&str, &[(&str, &str)]); 5] = [
        ("", &[("Host", EVIL)]),
        (
            "",
            &[("Host", "evil.example:443"), ("X-Forwarded-Proto", "https")],
        ),
        (
            "",
            &[
                ("X-Forwarded-Host", EVIL),
                ("X-Forwarded-Server", EVIL),
                ("X-Original-Host", EVIL),
            ],
        ),
        (
            "",
            &[
                ("Forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
                ("X-Host", EVIL),
                ("X-Original-URL", "//evil.example/"),
            ],
        ),
        ("http://evil.example", &[("Host", EVIL)]),
    ];
    let targets: [(Vendor, &str, &str); 16] = [
        (Vendor::Assets, "POST", "/services/logout"),
        (Vendor::Assets, "GET", "/logout"),
        (Vendor::Assets, "POST", "/logout"),
        (Vendor::Assets, "GET", "/services/profile"),
        (Vendor::HclDx, "POST", "/dx/api/core/v1/auth/logout"),
        (
            Vendor::HclDx,
            "GET",
            "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/",
        ),
        (
            Vendor::HclDx,
            "GET",
            "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/?autoRedirect=false",
        ),
        (Vendor::HclDx, "GET", "/wps/portal"),
        (Vendor::HclDx, "GET", "/wps/myportal"),
        (Vendor::Sitefinity, "GET", "/Sitefinity/SignOut"),
        (
            Vendor::Sitefinity,
            "GET",
            "/Sitefinity/SignOut?redirect_uri=/home",
        ),
        (
            Vendor::Sitefinity,
            "GET",
            "/Sitefinity/Authenticate/OpenID/connect/authorize",
        ),
        (Vendor::Wix, "GET", "/_api/iam/authentication/v1/logout"),
        (Vendor::Wix, "GET", "/v1/logout?postLogoutRedirectUri=/home"),
        (Vendor::Wix, "POST", "/headless/v1/redirect-session"),
        (Vendor::Sitefinity, "GET", "/"),
    ];
    for (authority, headers) in forged {
        for (vendor, method, target) in targets {
            for with_session in [true, false] {
                let mut request = Request::new(method, &format!("{authority}{target}"));
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                if target.ends_with("redirect-session") {
                    request = request.json(&json!({ "logout": { "clientId": CLIENT } }));
                }
                if with_session {
                    let at = samples
                        .iter()
                        .position(|sample| sample.vendor == vendor)
                        .expect("enough sessions were loaded");
                    request = samples.swap_remove(at).with(request);
                }
                let answer = request.send(server.address());
                assert!(answer.status < 500, "{request:?}: {}", answer.status);
                let told = format!("{:?} {}", answer.headers, answer.text());
                assert!(!told.contains(EVIL), "{request:?}: {told}");
            }
        }
    }
    let wrong_host = Request::get("/api/sessions")
        .header("Host", EVIL)
        .send(server.admin_address());
    assert_eq!(wrong_host.status, 421, "{}", wrong_host.text());
    assert!(!wrong_host.text().contains(EVIL));
}
