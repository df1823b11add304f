//! `[[idp]]` whose keys cannot be used, and platforms in the way of a provider.

use logout_tests::idp::TestIdp;
use logout_tests::server;

use super::refusal;

const IDP: &str = "[[idp]]\nname = \"op\"\nissuer = \"https://idp.example\"\nclient_id = \"hub\"\n";

/// What is said about the last lines of a provider, without what stands before the key.
fn said(keys: &str) -> String {
    let platform = "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n";
    let said = refusal(&format!("{IDP}{keys}\n{platform}"));
    let at = said.find("`idp.op").unwrap_or_else(|| panic!("{said}"));
    let place = said[..at].rsplit("hub.toml:").next().unwrap();
    assert!(
        place
            .split(':')
            .take(2)
            .all(|number| number.parse::<u32>().is_ok()),
        "{said}"
    );
    said[at..].trim_end().to_owned()
}

pub(super) fn keys() {
    let uri = "jwks_uri = \"https://idp.example/jwks\"\n";
    let (unsigned, secret, unknown) = (
        "tokens without a signature are not accepted",
        "HMAC is not accepted, because its key would be a secret that clients share",
        "the algorithm is not one of EdDSA, ES256, ES384, PS256, PS384, PS512, RS256, RS384, RS512",
    );
    for (algorithm, why) in [
        ("none", unsigned),
        ("None", unsigned),
        ("HS256", secret),
        ("HS512", secret),
        ("rs256", unknown),
        ("RS1024", unknown),
    ] {
        let said = said(&format!("{uri}algorithms = [\"RS256\", \"{algorithm}\"]"));
        let expected = format!("`idp.op.algorithms`: `{algorithm}`: {why}");
        assert_eq!(said, expected);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let keys = TestIdp::start().key_set();
    let missing = folder.path().join("missing.json");
    let (garbage, empty) = (
        file("garbage.json", "keys"),
        file("empty.json", "{\"keys\":[]}"),
    );
    let good = file("keys.json", &keys);
    let malformed =
        "the key set is not a JSON object with an array of keys, or names a member twice";
    let no_key = "no key in it can verify a signature by one of `algorithms`";
    for (file, more, why) in [
        (
            &missing,
            "",
            "cannot be read: No such file or directory (os error 2)",
        ),
        (&garbage, "", malformed),
        (&empty, "", no_key),
        (&good, "algorithms = [\"EdDSA\"]", no_key),
    ] {
        let said = said(&format!("jwks_file = {file:?}\n{more}"));
        let expected = format!("`idp.op.jwks_file`: {}: {why}", file.display());
        assert_eq!(said, expected);
    }
    let said = said(&format!("{uri}ca_file = {missing:?}"));
    let why = "cannot be read: No such file or directory (os error 2)";
    let expected = format!("`idp.op.ca_file`: {} {why}", missing.display());
    assert_eq!(said, expected);
}

pub(super) fn in_the_way() {
    for (keys, path) in [
        ("vendor = \"sitefinity\"\nprefix = \"/idp\"", "/idp/"),
        ("vendor = \"sitefinity\"\nprefix = \"/idp/op\"", "/idp/"),
        ("vendor = \"assets\"\nlanding_page = \"/idp/mine\"", "/idp/"),
        ("vendor = \"wix\"\nprefix = \"/revoke\"", "/revoke/"),
        (
            "vendor = \"assets\"\nlanding_page = \"/revoke/mine\"",
            "/revoke/",
        ),
        (
            "vendor = \"assets\"\nlanding_page = \"/.well-known/openid-configuration\"",
            "/.well-known/openid-configuration",
        ),
        (
            "vendor = \"assets\"\nlanding_page = \"/.well-known/jwks.json\"",
            "/.well-known/jwks.json",
        ),
    ] {
        let said = refusal(&format!("[[platform]]\nname = \"greedy\"\n{keys}\n"));
        assert!(
            said.contains("`platform.greedy`") && said.contains(path),
            "{keys}: {said}"
        );
    }
    // Beside it is not in the way.
    let folder = tempfile::tempdir().unwrap();
    let beside = "[[platform]]\nname = \"modest\"\nvendor = \"sitefinity\"\nprefix = \"/idps\"\n";
    std::fs::write(folder.path().join("hub.toml"), beside).unwrap();
    let checked = server::run(&["check-config", "--config", "hub.toml"], folder.path());
    assert!(checked.status.success(), "{}", checked.stderr);
}
