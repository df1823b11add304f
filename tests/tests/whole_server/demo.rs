//! The demo, by its own instructions.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use logout_tests::demo::{Demo, Jar, SIGN_OUTS, rows};
use logout_tests::http::Request;
use logout_tests::process;
use logout_tests::server;
use logout_tests::skip::{Need, Run};
use url::Url;

/// The cookie jars that the printed commands use.
const JARS: [&str; 3] = ["dam.jar", "portal.jar", "cms.jar"];
/// How long the printed commands may take.
const PATIENCE: Duration = Duration::from_secs(120);

const ALL: [&str; 4] = ["cms", "dam", "portal", "shop"];

pub(crate) fn add(run: &mut Run) {
    run.test(
        "demo::every_printed_command_works",
        &[Need::Curl],
        printed_commands,
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
        one_click_one_link,
    );
    run.test(
        "demo::a_sign_out_link_leads_to_a_page_when_nobody_is_signed_in",
        &[],
        links_of_nobody,
    );
    run.test(
        "demo::a_receipt_is_pending_while_a_product_is_stopped_and_confirmed_once_it_is_back",
        &[],
        stopped_and_started,
    );
    run.test(
        "demo::a_stopped_product_keeps_its_sessions_and_its_address",
        &[],
        stopped_and_unharmed,
    );
    run.test(
        "demo::a_receipt_names_platforms_and_states_and_nobody",
        &[],
        receipt_names_nobody,
    );
    run.test("demo::forms_of_other_pages_are_refused", &[], foreign_forms);
}

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

fn printed_commands() {
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
    assert!(
        !demo.page().contains("alice@example.com"),
        "{:#?}",
        rows(&demo.page())
    );
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
        let ended = server::run(
            &["demo", "--listen", address, "--data", "data"],
            folder.path(),
        );
        assert!(
            !ended.status.success() && ended.stdout.is_empty(),
            "{address}"
        );
        assert!(
            ended.stderr.contains("loopback") && ended.stderr.contains(address),
            "{}",
            ended.stderr
        );
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

fn one_click_one_link() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    for (asked, sign_out) in SIGN_OUTS {
        let mut jar = demo.sign_in();
        let old = jar.clone();
        assert_eq!(demo.alive(&old), ALL, "{asked}");
        let receipt = demo.sign_out(sign_out, &mut jar);
        let page = demo.wait_for(&receipt, |page| page.contains("4 of 4 confirmed"));
        assert_eq!(demo.alive(&old), [""; 0], "{asked}");
        let told = rows(&page);
        let mut platforms: Vec<&str> = told.iter().map(|row| row[0].as_str()).collect();
        platforms.sort_unstable();
        assert_eq!(platforms, ALL, "{asked}");
        for row in &told {
            assert_eq!(
                (row[1].as_str(), row[2].as_str(), row[4].as_str()),
                ("told to the platform", "1", "confirmed"),
                "{row:?}"
            );
            assert_eq!(row[5], "verified dead", "{row:?}");
            assert!(row[3].starts_with("HTTP "), "{row:?}");
        }
        assert!(
            page.contains(&format!("Asked of {asked} "))
                && !page.contains("http-equiv=\"refresh\""),
            "{page}"
        );
        assert!(demo.page().contains("Nobody is signed in"));
    }
}

fn links_of_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    for (asked, sign_out) in SIGN_OUTS {
        let mut url = Url::parse(&format!("{}{sign_out}", demo.server.base())).unwrap();
        let mut answer;
        loop {
            let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
                .parse()
                .unwrap();
            answer = Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
                .send(address);
            let Some(location) = answer.header("location") else {
                break;
            };
            url = url.join(location).unwrap();
        }
        assert_eq!(answer.status, 200, "{asked} leads to {url}");
        assert!(
            answer.text().contains("</h1>"),
            "{asked}: {}",
            answer.text()
        );
    }
}

fn stopped_and_started() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let mut jar = demo.sign_in();
    let old = jar.clone();
    demo.press("/demo/stand-ins/portal/stop");
    assert!(
        Request::get("/").try_send(demo.product("portal")).is_err(),
        "nobody listens there any more"
    );
    assert!(demo.page().contains("<span class=\"bad\">stopped</span>"));

    let receipt = demo.sign_out("/logout", &mut jar);
    let page = demo.wait_for(&receipt, |page| page.contains("3 of 4 confirmed"));
    let portal = rows(&page)
        .into_iter()
        .find(|row| row[0] == "portal")
        .unwrap();
    assert_eq!(
        (portal[3].as_str(), portal[4].as_str(), portal[5].as_str()),
        ("no connection", "pending", "–")
    );
    assert!(page.contains("http-equiv=\"refresh\""), "{page}");
    demo.wait_for(&receipt, |page| {
        rows(page)
            .iter()
            .any(|row| row[0] == "portal" && row[2].parse::<u32>().unwrap() > 1)
    });

    demo.press("/demo/stand-ins/portal/start");
    let page = demo.wait_for(&receipt, |page| page.contains("4 of 4 confirmed"));
    let portal = rows(&page)
        .into_iter()
        .find(|row| row[0] == "portal")
        .unwrap();
    assert_eq!(
        (portal[3].as_str(), portal[4].as_str(), portal[5].as_str()),
        ("HTTP 200", "confirmed", "verified dead")
    );
    assert!(!page.contains("http-equiv=\"refresh\""), "{page}");
    assert_eq!(demo.alive(&old), [""; 0]);
}

fn stopped_and_unharmed() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let jar = demo.sign_in();
    for name in ALL {
        let target = |what: &str| format!("/demo/stand-ins/{name}/{what}");
        demo.press(&target("stop"));
        demo.press(&target("stop"));
        assert!(
            Request::get("/").try_send(demo.product(name)).is_err(),
            "{name}"
        );
        demo.press(&target("start"));
        demo.press(&target("start"));
        assert_eq!(
            Request::get("/").send(demo.product(name)).status,
            200,
            "{name}"
        );
    }
    assert_eq!(demo.alive(&jar), ALL);
    // With one of them stopped, the click signs in at the others.
    demo.press("/demo/stand-ins/cms/stop");
    let others = demo.sign_in();
    demo.press("/demo/stand-ins/cms/start");
    assert_eq!(demo.alive(&others), ["dam", "portal", "shop"]);
}

fn receipt_names_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let mut jar = demo.sign_in();
    let secrets: Vec<String> = jar.0.values().cloned().collect();
    let out = Request::get("/logout")
        .header("Cookie", &jar.header())
        .send(demo.hub());
    let id = out.header("logout-receipt").unwrap().to_owned();
    jar.take(&out);
    let secret = out
        .header("location")
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let page = Request::get(&format!("/receipts/{secret}")).send(demo.hub());
    for (header, value) in [
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(header), Some(value));
    }
    assert!(
        page.header("content-security-policy")
            .is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    assert!(
        !page.text().contains("alice")
            && !page.text().contains(&id)
            && !page.text().contains("<script"),
        "{}",
        page.text()
    );
    for credential in secrets {
        assert!(!page.text().contains(&credential));
    }
    let head = Request::new("HEAD", &format!("/receipts/{secret}")).send(demo.hub());
    assert_eq!((head.status, head.text().as_str()), (200, ""));

    let unknown = Request::get("/receipts/AAAAAAAAAAAAAAAAAAAAAA").send(demo.hub());
    assert_eq!(unknown.status, 404);
    let first = secret.chars().next().unwrap();
    let changed = secret.replace(first, if first == '_' { "A" } else { "_" });
    for other in [
        changed.as_str(),
        id.as_str(),
        "x",
        "%ff",
        "AAAA%2FAAAA",
        &"A".repeat(4000),
    ] {
        let answer = Request::get(&format!("/receipts/{other}")).send(demo.hub());
        let headers = |of: &logout_tests::http::Answer| {
            of.headers
                .iter()
                .filter(|(name, _)| name != "date")
                .cloned()
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            (answer.status, answer.text(), headers(&answer)),
            (404, unknown.text(), headers(&unknown)),
            "{other}"
        );
    }
    assert!(
        !demo.server.errors().contains(&secret),
        "the address of a receipt is a secret"
    );
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
