//! What the listener says of itself: its description, and its figures.

use logout_tests::http::Request;
use logout_tests::hub::TestHub;
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use crate::receipts::{pending, signed_out};
use crate::{admin, assert_is_problem, fronts, register, text};

pub(crate) fn add(run: &mut Run) {
    on_the_embedded_store! { run, "description";
        every_address_of_the_description_takes_the_methods_it_names_and_no_other
        the_answers_are_as_the_description_says
        figures_take_no_token_and_name_platforms_only
        the_description_names_the_version
    }
}

const METHODS: [&str; 8] = [
    "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

fn document(hub: &TestHub) -> Value {
    let answer = Request::get("/openapi.json").send(hub.admin_address());
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    answer.json()
}

/// Where `value` breaks `schema`: as much of JSON Schema as the document uses.
fn broken(value: &Value, schema: &Value, document: &Value, at: &str) -> Option<String> {
    if let Some(to) = schema["$ref"].as_str() {
        return broken(
            value,
            document
                .pointer(to.trim_start_matches('#'))
                .expect("the reference leads somewhere"),
            document,
            at,
        );
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return (!allowed.contains(value)).then(|| format!("{at} is {value}"));
    }
    if let Some(several) = schema["oneOf"].as_array() {
        let fitting = several
            .iter()
            .filter(|each| broken(value, each, document, at).is_none())
            .count();
        return (fitting != 1).then(|| format!("{at} fits {fitting} of its forms: {value}"));
    }
    let is = |kind: &Value| match kind.as_str().expect("a type") {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("{other}"),
    };
    let kinds = schema["type"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![schema["type"].clone()]);
    if !kinds.iter().any(is) {
        return Some(format!("{at} is {value}, which is none of {kinds:?}"));
    }
    if let Some(items) = value.as_array() {
        return items
            .iter()
            .find_map(|item| broken(item, &schema["items"], document, &format!("{at}[]")));
    }
    let members = value.as_object()?;
    let required = schema["required"].as_array().into_iter().flatten();
    let missing = required
        .filter_map(Value::as_str)
        .find(|name| !members.contains_key(*name));
    missing
        .map(|name| format!("{at} has no {name}: {value}"))
        .or_else(|| {
            members
                .iter()
                .find_map(|(name, member)| match schema["properties"].get(name) {
                    Some(schema) => broken(member, schema, document, &format!("{at}.{name}")),
                    None => (schema["additionalProperties"] == false)
                        .then(|| format!("{at} has a member {name}")),
                })
        })
}

fn every_address_of_the_description_takes_the_methods_it_names_and_no_other() {
    let hub = fronts(StoreKind::Disk);
    let document = document(&hub);
    let mut refused = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let target = path
            .replace("{tail}", "/x")
            .replace("{platform}", "portal")
            .replace("{id}", "018f0000-0000-7000-8000-000000000000");
        for method in METHODS {
            let takes = |method: &str| operations.get(method.to_lowercase()).is_some();
            let answer = admin(
                &hub,
                Request::new(method, &target).header("Logout-Check-Token", &hub.admin_token()),
            );
            if takes(method) || method == "HEAD" && takes("GET") {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            refused += 1;
            if method != "HEAD" {
                assert_is_problem(&answer, 405);
            }
            let allowed: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
            let named: Vec<&str> = METHODS
                .into_iter()
                .filter(|method| takes(method) || *method == "HEAD" && takes("GET"))
                .collect();
            let mut sorted = allowed.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, named, "{path}");
        }
    }
    assert!(refused > 60, "only {refused} methods were refused");
}

fn the_answers_are_as_the_description_says() {
    let (hub, upstream, session, receipt) = pending(StoreKind::Disk);
    let document = document(&hub);
    register(&hub, "alice", "another");
    let operation = |method: &str, path: &str| &document["paths"][path][method];
    let assert_fits = |request: Request, method: &str, path: &str, status: u16| {
        let answer = admin(&hub, request);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let mut response = &operation(method, path)["responses"][status.to_string()];
        if let Some(to) = response["$ref"].as_str() {
            response = document.pointer(to.trim_start_matches('#')).unwrap();
        }
        let media_type = answer
            .header("content-type")
            .unwrap()
            .split(';')
            .next()
            .unwrap();
        let schema = &response["content"][media_type]["schema"];
        assert!(
            schema.is_object(),
            "{path} {status}: {media_type} is not described"
        );
        let fault = broken(&answer.json(), schema, &document, path);
        assert_eq!(fault, None, "{path} {status}");
    };
    let of = |id: &str| format!("/api/receipts/{id}");
    assert_fits(Request::get("/healthz"), "get", "/healthz", 200);
    assert_fits(Request::get("/readyz"), "get", "/readyz", 200);
    assert_fits(
        Request::get("/.well-known/jwks.json"),
        "get",
        "/.well-known/jwks.json",
        200,
    );
    assert_fits(
        Request::get("/check/portal"),
        "get",
        "/check/{platform}{tail}",
        403,
    );
    assert_fits(Request::get("/api/sessions"), "get", "/api/sessions", 200);
    assert_fits(
        Request::get("/api/sessions?limit=x"),
        "get",
        "/api/sessions",
        422,
    );
    assert_fits(Request::get("/api/receipts"), "get", "/api/receipts", 200);
    assert_fits(
        Request::get(&of(&receipt)),
        "get",
        "/api/receipts/{id}",
        200,
    );
    assert_fits(Request::get(&of("x")), "get", "/api/receipts/{id}", 404);
    assert_fits(
        Request::get("/api/deliveries"),
        "get",
        "/api/deliveries",
        200,
    );
    let retry = || Request::post(&format!("/api/deliveries/{session}/retry"));
    // A retry that is ordered while an attempt is under way is satisfied by that attempt.
    upstream.now(signed_out());
    assert_fits(retry(), "post", "/api/deliveries/{id}/retry", 202);
    admin(&hub, Request::get(&format!("{}?wait=60s", of(&receipt))));
    assert_fits(retry(), "post", "/api/deliveries/{id}/retry", 409);
    assert_fits(
        Request::get(&of(&receipt)),
        "get",
        "/api/receipts/{id}",
        200,
    );
    let registration = json!({ "platform": "portal", "subject": { "name": "bob" }, "cookies": { "LtpaToken2": "bob" }, "expires": 1_790_000_600 });
    assert_eq!(
        broken(
            &registration,
            &document["components"]["schemas"]["Registration"],
            &document,
            "registration"
        ),
        None
    );
    let post = |body: &Value| Request::post("/api/sessions").json(body);
    assert_fits(post(&registration), "post", "/api/sessions", 201);
    assert_fits(post(&registration), "post", "/api/sessions", 200);
    assert_fits(post(&json!({})), "post", "/api/sessions", 422);
    assert_fits(Request::post("/api/sessions"), "post", "/api/sessions", 415);
    for order in [
        json!({ "person": "nobody" }),
        json!({ "subject": "alice", "platform": "portal", "realm": "x" }),
        json!({ "platform": "portal" }),
    ] {
        assert_eq!(
            broken(
                &order,
                &document["components"]["schemas"]["Order"],
                &document,
                "order"
            ),
            None
        );
        assert_fits(
            Request::post("/api/logouts").json(&order),
            "post",
            "/api/logouts",
            202,
        );
    }
    assert_fits(
        Request::new("DELETE", "/api/sessions/x"),
        "delete",
        "/api/sessions/{id}",
        404,
    );
}

fn figures_take_no_token_and_name_platforms_only() {
    let (hub, _upstream, _, _) = pending(StoreKind::Disk);
    let check = Request::get("/check/portal")
        .header("Logout-Check-Token", &hub.admin_token())
        .header("Cookie", "LtpaToken2=canary");
    assert_eq!(check.send(hub.admin_address()).status, 401);
    let answer = Request::get("/metrics").send(hub.admin_address());
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let figures = answer.text();
    for line in [
        "logout_hub_ready 1",
        "logout_hub_deliveries_in_flight{platform=\"portal\"} 0",
        "logout_hub_deliveries_overdue_seconds{platform=\"portal\"} 0",
        "# TYPE logout_hub_checks_total counter",
        "# TYPE logout_relay_attempts_total counter",
    ] {
        assert!(
            figures.lines().any(|own| own == line),
            "{line} is missing:\n{figures}"
        );
    }
    // Other tests of this process count too, under the same names.
    for begin in [
        "logout_hub_checks_total{platform=\"portal\",outcome=\"ended\"} ",
        "logout_relay_attempts_total{platform=\"portal\",outcome=\"no-answer\"} ",
    ] {
        let count = figures
            .lines()
            .find_map(|line| line.strip_prefix(begin))
            .unwrap_or_else(|| panic!("{begin}\n{figures}"));
        assert!(count.parse::<u64>().unwrap() > 0, "{begin}{count}");
    }
    for secret in ["canary", "alice", hub.admin_token().as_str()] {
        assert!(!figures.contains(secret), "{secret}");
    }
    let names: Vec<&str> = figures
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(
        once.len(),
        names.len(),
        "a figure is described twice: {names:?}"
    );
}

fn the_description_names_the_version() {
    let document = document(&fronts(StoreKind::Disk));
    assert!(
        text(&document["openapi"]).starts_with("3.1")
            && text(&document["info"]["version"]).contains('.')
    );
}
