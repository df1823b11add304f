//! The curl commands that sign in to each platform of the demo and out of it.

use std::path::Path;

use crate::vendors::Vendor;

use super::platforms::{CHALLENGE, CLIENT, CONTENT, VERIFIER};

/// Where the commands go.
pub(super) struct Places<'a> {
    /// The hub, which logins and sign-outs go to.
    pub(super) hub: &'a str,
    /// The product, which says who is signed in.
    pub(super) product: &'a str,
    /// The hub's admin listener.
    pub(super) admin: &'a str,
    /// Where cookie jars are kept, and the admin token.
    pub(super) data: &'a Path,
}

/// A login, a look at who is signed in, and the documented sign-out, one shell command a line.
pub(super) fn lines(vendor: Vendor, places: &Places<'_>, alice: &str) -> String {
    let Places {
        hub,
        product,
        admin,
        data,
    } = places;
    let file = |name: &str| quoted(&data.join(name).display().to_string());
    match vendor {
        Vendor::Assets => format!(
            r#"
# dam (WoodWing Assets): sign in, who am I, sign out
CSRF=$(curl -s -c {jar} -d username=alice -d password={alice} {hub}/services/login | sed 's/.*"csrfToken":"\([^"]*\)".*/\1/')
curl -s -w '\n' -b {jar} {product}/services/profile
curl -i -w '\n' -X POST -b {jar} -c {jar} -H "X-CSRF-TOKEN: $CSRF" {hub}/services/logout
"#,
            jar = file("dam.jar"),
        ),
        Vendor::HclDx => format!(
            r#"
# portal (HCL Digital Experience): sign in, read content, sign out
curl -s -w '\n' -c {jar} -H 'Content-Type: application/json' -d '{{"username":"alice","password":"{alice}"}}' {hub}/dx/api/core/v1/auth/login
curl -s -w '\n' -b {jar} {product}/dx/api/core/v1/dxmyrest/webcontent/contents/{CONTENT}
curl -i -w '\n' -X POST -b {jar} -c {jar} {hub}/dx/api/core/v1/auth/logout
"#,
            jar = file("portal.jar"),
        ),
        Vendor::Sitefinity => format!(
            r#"
# cms (Sitefinity): sign in, who am I, sign out
SF=$(curl -s -H 'X-SF-ANTIFORGERY-REQUEST: true' {hub}/sitefinity/anticsrf | sed 's/.*"Value":"\([^"]*\)".*/\1/'); curl -s -o /dev/null -c {jar} -d username=alice -d password={alice} -d "sf_antiforgery=$SF" {hub}/sitefinity/login-handler
curl -s -w '\n' -b {jar} {product}/rest-api/login-status
curl -i -w '\n' -b {jar} -c {jar} '{hub}/Sitefinity/SignOut?sts_signout=true'
# cms: sign in again, and have an administrator sign alice out everywhere
curl -s -o /dev/null -c {jar} -d username=alice -d password={alice} -d "sf_antiforgery=$SF" {hub}/sitefinity/login-handler
RECEIPT=$(curl -s -H "Authorization: Bearer $(cat {token})" -H 'Content-Type: application/json' -d '{{"person":"alice@example.com"}}' {admin}/api/logouts | sed 's/.*"receipt":"\([^"]*\)".*/\1/')
curl -i -H "Authorization: Bearer $(cat {token})" "{admin}/api/receipts/$RECEIPT?wait=5s"
"#,
            jar = file("cms.jar"),
            token = file("admin.token"),
        ),
        Vendor::Wix => wix(hub, product, alice),
    }
}

fn wix(hub: &str, product: &str, alice: &str) -> String {
    let json = "-H 'Content-Type: application/json'";
    let member = |name: &str| format!(r#"sed 's/.*"{name}":"\([^"]*\)".*/\1/'"#);
    let authorize = format!(
        "{hub}/_api/oauth2/authorize?clientId={CLIENT}&responseType=code&responseMode=query&scope=offline_access&state=demo&prompt=none\
         &redirectUri={hub}/&codeChallenge={CHALLENGE}&codeChallengeMethod=S256"
    );
    format!(
        r#"
# shop (Wix Headless): sign in (visitor token, login, authorization code, member token), who am I, sign out
VISITOR=$(curl -s {json} -d '{{"clientId":"{CLIENT}","grantType":"anonymous"}}' {hub}/oauth2/token | {access_token})
LOGIN=$(curl -s {json} -H "Authorization: $VISITOR" -d '{{"loginId":{{"email":"alice@example.com"}},"password":"{alice}"}}' {hub}/_api/iam/authentication/v2/login | {session_token})
CODE=$(curl -s -o /dev/null -w '%{{redirect_url}}' "{authorize}&sessionToken=$LOGIN" | sed 's/.*[?&]code=\([^&]*\).*/\1/')
TOKEN=$(curl -s {json} -d '{{"clientId":"{CLIENT}","grantType":"authorization_code","redirectUri":"{hub}/","code":"'"$CODE"'","codeVerifier":"{VERIFIER}"}}' {hub}/oauth2/token | {access_token})
curl -s -w '\n' -H "Authorization: $TOKEN" {product}/members/v1/members/my
curl -i -w '\n' -X POST {hub}/authentication/v1/logout -H "Authorization: $TOKEN" {json} -d '{{"postLogoutRedirectUri":"{hub}/","clientId":"{CLIENT}"}}'
"#,
        access_token = member("access_token"),
        session_token = member("sessionToken"),
    )
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
