//! Every key that the documentation names, checked and served.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use logout_core::credential::Secret;
use logout_tests::http::Request;
use logout_tests::server::{self, Server};
use serde_json::json;

use crate::sample::CLIENT;

/// A configuration with every key that the documentation names, and the files it refers to.
fn write_every_key(folder: &Path) {
    let hash = logout_identity::hash_password(&Secret::new("alices-password")).unwrap();
    fs::write(
        folder.join("ConfigService.properties"),
        "# the vendor's own\nredirect.logout=true\nuri.home.public = /portal\n",
    )
    .unwrap();
    let text = format!(
        r##"
[server]
listen     = "127.0.0.1:8080"
public_url = "http://127.0.0.1:8080"
trusted_proxies = []
log_format = "text"
[admin]
listen     = "127.0.0.1:0"
token_file = "admin.token"
[store]
url = "disk:hub-data"
[sessions]
idle_timeout = "30m"
absolute_timeout = "12h"
[redirects]
allow = ["https://www.example.com", "https://*.example.org"]

[[account]]
name = "alice"
password_hash = "{hash}"
realm = "Default"
person = "alice@example.com"
email = "alice@example.com"
display_name = "Alice"
groups = []
administrator = false

[[platform]]
name = "cms"
vendor = "sitefinity"
public_url = "https://cms.example.com"
host = "cms.example.com"
prefix = ""
reach = "session"
redirects = ["https://cms.example.com"]
cookies = {{ secure = "auto", domain = "", same_site = "lax" }}
cors_origins = []
require_same_site = false
cookie_names = {{ session = ".AspNet.Cookies", token_service = "idsrv", extra = ["SF-TokenId"] }}
default_provider = "Default"

[[platform]]
name = "dam"
vendor = "assets"
profile = "assets6"
errors_as_status = false
landing_page = "/"

[[platform]]
name = "shop"
vendor = "wix"
response = "auto"
require_authorization = false
member_flag = true
[[platform.app]]
client_id = "12345678-1234-1234-1234-123456789012"
redirect_uris = ["https://mysite.com/goodbye"]
redirect_domains = ["mysite.com"]

[[platform]]
name = "portal"
vendor = "hcl-dx"
config_service = {{ "redirect.logout" = true, "redirect.logout.url" = "https://portal.example.com/home" }}
config_service_file = "ConfigService.properties"
logout_without_session = "unauthorized"
track_logged_out_tokens = true
[[platform.content]]
id = "3f1c2a9e-0000-4000-8000-000000000001"
title = "Welcome"
anonymous = true
readers = ["alice"]
"##
    );
    fs::write(folder.join("hub.toml"), text).unwrap();
}

pub(super) fn every_key() {
    let folder = tempfile::tempdir().unwrap();
    write_every_key(folder.path());
    let checked = server::run(&["check-config", "--config", "hub.toml"], folder.path());
    assert!(checked.status.success(), "{}", checked.stderr);
    assert_eq!(
        String::from_utf8_lossy(&checked.stdout),
        "ok: 4 platforms\n"
    );
    assert!(
        !folder.path().join("hub-data").exists() && !folder.path().join("admin.token").exists(),
        "a check writes nothing"
    );

    let mut command = Command::new(server::binary());
    let server = Server::start(
        command.args(["serve", "--config", "hub.toml", "--listen", "127.0.0.1:0"]),
        folder.path(),
    );
    let send = |request: Request| request.send(server.address());
    let answer = send(Request::get("/Sitefinity/SignOut").header("Host", "cms.example.com"));
    assert_eq!((answer.status, answer.header("location")), (302, Some("/")));
    assert_eq!(
        send(Request::get("/Sitefinity/SignOut")).status,
        404,
        "the site answers at its host only"
    );
    let profile = send(
        Request::post("/services/login")
            .form(&[("username", "alice"), ("password", "alices-password")]),
    );
    assert_eq!(profile.json()["loginSuccess"], true, "{}", profile.text());
    assert_eq!(
        send(Request::get(&format!("/v1/logout?clientId={CLIENT}"))).status,
        200
    );
    let content = "/dx/api/core/v1/dxrest/webcontent/contents/3f1c2a9e-0000-4000-8000-000000000001";
    assert_eq!(
        send(Request::get(content)).json()["title"]["value"],
        "Welcome"
    );
    let login = send(
        Request::post("/dx/api/core/v1/auth/login")
            .json(&json!({ "username": "alice", "password": "alices-password" })),
    );
    let cookie = format!("LtpaToken2={}", login.cookie("LtpaToken2").unwrap());
    let out = send(Request::post("/dx/api/core/v1/auth/logout").header("Cookie", &cookie));
    assert_eq!(out.json()["redirectUrl"], "https://portal.example.com/home");

    assert!(folder.path().join("hub-data").is_dir());
    let mode = fs::metadata(folder.path().join("admin.token"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        server.admin("/api/receipts", folder.path()).json()["receipts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
