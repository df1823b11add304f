//! Logins by the raw client, for tests whose real client only signs out, and what is left of them
//! afterwards.

use crate::http::{Request, percent_encode};
use crate::hub::{Accounts, TestHub};
use serde_json::{Value, json};

/// The client of the Wix page's samples.
pub const WIX_APP: &str = "12345678-1234-1234-1234-123456789012";
/// The challenge and its verifier in RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A Wix stand-in whose app may lead to what the vendor's page leads to, and to `localhost`.
pub fn wix_hub() -> TestHub {
    TestHub::start("wix", &[wix_app()]).unwrap()
}

/// The app of the Wix page's samples, as the end of a platform table.
pub fn wix_app() -> String {
    format!(
        "[[platform.app]]\nclient_id = \"{WIX_APP}\"\nredirect_uris = [\"https://mysite.com/goodbye\"]\nredirect_domains = [\"mysite.com\", \"localhost\"]"
    )
}

/// The tokens of a Wix member.
#[derive(Clone, Debug)]
pub struct WixMember {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

/// Logs `alice` in as the SDK does: visitor, session token, code, tokens.
pub fn wix_member(hub: &TestHub) -> WixMember {
    wix_member_of(hub, "alice", Accounts::ALICE)
}

/// The same for the member with this name before the `@example.com`.
pub fn wix_member_of(hub: &TestHub, name: &str, password: &str) -> WixMember {
    let visitor = wix_token(
        hub,
        &json!({ "clientId": WIX_APP, "grantType": "anonymous" }),
    );
    let login = Request::post("/_api/iam/authentication/v2/login")
        .header("Authorization", &text(&visitor["access_token"]))
        .json(
            &json!({ "loginId": { "email": format!("{name}@example.com") }, "password": password }),
        )
        .send(hub.address())
        .json();
    let callback = "http://localhost:3000/callback";
    let authorize = format!(
        "{}&prompt=none&sessionToken={}",
        wix_authorize(callback),
        percent_encode(&text(&login["sessionToken"]))
    );
    let location = Request::get(&authorize)
        .send(hub.address())
        .header("location")
        .expect("a way back")
        .to_owned();
    wix_exchange(hub, callback, &location)
}

/// Path and query of an authorization request that leads back to `callback`.
pub fn wix_authorize(callback: &str) -> String {
    let callback = percent_encode(callback);
    format!(
        "/_api/oauth2/authorize?clientId={WIX_APP}&responseType=code&responseMode=query&state=s&redirectUri={callback}\
         &codeChallenge={CHALLENGE}&codeChallengeMethod=S256"
    )
}

/// Exchanges the code in the address that an authorization led back to.
pub fn wix_exchange(hub: &TestHub, callback: &str, location: &str) -> WixMember {
    let query = url::Url::parse(location).expect("an address");
    let code = query
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap_or_else(|| panic!("no code in {location}"))
        .1
        .into_owned();
    let grant = json!({
        "clientId": WIX_APP,
        "grantType": "authorization_code",
        "redirectUri": callback,
        "code": code,
        "codeVerifier": VERIFIER,
    });
    let tokens = wix_token(hub, &grant);
    WixMember {
        access: text(&tokens["access_token"]),
        refresh: text(&tokens["refresh_token"]),
    }
}

fn wix_token(hub: &TestHub, grant: &Value) -> Value {
    let answer = Request::post("/oauth2/token")
        .json(grant)
        .send(hub.address());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The status of the member probe, and what a refresh says.
pub fn wix_probes(hub: &TestHub, member: &WixMember) -> (u16, Option<String>) {
    let probe = Request::get("/members/v1/members/my")
        .header("Authorization", &member.access)
        .send(hub.address());
    let grant = json!({ "clientId": WIX_APP, "grantType": "refresh_token", "refreshToken": member.refresh });
    let refreshed = Request::post("/oauth2/token")
        .json(&grant)
        .send(hub.address())
        .json();
    (probe.status, refreshed["error"].as_str().map(str::to_owned))
}

/// What [`wix_probes`] sees of a member who is signed in.
pub fn alive() -> (u16, Option<String>) {
    (200, None)
}

/// What [`wix_probes`] sees of a member who is not.
pub fn dead() -> (u16, Option<String>) {
    (401, Some("invalid_grant".to_owned()))
}

/// The token of a fresh HCL DX login.
pub fn ltpa(hub: &TestHub) -> String {
    let login = json!({ "username": "alice", "password": Accounts::ALICE });
    let answer = Request::post("/dx/api/core/v1/auth/login")
        .json(&login)
        .send(hub.address());
    answer
        .cookie("LtpaToken2")
        .unwrap_or_else(|| panic!("no token: {}", answer.text()))
        .to_owned()
}

/// The status of HCL DX's session probe for this token.
pub fn ltpa_probe(hub: &TestHub, token: &str) -> u16 {
    Request::post("/dx/api/core/v1/auth/validate")
        .header("Cookie", &format!("LtpaToken2={token}"))
        .send(hub.address())
        .status
}

/// What Assets' profile service says to whoever presents this header: `None` for a signed-in user,
/// else the error's code.
pub fn assets_fault(hub: &TestHub, header: &str, value: &str) -> Option<u64> {
    Request::get("/services/profile")
        .header(header, value)
        .send(hub.address())
        .json()["errorcode"]
        .as_u64()
}

/// Whether Sitefinity's login status takes this site cookie for a signed-in user's.
pub fn sitefinity_is_signed_in(hub: &TestHub, cookie: &str) -> bool {
    let answer = Request::get("/rest-api/login-status")
        .header("Cookie", &format!(".AspNet.Cookies={cookie}"))
        .send(hub.address());
    answer.json()["IsLoggedIn"].as_bool().expect("a yes or no")
}

/// A text out of a JSON answer.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
