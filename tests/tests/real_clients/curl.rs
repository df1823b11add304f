//! The commands and addresses of the vendors' pages, as curl runs them. Only the host is ours, and
//! the placeholders are filled in.

use logout_core::credential::Secret;
use logout_tests::curl::Shell;
use logout_tests::http::Answer;
use logout_tests::hub::{Accounts, TestHub};
use logout_tests::skip::{Need, Run};
use serde_json::json;

use crate::logins::{self, alive, dead, text};

pub(crate) fn add(run: &mut Run) {
    let mut test = |name, body| run.test(name, &[Need::Curl], body);
    test(
        "curl::sitefinity_sts_signout_ends_both_layers",
        sitefinity_sts_signout,
    );
    test(
        "curl::sitefinity_ends_the_documented_user_for_an_administrator_only",
        sitefinity_other_user,
    );
    test(
        "curl::sitefinity_leads_to_the_documented_redirect_uri",
        sitefinity_redirect_uri,
    );
    test(
        "curl::sitefinity_stays_with_redirect_false",
        sitefinity_redirect_false,
    );
    test("curl::wix_logs_a_member_out_and_redirects", wix_post);
    test("curl::wix_logs_the_current_member_out", wix_get);
    test(
        "curl::wix_samples_succeed_with_the_placeholder_left_empty",
        wix_empty,
    );
    test(
        "curl::hcl_dx_core_api_logout_names_the_configured_redirect",
        hcl_dx_core,
    );
    test("curl::hcl_dx_portal_logout_redirects", hcl_dx_portal);
    test(
        "curl::hcl_dx_portal_logout_with_auto_redirect_false_answers_the_target",
        hcl_dx_portal_target,
    );
    test(
        "curl::assets_logout_takes_the_cookie_with_its_csrf_token",
        assets_service,
    );
    test(
        "curl::assets_logout_redirects_to_the_documented_success_url_by_get_and_post",
        assets_redirect,
    );
    test(
        "curl::elvis_user_comment_signs_its_token_out",
        elvis_comment,
    );
}

/// A Sitefinity stand-in that has the user of the vendor's example.
fn sitefinity() -> TestHub {
    let hash = logout_identity::hash_password(&Secret::new("my-password")).expect("a hash");
    let account = format!("[[account]]\nname = \"MyUserName\"\npassword_hash = \"{hash}\"\n");
    TestHub::with_platforms(&format!(
        "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n{account}"
    ))
    .unwrap()
}

/// Logs in by form with a cookie jar in the file `jar`, and returns the cookies of the site and of
/// the token service.
fn sitefinity_login(
    shell: &Shell,
    hub: &TestHub,
    jar: &str,
    name: &str,
    password: &str,
) -> (String, String) {
    let base = hub.base();
    let token = shell.run(&format!(
        "curl -b {jar} -c {jar} -H 'X-SF-ANTIFORGERY-REQUEST: true' {base}/sitefinity/anticsrf"
    ));
    let token = text(&token.json()["Value"]);
    let answer = shell.run(&format!(
        "curl -b {jar} -c {jar} --data-urlencode 'username={name}' --data-urlencode 'password={password}' \
         --data-urlencode 'sf_antiforgery={token}' {base}/sitefinity/login-handler"
    ));
    assert_eq!((answer.status, answer.header("location")), (302, Some("/")));
    let cookie = |name| answer.cookie(name).expect("a cookie").to_owned();
    (cookie(".AspNet.Cookies"), cookie("idsrv"))
}

/// Calls an address of the vendor's page with the cookies in `jar`.
fn sitefinity_call(shell: &Shell, hub: &TestHub, jar: &str, documented: &str) -> Answer {
    shell.run(&format!(
        "curl -b {jar} -c {jar} '{}'",
        documented.replace("http://mysite.com", &hub.base())
    ))
}

fn sitefinity_sts_signout() {
    let (hub, shell) = (sitefinity(), Shell::new());
    let (site, token_service) =
        sitefinity_login(&shell, &hub, "alice.txt", "alice", Accounts::ALICE);
    assert!(logins::sitefinity_is_signed_in(&hub, &site));

    let answer = sitefinity_call(
        &shell,
        &hub,
        "alice.txt",
        "http://mysite.com/Sitefinity/SignOut?sts_signout=true",
    );
    assert_eq!((answer.status, answer.header("location")), (302, Some("/")));
    assert!(!logins::sitefinity_is_signed_in(&hub, &site));
    let silent = format!(
        "curl -H 'Cookie: idsrv={token_service}' {}/Sitefinity/Authenticate/OpenID/connect/authorize",
        hub.base()
    );
    assert_eq!(
        shell.run(&silent).status,
        200,
        "the token service asks for a password"
    );
    // Not read off curl's jar: curl 7.88 loads deleted cookies from the file again when it writes
    // the file.
    assert_eq!(
        ["idsrv", ".AspNet.Cookies", "SF-TokenId"].map(|name| answer.cookie(name)),
        [Some(""); 3]
    );
}

fn sitefinity_other_user() {
    const DOCUMENTED: &str =
        "http://mysite.com/Sitefinity/SignOut?provider=Default&username=MyUserName";
    let (hub, shell) = (sitefinity(), Shell::new());
    let (member, _) = sitefinity_login(&shell, &hub, "member.txt", "MyUserName", "my-password");
    let (bob, _) = sitefinity_login(&shell, &hub, "bob.txt", "bob", Accounts::BOB);
    let (admin, _) = sitefinity_login(&shell, &hub, "admin.txt", "admin", Accounts::ADMIN);

    assert_eq!(
        sitefinity_call(&shell, &hub, "bob.txt", DOCUMENTED).status,
        403
    );
    assert_eq!(
        sitefinity_call(&shell, &hub, "nobody.txt", DOCUMENTED).status,
        401
    );
    assert!(logins::sitefinity_is_signed_in(&hub, &member));
    let answer = sitefinity_call(&shell, &hub, "admin.txt", DOCUMENTED);
    assert_eq!((answer.status, answer.header("location")), (302, Some("/")));
    let left = [&member, &bob, &admin].map(|cookie| logins::sitefinity_is_signed_in(&hub, cookie));
    assert_eq!(left, [false, true, true]);
}

fn sitefinity_redirect_uri() {
    let (hub, shell) = (sitefinity(), Shell::new());
    let (site, _) = sitefinity_login(&shell, &hub, "bob.txt", "bob", Accounts::BOB);
    let answer = sitefinity_call(
        &shell,
        &hub,
        "bob.txt",
        "http://mysite.com/Sitefinity/SignOut?redirect_uri=%20home",
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("/home"))
    );
    assert!(!logins::sitefinity_is_signed_in(&hub, &site));
}

fn sitefinity_redirect_false() {
    let (hub, shell) = (sitefinity(), Shell::new());
    let (site, _) = sitefinity_login(&shell, &hub, "bob.txt", "bob", Accounts::BOB);
    let answer = sitefinity_call(
        &shell,
        &hub,
        "bob.txt",
        "http://mysite.com/Sitefinity/SignOut?redirect=false",
    );
    assert_eq!(
        (
            answer.status,
            answer.header("location"),
            answer.text().as_str()
        ),
        (200, None, "")
    );
    assert!(!logins::sitefinity_is_signed_in(&hub, &site));
}

const WIX_POST: &str = r#"curl -X POST \
  'https://www.wixapis.com/authentication/v1/logout' \
  -H 'Authorization: ' \
  -H 'Content-Type: application/json' \
  -d '{
        "postLogoutRedirectUri": "https://mysite.com/goodbye",
        "clientId": "12345678-1234-1234-1234-123456789012"
      }'"#;
const WIX_GET: &str = "# Example 1: Simple logout
curl -X GET \\
  'https://www.wixapis.com/authentication/v1/logout' \\
  -H 'Authorization: '";

fn wix(sample: &str, hub: &TestHub, token: &str) -> Answer {
    let line = sample
        .replace("https://www.wixapis.com", &hub.base())
        .replace("Authorization: ", &format!("Authorization: {token}"));
    Shell::new().run(&line)
}

fn wix_post() {
    let hub = logins::wix_hub();
    let (member, other) = (logins::wix_member(&hub), logins::wix_member(&hub));
    assert_eq!(logins::wix_probes(&hub, &member), alive());
    let answer = wix(WIX_POST, &hub, &member.access);
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("https://mysite.com/goodbye"))
    );
    assert_eq!(answer.cookie("smSession"), Some(""));
    assert_eq!(logins::wix_probes(&hub, &member), dead());
    assert_eq!(logins::wix_probes(&hub, &other), alive());
}

fn wix_get() {
    let hub = logins::wix_hub();
    let member = logins::wix_member(&hub);
    let answer = wix(WIX_GET, &hub, &member.access);
    assert_eq!((answer.status, answer.header("location")), (200, None));
    assert!(
        answer.text().contains("You are signed out"),
        "{}",
        answer.text()
    );
    assert_eq!(logins::wix_probes(&hub, &member), dead());
}

fn wix_empty() {
    let hub = logins::wix_hub();
    let member = logins::wix_member(&hub);
    assert_eq!(
        wix(WIX_POST, &hub, "").header("location"),
        Some("https://mysite.com/goodbye")
    );
    assert_eq!(wix(WIX_GET, &hub, "").status, 200);
    assert_eq!(logins::wix_probes(&hub, &member), alive());
}

const HCL_DX_CORE: &str = r#"curl -X POST "http://localhost:3000/dx/api/core/v1/auth/logout" \
     -H "Cookie: LtpaToken2=<authentication-token>""#;
const HCL_DX_PORTAL: &str = r#"curl -i -X GET "https://<portal-host>/<WPS_PERSONALIZED_HOME>/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/" \
     -H "Cookie: LtpaToken2=<authentication-token>""#;
const HCL_DX_TARGET: &str = r#"curl -i -X GET "https://<portal-host>/<WPS_PERSONALIZED_HOME>/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/?autoRedirect=false" \
     -H "Cookie: LtpaToken2=<authentication-token>""#;

/// Logs in, runs a sample with the token, and makes sure that the token is dead afterwards.
fn hcl_dx(sample: &str) -> Answer {
    let redirect = "config_service = { \"redirect.logout\" = true, \"redirect.logout.url\" = \"https://portal.example.com/home\" }";
    let hub = TestHub::start("hcl-dx", &[redirect.to_owned()]).unwrap();
    let token = logins::ltpa(&hub);
    assert_eq!(logins::ltpa_probe(&hub, &token), 200);
    let line = sample
        .replace("http://localhost:3000", &hub.base())
        .replace("https://<portal-host>", &hub.base())
        .replace("<WPS_PERSONALIZED_HOME>", "wps/myportal")
        .replace("<authentication-token>", &token);
    let answer = Shell::new().run(&line);
    assert_eq!(logins::ltpa_probe(&hub, &token), 401);
    assert_eq!(answer.cookie("LtpaToken2"), Some(""));
    answer
}

fn hcl_dx_core() {
    let answer = hcl_dx(HCL_DX_CORE);
    let documented = json!({
        "statusCode": 200,
        "data": "You are successfully logged out",
        "redirectUrl": "https://portal.example.com/home",
    });
    assert_eq!((answer.status, answer.json()), (200, documented));
}

fn hcl_dx_portal() {
    let answer = hcl_dx(HCL_DX_PORTAL);
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("https://portal.example.com/home"))
    );
}

fn hcl_dx_portal_target() {
    let answer = hcl_dx(HCL_DX_TARGET);
    assert_eq!((answer.status, answer.header("location")), (200, None));
    assert_eq!(
        answer.json()["redirectUrl"],
        "https://portal.example.com/home"
    );
}

/// Logs in with a cookie jar, and returns the cookie's value and the CSRF token.
fn assets_login(shell: &Shell, hub: &TestHub) -> (String, String) {
    let login = format!(
        "curl -b jar -c jar -d 'username=bob&password={}' {}/services/login",
        Accounts::BOB,
        hub.base()
    );
    let answer = shell.run(&login);
    (
        answer.cookie("authToken").expect("a cookie").to_owned(),
        text(&answer.json()["csrfToken"]),
    )
}

fn assets_service() {
    let (hub, shell) = (TestHub::start("assets", &[]).unwrap(), Shell::new());
    let (cookie, csrf_token) = assets_login(&shell, &hub);
    let documented = "http://demo.assets-server.com/services/logout"
        .replace("http://demo.assets-server.com", &hub.base());
    let refused = shell.run(&format!("curl -b jar -X POST {documented}"));
    assert_eq!(refused.json()["errorcode"], 403);
    assert_eq!(
        logins::assets_fault(&hub, "Cookie", &format!("authToken={cookie}")),
        None
    );

    let answer = shell.run(&format!(
        "curl -b jar -X POST -H 'X-CSRF-TOKEN: {csrf_token}' {documented}"
    ));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "logoutSuccess": true }))
    );
    assert_eq!(
        logins::assets_fault(&hub, "Cookie", &format!("authToken={cookie}")),
        Some(401)
    );
    assert_eq!(answer.cookie("authToken"), Some(""));
}

fn assets_redirect() {
    let hub = TestHub::start(
        "assets",
        &["redirects = [\"http://www.elvisdam.com\"]".to_owned()],
    )
    .unwrap();
    for method in ["", "-X POST "] {
        let shell = Shell::new();
        let (cookie, _) = assets_login(&shell, &hub);
        let documented =
            "http://demo.assets-server.com/logout?logoutSuccessUrl=http%3A%2F%2Fwww.elvisdam.com";
        let answer = shell.run(&format!(
            "curl -b jar {method}'{}'",
            documented.replace("http://demo.assets-server.com", &hub.base())
        ));
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some("http://www.elvisdam.com/")),
            "{method}"
        );
        assert_eq!(
            logins::assets_fault(&hub, "Cookie", &format!("authToken={cookie}")),
            Some(401),
            "{method}"
        );
    }
}

/// The two requests of the PowerShell comment, with its `Invoke-RestMethod` as curl.
fn elvis_comment() {
    let (hub, shell) = (
        TestHub::start("assets", &["profile = \"elvis6\"".to_owned()]).unwrap(),
        Shell::new(),
    );
    let login = "http://<elvisserver>/services/apilogin?cred=<base64 credentials>&username=<user>&password=<password>"
        .replace("http://<elvisserver>", &hub.base())
        .replace("<base64 credentials>", "Ym9iOmJvYnMtcGFzc3dvcmQ=")
        .replace("<user>", "bob")
        .replace("<password>", Accounts::BOB);
    let token = text(&shell.run(&format!("curl -X POST '{login}'")).json()["authToken"]);
    let bearer = format!("Bearer {token}");
    assert_eq!(logins::assets_fault(&hub, "Authorization", &bearer), None);
    let logout = format!(
        "curl -X POST -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' '{}'",
        "http://<elvisserver>/services/logout".replace("http://<elvisserver>", &hub.base())
    );
    assert_eq!(shell.run(&logout).json(), json!({ "logoutSuccess": true }));
    assert_eq!(
        logins::assets_fault(&hub, "Authorization", &bearer),
        Some(401)
    );
}
