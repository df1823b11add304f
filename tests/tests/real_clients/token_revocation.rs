//! openid-client (npm, MIT) revokes tokens of stand-ins (RFC 7009), with each way of its own to
//! say which client it is.

use logout_tests::front::{Login, login};
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::logins::{
    WIX_APP, WixMember, alive, dead, text, wix_hub, wix_member, wix_probes,
};
use logout_tests::node;
use logout_tests::skip::{Need, Run};
use serde_json::{Value, json};

pub(crate) fn add(run: &mut Run) {
    run.test(
        "token_revocation::openid_client_revokes_either_token_of_a_wix_member",
        &[Need::Node],
        wix,
    );
    run.test(
        "token_revocation::openid_client_identifies_itself_by_header_or_form",
        &[Need::Node],
        methods,
    );
}

/// Revokes `token` as the client `id`, and gives what openid-client says of it.
fn revoke(hub: &TestHub, platform: &str, client: &Value, token: &str) -> Value {
    let mut input = client.clone();
    input["endpoint"] = json!(format!("{}/revoke/{platform}", hub.base()));
    input["token"] = json!(token);
    node::run("token-revocation", &input, None)
}

fn wix() {
    let hub = wix_hub();
    let app = json!({ "id": WIX_APP, "method": "none" });
    type Chosen = fn(&WixMember) -> &str;
    let choices: [(Chosen, &str); 2] = [
        (|member| &member.access, "access_token"),
        (|member| &member.refresh, "refresh_token"),
    ];
    for (chosen, hint) in choices {
        let (member, other) = (wix_member(&hub), wix_member(&hub));
        assert_eq!(wix_probes(&hub, &member), alive());
        let mut app = app.clone();
        app["hint"] = json!(hint);
        // The second time there is nothing left to revoke, which is no error.
        for _ in 0..2 {
            let seen = revoke(&hub, "wix", &app, chosen(&member));
            assert_eq!(seen, json!({ "revoked": true }), "{hint}");
            assert_eq!(wix_probes(&hub, &member), dead(), "{hint}");
        }
        assert_eq!(wix_probes(&hub, &other), alive(), "{hint}");
    }
    let member = wix_member(&hub);
    for client in [
        json!({ "id": WIX_APP.replace('8', "9"), "method": "none" }),
        json!({ "id": WIX_APP, "method": "basic", "secret": "s" }),
    ] {
        let seen = revoke(&hub, "wix", &client, &member.refresh);
        let expected = json!({
            "revoked": false,
            "name": "WWWAuthenticateChallengeError",
            "status": 401,
            "schemes": ["basic"],
        });
        assert_eq!(seen, expected, "{client}");
        assert_eq!(wix_probes(&hub, &member), alive());
    }
}

fn methods() {
    let hub = TestHub::start("sitefinity", &[]).unwrap();
    for method in ["none", "basic", "post"] {
        let Login { header, .. } = login(&hub, "sitefinity", "alice", Accounts::ALICE);
        let token = header.1.trim_start_matches("Bearer ");
        let client = json!({ "id": "a program: 1+2", "method": method, "secret": "a:b +%/ü" });
        let seen = revoke(&hub, "sitefinity", &client, token);
        assert_eq!(seen, json!({ "revoked": true }), "{method}");
        let probe = Request::get("/api/default/users/current");
        let answer = probe.header(header.0, &header.1).send(hub.address());
        assert_eq!(answer.status, 401, "{method}");
    }
    let hub = TestHub::start("assets", &[]).unwrap();
    for method in ["none", "basic", "post"] {
        let id = "a program: 1+2/ü";
        let form = [
            ("username", "alice"),
            ("password", Accounts::ALICE),
            ("clientId", id),
        ];
        let program = Request::post("/services/apilogin").form(&form);
        let token = text(&program.send(hub.address()).json()["authToken"]);
        let is_alive = || {
            let probe = Request::get("/services/profile");
            let probe = probe.header("Authorization", &format!("Bearer {token}"));
            probe.send(hub.address()).json()["username"] == "alice"
        };
        let client = |id: &str| json!({ "id": id, "method": method, "secret": "s" });
        let seen = revoke(&hub, "assets", &client("another"), &token);
        assert_eq!(
            (&seen["error"], &seen["status"]),
            (&json!("invalid_grant"), &json!(400)),
            "{seen}"
        );
        assert!(is_alive(), "{method}");
        let seen = revoke(&hub, "assets", &client(id), &token);
        assert_eq!(seen, json!({ "revoked": true }), "{method}");
        assert!(!is_alive(), "{method}");
    }
}
