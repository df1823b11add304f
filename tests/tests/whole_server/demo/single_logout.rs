//! One sign-out for four products, and what its receipt shows.

use std::collections::BTreeSet;

use logout_tests::demo::{Demo, SIGN_OUTS, rows};
use logout_tests::http::Request;
use url::Url;

use super::ALL;

pub(super) fn one_click_one_link() {
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

pub(super) fn links_of_nobody() {
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

pub(super) fn stopped_and_started() {
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

pub(super) fn stopped_and_unharmed() {
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

pub(super) fn receipt_names_nobody() {
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
