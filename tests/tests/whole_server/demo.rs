//! The demo, by its own instructions.

mod printed_commands;
mod single_logout;

use std::net::TcpListener;
use std::time::Duration;

use logout_tests::demo::{Demo, Jar, SIGN_OUTS, rows};
use logout_tests::http::Request;
use logout_tests::server;
use logout_tests::skip::{Need, Run};

const ALL: [&str; 4] = ["cms", "dam", "portal", "shop"];

pub(crate) fn add(run: &mut Run) {
    run.test(
        "demo::every_printed_command_works",
        &[Need::Curl],
        printed_commands::every_one_works,
    );
    run.test(
        "demo::the_page_lists_platforms_endpoints_and_who_is_signed_in",
        &[],
        page,
    );
    run.test("demo::only_loopback_is_served", &[], only_loopback);
    run.test(
        "demo::sessions_survive_a_restart_and_are_signed_out_everywhere_after_it",
        &[],
        restart,
    );
    run.test(
        "demo::a_port_that_somebody_else_has_by_now_is_replaced_and_sessions_are_told_of_there",
        &[],
        taken_port,
    );
    run.test(
        "demo::one_click_signs_in_at_four_products_and_any_one_link_ends_all_four_sessions",
        &[],
        single_logout::one_click_one_link,
    );
    run.test(
        "demo::a_sign_out_link_leads_to_a_page_when_nobody_is_signed_in",
        &[],
        single_logout::links_of_nobody,
    );
    run.test(
        "demo::a_receipt_is_pending_while_a_product_is_stopped_and_confirmed_once_it_is_back",
        &[],
        single_logout::stopped_and_started,
    );
    run.test(
        "demo::a_stopped_product_keeps_its_sessions_and_its_address",
        &[],
        single_logout::stopped_and_unharmed,
    );
    run.test(
        "demo::a_receipt_names_platforms_and_states_and_nobody",
        &[],
        single_logout::receipt_names_nobody,
    );
    run.test(
        "demo::the_admin_api_is_where_it_was_asked_for",
        &[],
        chosen_admin_address,
    );
    run.test("demo::forms_of_other_pages_are_refused", &[], foreign_forms);
}

fn page() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let empty = Request::get("/")
        .header("Accept", "text/html")
        .send(demo.hub());
    assert!(
        empty.status == 200 && empty.text().contains("Nobody is signed in"),
        "{}",
        empty.text()
    );
    assert!(
        empty
            .header("content-security-policy")
            .is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    assert!(!empty.text().contains("<script") && empty.text().contains("name=\"viewport\""));
    let head = Request::new("HEAD", "/").send(demo.hub());
    assert_eq!((head.status, head.text().as_str()), (200, ""));
    for listed in [
        "/Sitefinity/SignOut",
        "/services/logout",
        "/dx/api/core/v1/auth/logout",
        "/_api/iam/authentication/v1/logout",
    ] {
        assert!(
            empty.text().contains(&format!("<code>{listed}</code>")),
            "{listed}"
        );
    }
    for (name, sign_out) in SIGN_OUTS {
        assert!(
            empty.text().contains(&format!("href=\"{sign_out}\"")),
            "{name}"
        );
        assert!(
            empty
                .text()
                .contains(&format!("http://{}", demo.product(name))),
            "{name}"
        );
    }
    let jar = demo.sign_in();
    let signed_in = rows(&demo.page());
    let row = |name: &str| {
        signed_in
            .iter()
            .find(|row| row[0] == name)
            .unwrap_or_else(|| panic!("no {name}: {signed_in:?}"))
    };
    for name in ALL {
        assert_eq!(
            (row(name)[1].as_str(), row(name)[4].as_str()),
            ("alice@example.com", "alive"),
            "{name}"
        );
    }
    assert_eq!(signed_in.len(), 4, "{signed_in:?}");

    // Told behind the hub's back: what the page says of a session is what the product says.
    let token = &jar.0["LtpaToken2"];
    let out = Request::post("/dx/api/core/v1/auth/logout")
        .header("Cookie", &format!("LtpaToken2={token}"))
        .send(demo.product("portal"));
    assert_eq!(out.status, 200);
    let signed_in = rows(&demo.page());
    assert!(
        signed_in
            .iter()
            .all(|row| row[4] == if row[0] == "portal" { "over" } else { "alive" }),
        "{signed_in:?}"
    );
}

fn only_loopback() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0"] {
        for option in ["--listen", "--admin"] {
            let ended = server::run(&["demo", option, address, "--data", "data"], folder.path());
            assert!(
                !ended.status.success() && ended.stdout.is_empty(),
                "{option} {address}"
            );
            assert!(
                ended.stderr.contains("loopback") && ended.stderr.contains(address),
                "{}",
                ended.stderr
            );
        }
    }
    assert!(!folder.path().join("data").exists(), "nothing was set up");

    let demo = Demo::start(folder.path());
    let sockets = listening(demo.server.id());
    assert!(
        sockets.len() >= 5
            && sockets
                .iter()
                .all(|address| address.starts_with("0100007F:")),
        "{sockets:?}"
    );
}

fn chosen_admin_address() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let demo = Demo::with(&["--admin", &address.to_string()], folder.path());
    assert_eq!(demo.server.greeting()["admin"], format!("http://{address}"));
    let token = std::fs::read_to_string(folder.path().join("data/admin.token")).unwrap();
    let sessions = Request::get("/api/sessions")
        .header("Authorization", &format!("Bearer {}", token.trim()))
        .send(address);
    assert_eq!(
        (sessions.status, sessions.text().as_str()),
        (200, "{\"next\":null,\"sessions\":[]}\n")
    );
    for (at, target) in [
        (address, "/healthz"),
        (address, "/openapi.json"),
        (address, "/nothing"),
        (demo.hub(), "/"),
        (demo.hub(), "/nothing"),
        (demo.hub(), "/receipts/x"),
    ] {
        let body = Request::get(target).send(at).text();
        assert!(
            body.ends_with('\n') && !body.ends_with("\n\n"),
            "{target}: {body:?}"
        );
    }
}

/// The addresses that a process listens on, as the kernel writes them.
fn listening(process: u32) -> Vec<String> {
    let folder = format!("/proc/{process}/fd");
    let own: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            std::fs::read_link(entry.ok()?.path())
                .ok()?
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(str::to_owned)
        })
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text =
            std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // State 0A is LISTEN, field 9 the inode.
            if fields.get(3) == Some(&"0A")
                && fields
                    .get(9)
                    .is_some_and(|inode| own.iter().any(|known| known == inode))
            {
                found.push(fields[1].to_owned());
            }
        }
    }
    found
}

fn restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = Demo::start(folder.path());
    let mut ended = first.sign_in();
    let old = ended.clone();
    first.sign_out("/logout", &mut ended);
    let live = first.sign_in();
    assert_eq!(
        (first.alive(&live), first.alive(&old)),
        (ALL.to_vec(), vec![])
    );
    let places: Vec<_> = ALL.iter().map(|name| first.product(name)).collect();
    let password = first.password("alice");
    first.server.signal("TERM");
    assert_eq!(first.server.wait(Duration::from_secs(20)).code(), Some(0));

    let second = Demo::start(folder.path());
    assert_eq!(ALL.map(|name| second.product(name)).to_vec(), places);
    assert_eq!(
        second.password("alice"),
        password,
        "sessions end with the password that they were opened with"
    );
    assert_eq!(
        (second.alive(&live), second.alive(&old)),
        (ALL.to_vec(), vec![])
    );
    // What the hub must give back to the products was sealed by the first, and is opened by the
    // second.
    let mut jar = live.clone();
    let receipt = second.sign_out("/Sitefinity/SignOut?sts_signout=true", &mut jar);
    second.wait_for(&receipt, |page| page.contains("4 of 4 confirmed"));
    assert_eq!(second.alive(&live), [""; 0]);
}

fn taken_port() {
    let folder = tempfile::tempdir().unwrap();
    let first = Demo::start(folder.path());
    let live = first.sign_in();
    let place = first.product("cms");
    first.server.signal("TERM");
    assert_eq!(first.server.wait(Duration::from_secs(20)).code(), Some(0));

    let _somebody_else = TcpListener::bind(place).unwrap();
    let second = Demo::start(folder.path());
    assert_ne!(second.product("cms"), place);
    assert_eq!(second.alive(&live), ALL);
    let receipt = second.sign_out("/logout", &mut live.clone());
    second.wait_for(&receipt, |page| page.contains("4 of 4 confirmed"));
    assert_eq!(second.alive(&live), [""; 0]);
}

fn foreign_forms() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let token = demo.token();
    let refused = |request: Request| {
        let answer = request.send(demo.hub());
        assert!(
            (400..500).contains(&answer.status) && answer.header("set-cookie").is_none(),
            "{} {}",
            answer.status,
            answer.text()
        );
    };
    for target in ["/demo/sign-in", "/demo/stand-ins/cms/stop"] {
        refused(Request::post(target));
        refused(Request::post(target).form(&[("token", "")]));
        refused(Request::post(target).form(&[("token", &token[1..])]));
        refused(
            Request::post(target)
                .header("Host", "evil.example")
                .form(&[("token", &token)]),
        );
        refused(Request::get(target));
    }
    refused(Request::post("/demo/stand-ins/other/stop").form(&[("token", &token)]));
    assert_eq!(demo.alive(&Jar::default()), [""; 0]);
    assert_eq!(Request::get("/").send(demo.product("cms")).status, 200);
}
