//! The demo, by its own instructions.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use logout_tests::http::Request;
use logout_tests::process;
use logout_tests::server::{self, Server};
use logout_tests::skip::{Need, Run};
use serde_json::Value;

/// The cookie jars that the printed commands use.
const JARS: [&str; 3] = ["dam.jar", "portal.jar", "cms.jar"];
/// How long the printed commands may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn add(run: &mut Run) {
    run.test("demo::every_printed_command_works", &[Need::Curl], printed_commands);
    run.test("demo::the_index_lists_platforms_endpoints_and_who_is_signed_in", &[], index);
    run.test("demo::only_loopback_is_served", &[], only_loopback);
    run.test("demo::live_sessions_survive_a_restart_and_ended_ones_stay_ended", &[], restart);
}

fn demo(folder: &Path) -> Server {
    Server::start(Command::new(server::binary()).args(["demo", "--listen", "127.0.0.1:0", "--data", "data"]), folder)
}

/// The commands that the demo prints, a line each, from the first heading on.
fn commands(demo: &Server) -> Vec<String> {
    let mut lines = Vec::new();
    // The last one is Wix's sign-out: vendors come in the order of their names.
    while !lines.last().is_some_and(|line: &String| line.contains("/authentication/v1/logout")) {
        lines.push(demo.line());
    }
    lines
}

fn printed_commands() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo(folder.path());
    let lines = commands(&demo);
    assert_eq!(lines.iter().filter(|line| line.contains("curl -i")).count(), 5, "{lines:#?}");
    // All of them in one shell, as somebody would paste them, with a mark behind each. Before a sign-out empties a jar, a copy
    // of it is put aside.
    let data = demo.greeting()["data"].as_str().unwrap().to_owned();
    let mut script = String::new();
    for line in &lines {
        for jar in JARS.iter().filter(|jar| line.starts_with("curl -i") && line.contains(*jar)) {
            script += &format!("cp '{data}/{jar}' 'old-{jar}'\n");
        }
        script += &format!("{line}\necho; echo '<<<'\n");
    }
    let base = demo.base();
    for replay in [
        format!("curl -s -b old-dam.jar {base}/services/profile"),
        format!("curl -s -b old-portal.jar -X POST -w ' %{{http_code}}' {base}/dx/api/core/v1/auth/validate"),
        format!("curl -s -b old-cms.jar {base}/rest-api/login-status"),
        format!("curl -s -H \"Authorization: $TOKEN\" -w ' %{{http_code}}' {base}/members/v1/members/my"),
        format!("curl -s -H \"Authorization: Bearer $ADMIN\" {base}/rest-api/login-status"),
    ] {
        script += &format!("{replay}\necho; echo '<<<'\n");
    }
    let mut shell = Command::new("sh");
    shell.args(["-eu"]).current_dir(folder.path()).env("HOME", folder.path()).env("no_proxy", "*");
    let ended = process::run(&mut shell, script.as_bytes(), PATIENCE).unwrap();
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{output}\n{}", ended.stderr);
    let outputs: Vec<&str> = output.split("\n<<<\n").collect();
    let answer = |part: &str| {
        let at = lines.iter().position(|line| line.contains(part) && line.contains("curl")).unwrap_or_else(|| panic!("no {part}"));
        outputs[at].trim().to_owned()
    };

    for (probe, told) in [
        ("/services/profile", "\"username\":\"alice\""),
        ("/auth/login", "Login Successful"),
        ("/dxmyrest/", "For signed-in people"),
        ("/rest-api/login-status", "\"IsLoggedIn\":true"),
        ("/members/my", "alice@example.com"),
    ] {
        assert!(answer(probe).contains(told), "{probe}: {}", answer(probe));
    }
    for (sign_out, status, told) in [
        ("/services/logout", "200", "{\"logoutSuccess\":true}"),
        ("/auth/logout", "200", "You are successfully logged out"),
        ("/Sitefinity/SignOut?sts_signout=true", "302", "Set-Cookie: .AspNet.Cookies=;"),
        ("/Sitefinity/SignOut?provider=Default&username=alice", "302", "Location: /"),
        ("/authentication/v1/logout", "302", &format!("{}/", demo.base())),
    ] {
        let answer = answer(sign_out);
        let has = answer.to_lowercase().contains(&told.to_lowercase());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && has, "{sign_out}: {answer}");
    }
    let replayed = &outputs[lines.len()..lines.len() + 5];
    for (told, replayed) in ["\"errorcode\":401", " 401", "\"IsLoggedIn\":false", " 401", "\"IsLoggedIn\":true"].iter().zip(replayed) {
        assert!(replayed.contains(told), "an old credential, replayed: {replayed}");
    }
    let index = Request::get("/").send(demo.address()).text();
    let signed_in: Vec<&str> = index.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap().lines().collect();
    let rows = |platform: &str| signed_in.iter().filter(|line| line.contains(&format!("<tr><td>{platform}</td>"))).count();
    // What is left is the administrator, and the shop's visitor, whose token nobody signs out.
    assert_eq!(["dam", "portal", "cms", "shop"].map(rows), [0, 0, 1, 1], "{signed_in:#?}");
}

fn index() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo(folder.path());
    let page = || Request::get("/").header("Accept", "text/html").send(demo.address());
    let empty = page();
    assert_eq!(empty.status, 200);
    assert!(empty.text().contains("Nobody is signed in"));
    let head = Request::new("HEAD", "/").send(demo.address());
    assert_eq!((head.status, head.text().as_str()), (200, ""));
    for listed in ["<h2>cms</h2>", "<h2>dam</h2>", "<h2>portal</h2>", "<h2>shop</h2>", "/Sitefinity/SignOut", "/services/logout", "/logout"]
    {
        assert!(empty.text().contains(listed), "{listed}");
    }
    assert!(empty.text().contains("/dx/api/core/v1/auth/logout") && empty.text().contains("/_api/iam/authentication/v1/logout"));
    assert!(empty.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));

    let token = portal_login(&demo, "alice");
    assert!(page().text().contains("<td>portal</td><td>alice</td>"));
    portal_logout(&demo, &token);
    assert!(!page().text().contains("<td>alice</td>"));
}

fn only_loopback() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0"] {
        let ended = server::run(&["demo", "--listen", address, "--data", "data"], folder.path());
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{address}");
        assert!(ended.stderr.contains("loopback") && ended.stderr.contains(address), "{}", ended.stderr);
    }
    assert!(!folder.path().join("data").exists(), "nothing was set up");
}

fn restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = demo(folder.path());
    let (live, ended) = (portal_login(&first, "alice"), portal_login(&first, "alice"));
    let (dam_live, dam_ended) = (dam_login(&first), dam_login(&first));
    portal_logout(&first, &ended);
    let out = Request::post("/services/logout").header("Authorization", &format!("Bearer {dam_ended}")).send(first.address());
    assert_eq!(out.text(), r#"{"logoutSuccess":true}"#);
    first.signal("TERM");
    assert_eq!(first.wait(Duration::from_secs(10)).code(), Some(0));

    let second = demo(folder.path());
    assert_eq!([&live, &ended].map(|token| portal_probe(&second, token)), [200, 401]);
    let dam = |token: &str| {
        let profile = Request::get("/services/profile").header("Authorization", &format!("Bearer {token}")).send(second.address());
        profile.json()["username"].as_str().map(str::to_owned)
    };
    assert_eq!((dam(&dam_live).as_deref(), dam(&dam_ended)), (Some("alice"), None));
}

fn password(demo: &Server, name: &str) -> String {
    demo.greeting()["passwords"][name].as_str().unwrap_or_else(|| panic!("{}", demo.greeting())).to_owned()
}

fn portal_login(demo: &Server, name: &str) -> String {
    let login = serde_json::json!({ "username": name, "password": password(demo, name) });
    let answer = Request::post("/dx/api/core/v1/auth/login").json(&login).send(demo.address());
    answer.cookie("LtpaToken2").unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn portal_logout(demo: &Server, token: &str) {
    let out = Request::post("/dx/api/core/v1/auth/logout").header("Cookie", &format!("LtpaToken2={token}")).send(demo.address());
    assert_eq!(out.status, 200);
    assert_eq!(portal_probe(demo, token), 401);
}

fn portal_probe(demo: &Server, token: &str) -> u16 {
    Request::post("/dx/api/core/v1/auth/validate").header("Cookie", &format!("LtpaToken2={token}")).send(demo.address()).status
}

fn dam_login(demo: &Server) -> String {
    let login = [("username", "alice"), ("password", &password(demo, "alice"))];
    let answer: Value = Request::post("/services/apilogin").form(&login).send(demo.address()).json();
    answer["authToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
