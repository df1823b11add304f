//! The commands that the demo prints, run as somebody would paste them.

use std::process::Command;
use std::time::Duration;

use logout_tests::demo::{Demo, rows};
use logout_tests::process;

/// The cookie jars that the printed commands use.
const JARS: [&str; 3] = ["dam.jar", "portal.jar", "cms.jar"];

/// How long the printed commands may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The commands that the demo prints, a line each, from the first heading on.
fn commands(demo: &Demo) -> Vec<String> {
    let mut lines = Vec::new();
    // The last one is Wix's sign-out: vendors come in the order of their names.
    while !lines
        .last()
        .is_some_and(|line: &String| line.contains("/authentication/v1/logout"))
    {
        lines.push(demo.server.line());
    }
    lines
}

pub(super) fn every_one_works() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let lines = commands(&demo);
    assert_eq!(
        lines.iter().filter(|line| line.contains("curl -i")).count(),
        5,
        "{lines:#?}"
    );
    // All of them in one shell, as somebody would paste them, with a mark behind each. Before a
    // sign-out empties a jar, a copy of it is put aside.
    let data = demo.server.greeting()["data"].as_str().unwrap().to_owned();
    let mut script = String::new();
    for line in &lines {
        for jar in JARS
            .iter()
            .filter(|jar| line.starts_with("curl -i") && line.contains(*jar))
        {
            script += &format!("cp '{data}/{jar}' 'old-{jar}'\n");
        }
        script += &format!("{line}\necho; echo '<<<'\n");
    }
    let product = |name: &str| format!("http://{}", demo.product(name));
    for replay in [
        format!("curl -s -b old-dam.jar {}/services/profile", product("dam")),
        format!(
            "curl -s -b old-portal.jar -X POST -w ' %{{http_code}}' {}/dx/api/core/v1/auth/validate",
            product("portal")
        ),
        format!(
            "curl -s -b old-cms.jar {}/rest-api/login-status",
            product("cms")
        ),
        format!(
            "curl -s -b '{data}/cms.jar' {}/rest-api/login-status",
            product("cms")
        ),
        format!(
            "curl -s -H \"Authorization: $TOKEN\" -w ' %{{http_code}}' {}/members/v1/members/my",
            product("shop")
        ),
    ] {
        script += &format!("{replay}\necho; echo '<<<'\n");
    }
    let mut shell = Command::new("sh");
    shell
        .args(["-eu"])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("no_proxy", "*");
    let ended = process::run(&mut shell, script.as_bytes(), PATIENCE).unwrap();
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{output}\n{}", ended.stderr);
    let outputs: Vec<&str> = output.split("\n<<<\n").collect();
    let answer = |part: &str| {
        let at = lines
            .iter()
            .position(|line| line.contains(part) && line.contains("curl"))
            .unwrap_or_else(|| panic!("no {part}"));
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
        (
            "/Sitefinity/SignOut?sts_signout=true",
            "302",
            "Set-Cookie: .AspNet.Cookies=;",
        ),
        ("/api/receipts/", "200", "\"confirmed\""),
        (
            "/authentication/v1/logout",
            "302",
            &format!("{}/", demo.server.base()),
        ),
    ] {
        let answer = answer(sign_out);
        let has = answer.to_lowercase().contains(&told.to_lowercase());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && has,
            "{sign_out}: {answer}"
        );
    }
    let replayed = &outputs[lines.len()..lines.len() + 5];
    let signed_out = [
        "\"errorcode\":401",
        " 401",
        "\"IsLoggedIn\":false",
        "\"IsLoggedIn\":false",
        " 401",
    ];
    for (told, replayed) in signed_out.iter().zip(replayed) {
        assert!(
            replayed.contains(told),
            "an old credential, replayed: {replayed}"
        );
    }
    // The visitor whose token began Wix's login stays, and is nobody.
    let left: Vec<_> = rows(&demo.page())
        .into_iter()
        .filter(|row| row.len() == 5 && row[4] != "none")
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert!(
        !demo.page().contains("@example.com")
            && left.contains(&("shop".to_owned(), "a visitor".to_owned())),
        "{left:#?}"
    );
}
