//! Each vendor's platform in the demo, and the curl commands that sign in to it and out of it.

use std::net::SocketAddr;
use std::path::Path;

use logout_core::Vendor;

/// The Wix application of the demo.
const CLIENT: &str = "12345678-1234-1234-1234-123456789012";
/// The content item of the demo's portal that takes a login.
const CONTENT: &str = "3f1c2a9e-0000-4000-8000-000000000002";
/// A PKCE pair; the demo's commands have no way to make a fresh one.
const VERIFIER: &str = "logout-hub-demo-verifier-0123456789abcdefghijklmnop";
const CHALLENGE: &str = "o-E2QMREywndixK1vJMPmc1Aph9UBWpOb2PSwUwCQdA";

/// The lines of the vendor's `[[platform]]`.
pub(super) fn platform(vendor: Vendor, address: SocketAddr) -> String {
    match vendor {
        Vendor::Assets => "name = \"dam\"\nvendor = \"assets\"\n".to_owned(),
        Vendor::HclDx => format!(
            "name = \"portal\"\nvendor = \"hcl-dx\"\n\
             [[platform.content]]\nid = \"3f1c2a9e-0000-4000-8000-000000000001\"\ntitle = \"Welcome\"\nanonymous = true\n\
             [[platform.content]]\nid = \"{CONTENT}\"\ntitle = \"For signed-in people\"\n"
        ),
        Vendor::Sitefinity => "name = \"cms\"\nvendor = \"sitefinity\"\n".to_owned(),
        Vendor::Wix => format!(
            "name = \"shop\"\nvendor = \"wix\"\n[[platform.app]]\nclient_id = \"{CLIENT}\"\nname = \"Demo shop\"\nredirect_uris = [\"http://{address}/\"]\n"
        ),
    }
}

/// A login, a look at who is signed in, and the documented sign-out, one shell command a line.
pub(super) fn lines(vendor: Vendor, base: &str, data: &Path, alice: &str, admin: &str) -> String {
    let jar = |name: &str| quoted(&data.join(name).display().to_string());
    match vendor {
        Vendor::Assets => format!(
            r#"
# dam (WoodWing Assets): sign in, who am I, sign out
CSRF=$(curl -s -c {jar} -d username=alice -d password={alice} {base}/services/login | sed 's/.*"csrfToken":"\([^"]*\)".*/\1/')
curl -s -b {jar} {base}/services/profile
curl -i -X POST -b {jar} -c {jar} -H "X-CSRF-TOKEN: $CSRF" {base}/services/logout
"#,
            jar = jar("dam.jar"),
        ),
        Vendor::HclDx => format!(
            r#"
# portal (HCL Digital Experience): sign in, read content, sign out
curl -s -c {jar} -H 'Content-Type: application/json' -d '{{"username":"alice","password":"{alice}"}}' {base}/dx/api/core/v1/auth/login
curl -s -b {jar} {base}/dx/api/core/v1/dxmyrest/webcontent/contents/{CONTENT}
curl -i -X POST -b {jar} -c {jar} {base}/dx/api/core/v1/auth/logout
"#,
            jar = jar("portal.jar"),
        ),
        Vendor::Sitefinity => format!(
            r#"
# cms (Sitefinity): sign in, who am I, sign out
SF=$(curl -s -H 'X-SF-ANTIFORGERY-REQUEST: true' {base}/sitefinity/anticsrf | sed 's/.*"Value":"\([^"]*\)".*/\1/'); curl -s -o /dev/null -c {jar} -d username=alice -d password={alice} -d "sf_antiforgery=$SF" {base}/sitefinity/login-handler
curl -s -b {jar} {base}/rest-api/login-status
curl -i -b {jar} -c {jar} '{base}/Sitefinity/SignOut?sts_signout=true'
# cms: the administrator signs alice out
ADMIN=$(curl -s -d grant_type=password -d username=admin -d password={admin} {base}/sitefinity/oauth/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $ADMIN" '{base}/Sitefinity/SignOut?provider=Default&username=alice'
"#,
            jar = jar("cms.jar"),
        ),
        Vendor::Wix => wix(base, alice),
    }
}

fn wix(base: &str, alice: &str) -> String {
    let json = "-H 'Content-Type: application/json'";
    let member = |name: &str| format!(r#"sed 's/.*"{name}":"\([^"]*\)".*/\1/'"#);
    let authorize = format!(
        "{base}/_api/oauth2/authorize?clientId={CLIENT}&responseType=code&responseMode=query&scope=offline_access&state=demo&prompt=none\
         &redirectUri={base}/&codeChallenge={CHALLENGE}&codeChallengeMethod=S256"
    );
    format!(
        r#"
# shop (Wix Headless): sign in (visitor token, login, authorization code, member token), who am I, sign out
VISITOR=$(curl -s {json} -d '{{"clientId":"{CLIENT}","grantType":"anonymous"}}' {base}/oauth2/token | {access_token})
LOGIN=$(curl -s {json} -H "Authorization: $VISITOR" -d '{{"loginId":{{"email":"alice@example.com"}},"password":"{alice}"}}' {base}/_api/iam/authentication/v2/login | {session_token})
CODE=$(curl -s -o /dev/null -w '%{{redirect_url}}' "{authorize}&sessionToken=$LOGIN" | sed 's/.*[?&]code=\([^&]*\).*/\1/')
TOKEN=$(curl -s {json} -d '{{"clientId":"{CLIENT}","grantType":"authorization_code","redirectUri":"{base}/","code":"'"$CODE"'","codeVerifier":"{VERIFIER}"}}' {base}/oauth2/token | {access_token})
curl -s -H "Authorization: $TOKEN" {base}/members/v1/members/my
curl -i -X POST {base}/authentication/v1/logout -H "Authorization: $TOKEN" {json} -d '{{"postLogoutRedirectUri":"{base}/","clientId":"{CLIENT}"}}'
"#,
        access_token = member("access_token"),
        session_token = member("sessionToken"),
    )
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
