//! Revocations that are refused, and what is said to them. Sections without a name are of RFC 7009.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logout_tests::front::{self, platform};
use logout_tests::http::{Answer, Request};
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::logins::{self, WIX_APP};
use logout_tests::skip::Run;
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};

use super::{hub, receipts};
use crate::answers::{assert_refused, assert_taken, assert_uncached};
use crate::issued::{Issued, OTHER_APP, PROGRAM, alices, member, program};

pub(super) fn add(run: &mut Run) {
    on_every_store! { run, "token_revocation";
        only_its_client_revokes_a_token
        a_request_that_is_refused_revokes_nothing
    }
    run.test(
        "token_revocation::tokens_that_cannot_be_revoked_here_are_not",
        &[],
        tokens_that_cannot_be_revoked_here_are_not,
    );
}

fn assert_error(answer: &Answer, status: u16, error: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(answer.json()["error"], error, "{what}");
    assert!(answer.json()["error_description"].is_string(), "{what}");
    let challenge = (status == 401).then_some("Basic realm=\"token revocation\"");
    assert_eq!(answer.header("www-authenticate"), challenge, "{what}");
    assert_uncached(answer, what);
}

/// Section 2.1: client first, then whether the token was issued to it; else the request is refused
/// and the client is told. RFC 6749, sections 2.3.1, 3.2.1 and 5.2: how it identifies itself, and
/// the errors.
fn only_its_client_revokes_a_token(store: StoreKind) {
    let hub = hub(store);
    let member = member(&hub, "alice", Accounts::ALICE);
    let program = program(&hub, "alice", Accounts::ALICE);
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let [own, other, unknown] =
        [WIX_APP, OTHER_APP, "unknown"].map(|client| basic(&format!("{client}:")));
    let wrong = basic(&format!("{WIX_APP}:password"));
    let (own_id, other_id) = (("client_id", WIX_APP), ("client_id", OTHER_APP));
    for (what, issued, header, more, status, error) in [
        ("nobody", &member, "", vec![], 401, "invalid_client"),
        (
            "unknown",
            &member,
            "",
            vec![("client_id", "x")],
            401,
            "invalid_client",
        ),
        (
            "unknown, Basic",
            &member,
            &unknown,
            vec![],
            401,
            "invalid_client",
        ),
        (
            "Bearer",
            &member,
            "Bearer x",
            vec![own_id],
            401,
            "invalid_client",
        ),
        (
            "broken Basic",
            &member,
            "Basic x",
            vec![own_id],
            401,
            "invalid_client",
        ),
        (
            "a password",
            &member,
            "",
            vec![own_id, ("client_secret", "password")],
            401,
            "invalid_client",
        ),
        (
            "a password, Basic",
            &member,
            &wrong,
            vec![],
            401,
            "invalid_client",
        ),
        ("another", &member, "", vec![other_id], 400, "invalid_grant"),
        (
            "another, Basic",
            &member,
            &other,
            vec![],
            400,
            "invalid_grant",
        ),
        (
            "two clients",
            &member,
            &own,
            vec![other_id],
            400,
            "invalid_request",
        ),
        (
            "two passwords",
            &member,
            &own,
            vec![own_id, ("client_secret", "password")],
            400,
            "invalid_request",
        ),
        (
            "a password alone",
            &member,
            "",
            vec![("client_secret", "password")],
            400,
            "invalid_request",
        ),
        (
            "nobody, a program's",
            &program,
            "",
            vec![],
            400,
            "invalid_grant",
        ),
        (
            "another, a program's",
            &program,
            "",
            vec![own_id],
            400,
            "invalid_grant",
        ),
    ] {
        for token in issued.tokens() {
            let mut form = vec![("token", token)];
            form.extend(&more);
            let mut request = Request::post(&format!("/revoke/{}", issued.platform)).form(&form);
            if !header.is_empty() {
                request = request.header("Authorization", header);
            }
            assert_error(&request.send(hub.address()), status, error, what);
        }
        assert!(issued.is_alive(&hub), "{what}");
    }
    assert_eq!(receipts(&hub), [] as [Value; 0]);
    // Another client is told the same of an unknown token as its own.
    let unknown = Request::post("/revoke/wix").form(&[("token", "x"), other_id]);
    assert_taken(&unknown.send(hub.address()), "unknown");
    let by_basic = |issued: &Issued, header: &str| {
        let form = [("token", issued.access.as_str())];
        let request = Request::post(&format!("/revoke/{}", issued.platform)).form(&form);
        let request = request.header("Authorization", header);
        assert_taken(&request.send(hub.address()), issued.platform);
        assert!(!issued.is_alive(&hub), "{}", issued.platform);
    };
    // Ids of apps have no case.
    by_basic(&member, &own.replace("Basic", "basic"));
    let encoded = PROGRAM.replace('+', "%2B").replace(' ', "+");
    by_basic(&program, &basic(&format!("{encoded}:")));
}

/// Section 2.1 asks for POST and a form; RFC 6749, section 3.2, for parameters that come once.
fn a_request_that_is_refused_revokes_nothing(store: StoreKind) {
    const FORM: &str = "application/x-www-form-urlencoded";
    let hub = hub(store);
    let issued = alices(&hub).swap_remove(2);
    let once = format!("token={}", issued.access);
    let form = |body: String| {
        let request = Request::post("/revoke/sitefinity");
        request.header("Content-Type", FORM).body(body)
    };
    let media_type = "the body must be application/x-www-form-urlencoded";
    let large = format!("{once}&padding={}", "x".repeat(16 * 1024 - once.len()));
    let in_query = Request::post(&format!("/revoke/sitefinity?{once}"));
    for (what, request, description) in [
        ("no token", form(String::new()), "token is missing"),
        (
            "an empty token",
            form("token=".to_owned()),
            "token is missing",
        ),
        (
            "the token in the address",
            in_query.header("Content-Type", FORM),
            "token is missing",
        ),
        (
            "two tokens",
            form(format!("{once}&{once}")),
            "token is given twice",
        ),
        (
            "two hints",
            form(format!("{once}&token_type_hint=a&token_type_hint=a")),
            "token_type_hint is given twice",
        ),
        (
            "two clients",
            form(format!("{once}&client_id=a&client_id=a")),
            "client_id is given twice",
        ),
        (
            "two passwords",
            form(format!(
                "{once}&client_id=a&client_secret=a&client_secret=a"
            )),
            "client_secret is given twice",
        ),
        (
            "JSON",
            Request::post("/revoke/sitefinity").json(&json!({ "token": issued.access })),
            media_type,
        ),
        (
            "no media type",
            Request::post("/revoke/sitefinity").body(once.clone()),
            media_type,
        ),
        ("a body over 16 KiB", form(large), "the body is too large"),
    ] {
        assert_refused(&request.send(hub.address()), description, what);
        assert!(issued.is_alive(&hub), "{what}");
    }
    let twice = form(once.clone()).header("Authorization", "Basic YTo=");
    let twice = twice.header("Authorization", "Basic YTo=");
    assert_refused(
        &twice.send(hub.address()),
        "the client identifies itself twice",
        "two headers",
    );
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::new(method, &format!("/revoke/sitefinity?{once}"));
        let request = request.header("Content-Type", FORM).body(once.clone());
        let answer = request.send(hub.address());
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
        assert_uncached(&answer, method);
    }
    for (name, of_hub) in [
        ("nobody", true),
        ("", false),
        ("sitefinity/", false),
        ("Wix", true),
    ] {
        let request = Request::post(&format!("/revoke/{name}")).form(&[("token", &issued.access)]);
        let answer = request.send(hub.address());
        assert_eq!(answer.status, 404, "{name}");
        if of_hub {
            assert_error(&answer, 404, "not_found", name);
        }
    }
    // Of another platform it is no token.
    let request = Request::post("/revoke/assets").form(&[("token", &issued.access)]);
    assert_taken(&request.send(hub.address()), "another platform");
    assert!(issued.is_alive(&hub));
    assert_eq!(receipts(&hub), [] as [Value; 0]);
    let padding = "x".repeat(16 * 1024 - once.len() - "&padding=".len());
    let largest = form(format!("{once}&padding={padding}"));
    assert_taken(&largest.send(hub.address()), "16 KiB");
    assert!(!issued.is_alive(&hub));
}

/// Section 2.2.1: the server does not support the revocation of this kind of token.
fn tokens_that_cannot_be_revoked_here_are_not() {
    let refused = |hub: &TestHub, platform: &str, token: &str| {
        let request = Request::post(&format!("/revoke/{platform}"));
        let answer = request.form(&[("token", token)]).send(hub.address());
        assert_error(&answer, 400, "unsupported_token_type", platform);
    };
    // They are the product's, which alone knows their clients.
    let product = TestHub::start("sitefinity", &[]).unwrap();
    let hub = TestHub::with_platforms(&platform("sitefinity", &product.base(), "")).unwrap();
    let login = front::login(&hub, "sitefinity", "alice", Accounts::ALICE);
    refused(
        &hub,
        "sitefinity",
        login.header.1.trim_start_matches("Bearer "),
    );
    assert!(login.is_alive(&product));
    // A session id is no token.
    let hub = TestHub::start("assets", &["profile = \"elvis5\"".to_owned()]).unwrap();
    let form = [("username", "alice"), ("password", Accounts::ALICE)];
    let login = Request::post("/services/login").form(&form);
    let id = logins::text(&login.send(hub.address()).json()["sessionId"]);
    refused(&hub, "assets", &id);
    assert_eq!(
        logins::assets_fault(&hub, "Cookie", &format!("JSESSIONID={id}")),
        None
    );
    // A portal that does not track logged-out tokens takes them until they expire.
    let untracked = ["track_logged_out_tokens = false".to_owned()];
    let hub = TestHub::start("hcl-dx", &untracked).unwrap();
    let token = logins::ltpa(&hub);
    refused(&hub, "hcl-dx", &token);
    assert_eq!(logins::ltpa_probe(&hub, &token), 200);
}
