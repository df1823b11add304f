//! What becomes of tokens, counted.

use logout_tests::http::Request;
use logout_tests::server::Server;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use logout_tests::upstream::Behaviour;
use serde_json::json;

use crate::process::HubProcess;

pub(crate) fn add(run: &mut Run) {
    run.test(
        "metrics::tokens_are_counted_by_provider_and_outcome",
        &[],
        counted,
    );
}

/// Outcome and number of each line about tokens.
fn counts(server: &Server) -> Vec<(String, u64)> {
    let metrics = Request::get("/metrics").send(server.admin_address()).text();
    let lines = metrics.lines();
    let lines = lines.filter_map(|line| line.strip_prefix("logout_hub_logout_tokens_total{"));
    let mut counts: Vec<_> = lines
        .map(|line| {
            let (labels, count) = line.split_once("} ").unwrap();
            assert!(labels.contains("idp=\"op\""), "{line}");
            let outcome = labels.split("outcome=\"").nth(1).unwrap();
            let outcome = outcome.split('"').next().unwrap();
            (outcome.to_owned(), count.parse().unwrap())
        })
        .collect();
    counts.sort();
    counts
}

fn counted() {
    let hub = HubProcess::on(StoreKind::Disk, "");
    let server = hub.serve();
    assert_eq!(counts(&server), []);
    hub.idp.answer(Behaviour::Slam);
    let names = json!({ "sub": "alice" });
    let token = |names| hub.idp.token(hub.now(), names);
    assert_eq!(hub.send(&server, &token(&names)).status, 503);
    assert_eq!(counts(&server), [("unavailable".to_owned(), 1)]);
    // The keys are asked for again by another process at once.
    server.kill();
    hub.idp.publish("");
    let server = hub.serve();
    hub.register_login(&server, "cookie", &names);
    let ends = token(&names);
    for (token, status) in [
        (ends.as_str(), 200),
        (&token(&names), 200),
        (&token(&json!({ "sub": "nobody" })), 200),
        (&ends, 400),
        (&ends, 400),
        ("garbage", 400),
    ] {
        assert_eq!(hub.send(&server, token).status, status);
    }
    let expected = [("ended", 1), ("nothing", 2), ("refused", 3)];
    assert_eq!(
        counts(&server),
        expected.map(|(outcome, count)| (outcome.to_owned(), count))
    );
}
