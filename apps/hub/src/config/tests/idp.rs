//! `[[idp]]`: what is read, and what is said about each fault.

use super::*;

/// What has to be written, and `keys` behind it.
fn idp(keys: &str) -> String {
    format!("[[idp]]\nname = \"op\"\nissuer = \"https://idp.example\"\nclient_id = \"hub\"\n{keys}")
}

const JWKS: &str = "jwks_uri = \"https://idp.example/jwks\"";

/// Keys behind the required ones, from line 5 on, and what is said about them.
const REFUSED: &[(&str, &str)] = &[
    (
        "",
        "1:1: `idp.op`: `jwks_uri` or `jwks_file` must be given: without the provider's keys no \
         token can be verified",
    ),
    (
        "jwks_uri = \"https://idp.example/jwks\"\njwks_file = \"jwks.json\"",
        "6:13: `idp.op.jwks_file`: goes in place of `jwks_uri`; keep one",
    ),
    (
        "jwks_uri = \"http://idp.example/jwks\"",
        "5:12: `idp.op.jwks_uri`: must begin with https://: keys that come in plain text may be \
         anybody's",
    ),
    (
        "jwks_uri = \"http://127.0.0.1.example/jwks\"",
        "5:12: `idp.op.jwks_uri`: must begin with https://: keys that come in plain text may be \
         anybody's",
    ),
    (
        "jwks_uri = \"http://10.0.0.1/jwks\"",
        "5:12: `idp.op.jwks_uri`: must begin with https://: keys that come in plain text may be \
         anybody's",
    ),
    (
        "jwks_uri = \"ftp://127.0.0.1/jwks\"",
        "5:12: `idp.op.jwks_uri`: must begin with https://: keys that come in plain text may be \
         anybody's",
    ),
    (
        "jwks_uri = \"idp.example/jwks\"",
        "5:12: `idp.op.jwks_uri`: is not a URL (relative URL without a base); write one such as \
         \"https://idp.example.com/jwks.json\"",
    ),
    (
        "jwks_uri = \"https://user:password@idp.example/jwks\"",
        "5:12: `idp.op.jwks_uri`: must hold no user name, password or fragment",
    ),
    (
        "jwks_uri = \"https://idp.example/jwks#a\"",
        "5:12: `idp.op.jwks_uri`: must hold no user name, password or fragment",
    ),
    (
        "jwks_uri = 5",
        "5:12: `idp.op.jwks_uri`: must be a URL, not the number 5",
    ),
    (
        "jwks_file = \"jwks.json\"\nca_file = \"ca.pem\"",
        "6:11: `idp.op.ca_file`: goes with `jwks_uri`",
    ),
    (
        "jwks_file = \"jwks.json\"\nalgorithms = []",
        "6:14: `idp.op.algorithms`: must name at least one, such as \"RS256\"",
    ),
    (
        "jwks_file = \"jwks.json\"\nperson = \"email\"",
        "6:10: `idp.op.person`: needs `email_trusted = true`: who may choose their own address at \
         this provider could sign out others",
    ),
    (
        "jwks_file = \"jwks.json\"\nperson = \"email\"\nemail_trusted = false",
        "6:10: `idp.op.person`: needs `email_trusted = true`: who may choose their own address at \
         this provider could sign out others",
    ),
    (
        "jwks_file = \"jwks.json\"\nperson = \"name\"",
        "6:10: `idp.op.person`: must be `email` or `sub`, not `name`",
    ),
    (
        "jwks_file = \"jwks.json\"\njwks_url = \"https://idp.example/jwks\"",
        "6:1: unknown key `idp.op.jwks_url`; did you mean `jwks_uri`?",
    ),
    (
        "jwks_file = \"jwks.json\"\nevents_audience = \" \"",
        "6:19: `idp.op.events_audience`: must not be empty",
    ),
    (
        "jwks_file = \"jwks.json\"\nend_on_credential_change = true",
        "6:28: `idp.op.end_on_credential_change`: goes with `events_audience`",
    ),
    (
        "jwks_file = \"jwks.json\"\nrevocations_per_minute = 0",
        "6:26: `idp.op.revocations_per_minute`: must be a whole number from 1 to 4294967295, not \
         the number 0",
    ),
];

/// Whole texts, and what is said about them.
const WHOLE_REFUSED: &[(&str, &str)] = &[
    (
        "[idp]\nname = \"op\"",
        "1:1: `idp`: must be a list of tables: write [[idp]]",
    ),
    (
        "[[idp]]\nissuer = \"https://idp.example\"\nclient_id = \"hub\"\njwks_file = \"jwks.json\"",
        "1:1: `idp.name` is missing",
    ),
    (
        "[[idp]]\nname = \"op\"\nclient_id = \"hub\"\njwks_file = \"jwks.json\"",
        "1:1: `idp.op.issuer` is missing",
    ),
    (
        "[[idp]]\nname = \"op\"\nissuer = \"https://idp.example\"\njwks_file = \"jwks.json\"",
        "1:1: `idp.op.client_id` is missing",
    ),
    (
        "[[idp]]\nname = \"op\"\nissuer = \"https://idp.example\"\nclient_id = \" \"\n\
         jwks_file = \"jwks.json\"",
        "4:13: `idp.op.client_id`: must not be empty",
    ),
    (
        "[[idp]]\nname = \"op\"\nissuer = \"idp.example\"\nclient_id = \"hub\"\n\
         jwks_file = \"jwks.json\"",
        "3:10: `idp.op.issuer`: is not a URL; write the `issuer` of the provider's discovery \
         document as it stands there",
    ),
    (
        "[[idp]]\nname = \"op\"\nissuer = \"urn:idp\"\nclient_id = \"hub\"\njwks_file = \"jwks.json\"",
        "3:10: `idp.op.issuer`: is not a URL; write the `issuer` of the provider's discovery \
         document as it stands there",
    ),
    (
        "[[idp]]\nname = \"a/b\"\nissuer = \"https://idp.example\"\nclient_id = \"hub\"\n\
         jwks_file = \"jwks.json\"",
        "2:8: `idp.a/b.name`: must be 1 to 64 letters, digits, hyphens, underscores or dots, the \
         first no dot",
    ),
];

#[test]
fn what_is_wrong_with_a_provider_is_said_at_its_place() {
    each_is_said(REFUSED, |keys| {
        errors(&idp(keys)).replace("/etc/hub/hub.toml:", "")
    });
    each_is_said(WHOLE_REFUSED, |text| {
        errors(text).replace("/etc/hub/hub.toml:", "")
    });
}

#[test]
fn two_providers_have_two_names() {
    let text = format!("{}\n{}", idp(JWKS), idp(JWKS));
    assert_eq!(
        errors(&text).replace("/etc/hub/hub.toml:", ""),
        "7:8: idp `op` is already taken by 2:8"
    );
}

#[test]
fn a_provider_s_keys_are_read_and_have_their_defaults() {
    let config = parse(&idp(JWKS)).unwrap();
    let [op] = &config.idps[..] else {
        panic!("{:?}", config.idps)
    };
    assert_eq!(
        (&*op.name, &*op.issuer, &*op.client_id),
        ("op", "https://idp.example", "hub")
    );
    assert_eq!(op.algorithms, ["RS256"]);
    assert_eq!((op.person, op.email_trusted), (None, false));
    assert_eq!(op.revocations_per_minute.get(), 600);
    for here in [
        "http://127.0.0.1:9/jwks",
        "http://[::1]/jwks",
        "http://localhost:9/jwks?a=b",
    ] {
        let config = parse(&idp(&format!("jwks_uri = \"{here}\""))).unwrap();
        assert_eq!(
            config.idps[0].jwks_uri.as_ref().map(url::Url::as_str),
            Some(here)
        );
    }
    let more = "jwks_file = \"jwks.json\"\nalgorithms = [\"ES256\", \"EdDSA\"]\nperson = \"email\"\n\
                email_trusted = true";
    let config = parse(&idp(more)).unwrap();
    assert_eq!(
        config.idps[0].jwks_file.as_deref(),
        Some(Path::new("/etc/hub/jwks.json"))
    );
    assert_eq!(config.idps[0].algorithms, ["ES256", "EdDSA"]);
    assert_eq!(
        (config.idps[0].person, config.idps[0].email_trusted),
        (Some(IdpPerson::Email), true)
    );
}

#[test]
fn a_build_without_the_standards_says_how_to_get_them() {
    let without = Compiled {
        standards: false,
        ..EVERYTHING
    };
    let refused = Config::parse(
        &idp(JWKS),
        Path::new("/etc/hub/hub.toml"),
        Vec::new(),
        &without,
    );
    let said = refused.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        said,
        "/etc/hub/hub.toml:1:1: `idp` is not part of this build; it needs the cargo feature \
         `standards`"
    );
}
