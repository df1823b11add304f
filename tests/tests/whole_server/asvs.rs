//! What the Application Security Verification Standard asks of every connection and every answer;
//! see `docs/asvs.md`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use logout_tests::http::{Answer, Request};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::tls::Certificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};

use crate::configuration::serve;
use crate::sample::PLATFORMS;

pub(crate) fn add(run: &mut Run) {
    run.test(
        "asvs::tls_is_1_3_where_the_client_can_and_never_older_than_1_2",
        &[],
        tls_is_1_3_where_the_client_can_and_never_older_than_1_2,
    );
    run.test(
        "asvs::every_body_says_what_it_is",
        &[],
        every_body_says_what_it_is,
    );
}

fn tls_is_1_3_where_the_client_can_and_never_older_than_1_2() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::new();
    let server = serve(
        folder.path(),
        StoreKind::Disk,
        &certificate.server_line(),
        PLATFORMS,
    );
    let agreed = |versions: &[&'static SupportedProtocolVersion]| {
        agreed_version(server.address(), &certificate, versions)
    };
    assert_eq!(agreed(&[&TLS12, &TLS13]), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(agreed(&[&TLS12]), Some(ProtocolVersion::TLSv1_2));
    for minor in [0, 1, 2] {
        let [level, description] = alert(server.address(), minor);
        assert!(
            level == FATAL && REFUSALS.contains(&description),
            "SSL 3.0, TLS 1.0 or 1.1: 3.{minor}, {level} {description}"
        );
    }
}

/// The level of an alert that ends a connection (RFC 5246, section 7.2).
const FATAL: u8 = 2;
/// `handshake_failure` and `protocol_version`.
const REFUSALS: [u8; 2] = [40, 70];

/// What a client that speaks these versions and the server agree on.
fn agreed_version(
    address: SocketAddr,
    certificate: &Certificate,
    versions: &[&'static SupportedProtocolVersion],
) -> Option<ProtocolVersion> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate.file()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let mut connection =
        rustls::ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap())
            .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    connection.protocol_version()
}

/// Level and description of the alert that answers a greeting of version 3.`minor`. The library
/// that the hub speaks TLS with cannot send such a greeting, so it is written out.
fn alert(address: SocketAddr, minor: u8) -> [u8; 2] {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, minor, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&record).unwrap();
    let mut received = [0; 7];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(received[0], 21, "{received:?} is no alert");
    [received[5], received[6]]
}

/// Addresses of every vendor, and some of nobody.
const TARGETS: &[&str] = &[
    "/",
    "/services/login",
    "/services/logout",
    "/services/profile",
    "/services/ping",
    "/services/search?q=",
    "/logout",
    "/dx/api/core/v1/auth/login",
    "/dx/api/core/v1/auth/logout",
    "/dx/api/core/v1/auth/validate",
    "/dx/api/core/v1/dxmyrest/webcontent/contents/x",
    "/wps/portal",
    "/wps/myportal",
    "/Sitefinity/SignOut",
    "/Sitefinity/SignOut?redirect=false",
    "/sitefinity/anticsrf",
    "/sitefinity/login-handler",
    "/sitefinity/oauth/token",
    "/api/default/users/current",
    "/v1/logout",
    "/oauth2/token",
    "/oauth2/token-info",
    "/members/v1/members/my",
    "/_api/oauth2/authorize",
    "/_api/iam/authentication/v2/login",
    "/redirect-session/v1/redirect-session",
    "/receipts/nothing",
    "/nowhere",
];

fn every_body_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), StoreKind::Disk, "", PLATFORMS);
    let mut bodies = 0;
    let mut look_at = |request: Request, address: SocketAddr| {
        let shown = format!("{request:?}");
        let answer = request.send(address);
        bodies += usize::from(!answer.body.is_empty());
        assert_says_what_it_is(&answer, &shown);
    };
    for target in TARGETS {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            look_at(Request::new(method, target), server.address());
            let cookies = "LtpaToken2=x; authToken=x; smSession=x; .AspNet.Cookies=x";
            look_at(
                Request::new(method, target)
                    .header("Cookie", cookies)
                    .body("{"),
                server.address(),
            );
        }
    }
    for target in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/.well-known/jwks.json",
        "/api/sessions",
        "/check/wix",
    ] {
        look_at(Request::get(target), server.admin_address());
        look_at(Request::post(target), server.admin_address());
    }
    assert!(bodies > 100, "only {bodies} answers had a body");
}

/// RFC 9110, section 8.3; `charset` for what is text (RFC 6838, section 4.2.1).
fn assert_says_what_it_is(answer: &Answer, request: &str) {
    let text = answer.text();
    if text.is_empty() {
        return;
    }
    let types: Vec<&str> = answer.headers_named("content-type").collect();
    let [media_type] = types[..] else {
        panic!("{types:?} {text} {request}")
    };
    let media_type = media_type.to_ascii_lowercase();
    let is = |requested: &str| media_type.starts_with(requested);
    let fits = match text.trim_start().chars().next() {
        Some('{' | '[') => is("application/json") || is("application/problem+json"),
        Some('<') => is("text/html"),
        _ => is("text/plain"),
    };
    assert!(fits, "{media_type}: {text} {request}");
    assert!(
        !is("text/") || media_type.contains("charset=utf-8"),
        "{media_type}: {text} {request}"
    );
}
