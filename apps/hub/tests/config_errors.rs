//! What `check-config` and `serve` say of configurations that look right by themselves: files,
//! vendors' keys, overlaps.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$2JzOE7bGvZ0s7n1Z0mKX4w1y3YH3bq2yR0xk3zq1y7w";

const CMS: &str = "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n";

/// A key of RSA with 1024 bits.
const SHORT_RSA: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBALyJt+HtOptq4Jj4\n\
tUHcVkK34Hh/KWv3I4/4d5fKnxo3lMAzjRTCckegjk91D0vYqozhRuy4Wkxndbcj\n\
D/5w7nCOFVRyBN2Ao+QfkRNBx12rLCVtLYBKlBELNWVDan96txWWuKAwUSGm65E/\n\
7nbO0xEbrUfIwHzOxYCSY9UaglwpAgMBAAECgYBOvFC/mBuWlh6vo4XGuGaJvFKQ\n\
38IDpZUDZedDy8l/4GBNl/m+BqpFAWcNBbzaluQ6q0W8TAzhxX8ieREP2Eeqn+c8\n\
aO0fOmqewG6qgwNFGh9thmT+YdSfl4t9iZR1jN3ttP23RYNBb2GH20QS4Ii9eCFR\n\
aXIBjsPWczRkec+oEQJBAOZk26FvskGABwGmXP5KmADDt0YPLnL1/uND8fD1g5kB\n\
DRooiY+Uafrqp9REMOe8oUUhKfRQscHftv8dA33vWT0CQQDRffpe4lXIMPBFzAEk\n\
gDQvR+kzo1vVZo2Vz3L+et27WOch2OKoKLcWBKRFXNLRrkPnu2KBq/SvhDVIO9mW\n\
n8VdAkBDK5aI64q54/ym83zbOp40Yts1FsoBBE1Krw2DpeC3JAJQ5Q6uCKQZXn6N\n\
uU/U0D7oa7HSpBAfKP0uRaQ1/Ck1AkEAnxA5Z4wROCS4ezaP84gIl5HRZqz10I3C\n\
mWpfVQwzicnSDWghiS8I/QXfOO9m/2CDHNOx0uWerxoCXutapjx/3QJAcdUWxsmC\n\
qMdaBcXj4ya7C/uM1Ci5wL+pHgRskrkJ9ecOljrEddtQ/9/CYu2zcxEj2M8O4wEM\n\
zJxi/mMLR7qB6A==\n\
-----END PRIVATE KEY-----\n\
";

/// The public half of one.
const SHORT_RSA_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC8ibfh7TqbauCY+LVB3FZCt+B4\n\
fylr9yOP+HeXyp8aN5TAM40UwnJHoI5PdQ9L2KqM4UbsuFpMZ3W3Iw/+cO5wjhVU\n\
cgTdgKPkH5ETQcddqywlbS2ASpQRCzVlQ2p/ercVlrigMFEhpuuRP+52ztMRG61H\n\
yMB8zsWAkmPVGoJcKQIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

/// A file beside the configuration: its name, mode and text.
type FileBeside<'a> = (&'a str, u32, &'a str);

fn folder_with(configuration: &str, files: &[FileBeside<'_>]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hub.toml"), configuration).unwrap();
    for (name, mode, text) in files {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(*mode)).unwrap();
    }
    folder
}

/// Runs a command over `hub.toml` in `folder` and returns its status, standard output and standard
/// error. The folder is left out of what is said.
fn run(command: &str, folder: &Path) -> (i32, String, String) {
    let mut hub = Command::cargo_bin("logout-hub").unwrap();
    let output = hub
        .env_clear()
        .args([command, "--config", "hub.toml"])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let said = said
        .replace(
            &format!("{}/", folder.canonicalize().unwrap().display()),
            "",
        )
        .replace(&format!("{}/", folder.display()), "");
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        said,
    )
}

/// Compares what both commands say about each configuration with what is to be said.
fn each_is_refused(table: &[(&str, &[FileBeside<'_>], &str)]) {
    let differ = table.iter().flat_map(|(text, files, expected)| {
        let folder = folder_with(text, files);
        ["check-config", "serve"].map(|command| {
            let (status, output, said) = run(command, folder.path());
            let said: String = said
                .lines()
                .filter(|line| !line.contains(": warning: "))
                .map(|line| format!("{line}\n"))
                .collect();
            let right = (status, output.as_str(), said.trim_end()) == (2, "", *expected);
            (!right).then(|| {
                format!(
                    "{text}\n--- {command}, {status}, {output}, says\n{said}--- not\n{expected}\n"
                )
            })
        })
    });
    let differ: Vec<String> = differ.flatten().collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef\n";
const SEAL_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

#[test]
fn files_of_secrets_that_others_can_read_are_refused_with_their_mode() {
    let account = "[[account]]\nname = \"alice\"\npassword_hash_file = \"alice.hash\"";
    let access_key =
        format!("{CMS}[[platform.access_key]]\nusername = \"a\"\nkey_file = \"a.key\"");
    let upstream = format!("{CMS}upstream = \"http://cms.internal\"");
    let person = format!(
        "{upstream}\nperson = {{ from = \"claim\", claim = \"email\", algorithm = \"HS256\", key_file = \"hmac\" }}"
    );
    let administrator =
        format!("{upstream}\nupstream_administrator = {{ bearer_token_file = \"bearer\" }}");
    each_is_refused(&[
        (
            "",
            &[("admin.token", 0o644, TOKEN)],
            "hub.toml: `admin.token_file`: admin.token: mode 0644 lets every user of this machine read it; run `chmod 600 admin.token`",
        ),
        (
            "[admin]\ncheck_token_file = \"c\"",
            &[("c", 0o602, TOKEN)],
            "hub.toml:2:20: `admin.check_token_file`: c: mode 0602 lets every user of this machine change it; run `chmod 600 c`",
        ),
        (
            account,
            &[("alice.hash", 0o644, HASH)],
            "hub.toml:3:22: `account.alice.password_hash_file`: alice.hash: mode 0644 lets every user of this machine read it; run `chmod 600 alice.hash`",
        ),
        (
            &access_key,
            &[("a.key", 0o666, "x")],
            "hub.toml:6:12: `platform.cms.access_key.key_file`: a.key: mode 0666 lets every user of this machine read and change it; run `chmod 600 a.key`",
        ),
        (
            &administrator,
            &[("bearer", 0o604, "x")],
            "hub.toml:5:48: `platform.cms.upstream_administrator.bearer_token_file`: bearer: mode 0604 lets every user of this machine read it; run `chmod 600 bearer`",
        ),
        (
            &upstream,
            &[("seal.key", 0o644, SEAL_KEY)],
            "hub.toml: `server.seal_key_file`: seal.key: mode 0644 lets every user of this machine read it; run `chmod 600 seal.key`",
        ),
        (
            &person,
            &[("hmac", 0o644, TOKEN)],
            "hub.toml:5:77: `platform.cms.person.key_file`: hmac: mode 0644 lets every user of this machine read it; run `chmod 600 hmac`",
        ),
        (
            "[server]\ntls = { certificate_file = \"c.pem\", key_file = \"k.pem\" }",
            &[("c.pem", 0o644, "x"), ("k.pem", 0o644, SHORT_RSA)],
            "hub.toml:2:28: `server.tls.certificate_file`: c.pem: holds no certificate in PEM form (BEGIN CERTIFICATE)\n\
             hub.toml:2:48: `server.tls.key_file`: k.pem: mode 0644 lets every user of this machine read it; run `chmod 600 k.pem`",
        ),
    ]);
}

#[test]
fn keys_and_tokens_below_the_floor_are_refused() {
    let upstream = format!("{CMS}upstream = \"http://cms.internal\"");
    let person = |algorithm: &str| {
        format!(
            "{upstream}\nperson = {{ from = \"claim\", claim = \"email\", algorithm = \"{algorithm}\", key_file = \"key\" }}"
        )
    };
    each_is_refused(&[
        (
            "",
            &[("admin.token", 0o600, "secret\n")],
            "hub.toml: `admin.token_file`: admin.token: the token has 6 characters, and must have 32 or more; take what `openssl rand -hex 32` prints, or remove the file and have one made",
        ),
        (
            "",
            &[("check.token", 0o600, "\n")],
            "hub.toml: `admin.check_token_file`: check.token: holds nothing",
        ),
        (
            &person("HS256"),
            &[("key", 0o600, "short")],
            "hub.toml:5:77: `platform.cms.person.key_file`: key: the secret has 5 bytes, and must have 32 or more",
        ),
        (
            &person("RS256"),
            &[("key", 0o644, SHORT_RSA_PUBLIC)],
            "hub.toml:5:77: `platform.cms.person.key_file`: key: the RSA key has less than 2048 bits; make one of 2048 bits or more",
        ),
        (
            &person("rs256"),
            &[("key", 0o644, SHORT_RSA_PUBLIC)],
            "hub.toml:5:57: `platform.cms.person.algorithm`: must be `EdDSA`, `ES256`, `HS256` or `RS256`, not `rs256`; did you mean `RS256`?",
        ),
        (
            "[server]\ntls = { certificate_file = \"c.pem\", key_file = \"k.pem\" }",
            &[("c.pem", 0o644, "x"), ("k.pem", 0o600, SHORT_RSA)],
            "hub.toml:2:28: `server.tls.certificate_file`: c.pem: holds no certificate in PEM form (BEGIN CERTIFICATE)\n\
             hub.toml:2:48: `server.tls.key_file`: k.pem: the RSA key has less than 2048 bits; make one of 2048 bits or more",
        ),
    ]);
}

#[test]
fn files_that_are_not_there_are_named() {
    let upstream =
        format!("{CMS}upstream = \"https://cms.internal\"\nupstream_ca_file = \"ca.pem\"");
    each_is_refused(&[
        (
            "[server.tls]\ncertificate_file = \"c.pem\"\nkey_file = \"k.pem\"",
            &[],
            "hub.toml:2:20: `server.tls.certificate_file`: c.pem: cannot be read: No such file or directory (os error 2)\n\
             hub.toml:3:12: `server.tls.key_file`: k.pem: cannot be read: No such file or directory (os error 2)",
        ),
        (
            &upstream,
            &[],
            "hub.toml:5:20: `platform.cms.upstream_ca_file`: ca.pem cannot be read: No such file or directory (os error 2)",
        ),
    ]);
}

#[test]
fn platforms_that_overlap_are_said_with_both_places() {
    let platform = |name: &str, rest: &str| {
        format!("[[platform]]\nname = \"{name}\"\nvendor = \"sitefinity\"\n{rest}\n")
    };
    let three = [
        platform("one", ""),
        platform("two", ""),
        platform("three", ""),
    ]
    .concat();
    let some = [
        platform("one", "prefix = \"/a\""),
        platform("two", ""),
        platform("three", "prefix = \"/a\""),
    ]
    .concat();
    let reserved = platform("greedy", "prefix = \"/receipts\"");
    each_is_refused(&[
        (
            &three,
            &[],
            "hub.toml:6:8: `platform.two`: claims /Sitefinity/SignOut, and so does `platform.one` at hub.toml:2:8; give one of them another `host` or `prefix`\n\
             hub.toml:10:8: `platform.three`: claims /Sitefinity/SignOut, and so does `platform.one` at hub.toml:2:8; give one of them another `host` or `prefix`",
        ),
        (
            &some,
            &[],
            "hub.toml:10:8: `platform.three`: claims /a/Sitefinity/SignOut, and so does `platform.one` at hub.toml:2:8; give one of them another `host` or `prefix`",
        ),
        (
            &reserved,
            &[],
            "hub.toml:2:8: `platform.greedy`: claims /receipts/, which the hub keeps for itself; give it a `host` or a `prefix`",
        ),
    ]);
}

#[test]
fn cookie_names_that_the_settings_void_are_refused() {
    let named =
        |name: &str, keys: &str| format!("{CMS}cookie_names = {{ session = \"{name}\" }}\n{keys}");
    let https = "public_url = \"https://cms.example.com\"";
    each_is_refused(&[
        (
            &named("__Host-sf", ""),
            &[],
            "hub.toml:4:16: `platform.cms.cookie_names`: \"__Host-sf\": browsers drop a cookie `__Host-…` or `__Secure-…` that is not Secure; write `cookies.secure = \"always\"`, or an https `public_url`",
        ),
        (
            &named(
                "__Secure-sf",
                "cookies = { secure = \"never\" }\npublic_url = \"https://cms.example.com\"",
            ),
            &[],
            "hub.toml:4:16: `platform.cms.cookie_names`: \"__Secure-sf\": browsers drop a cookie `__Host-…` or `__Secure-…` that is not Secure; write `cookies.secure = \"always\"`, or an https `public_url`",
        ),
        (
            &named("__Host-sf", &format!("{https}\nprefix = \"/cms\"")),
            &[],
            "hub.toml:4:16: `platform.cms.cookie_names`: \"__Host-sf\": browsers drop a cookie `__Host-…` whose Path is not `/`; remove `prefix`, or begin the name with `__Secure-`",
        ),
        (
            &named(
                "__Host-sf",
                &format!("{https}\ncookies = {{ domain = \"example.com\" }}"),
            ),
            &[],
            "hub.toml:4:16: `platform.cms.cookie_names`: \"__Host-sf\": browsers drop a cookie `__Host-…` that has a Domain; remove `cookies.domain`, or begin the name with `__Secure-`",
        ),
    ]);
    for right in [
        named("__Host-sf", https),
        named("__Host-sf", "cookies = { secure = \"always\" }"),
        named(
            "__Secure-sf",
            &format!("{https}\nprefix = \"/cms\"\ncookies = {{ domain = \"example.com\" }}"),
        ),
    ] {
        let folder = folder_with(&right, &[]);
        assert_eq!(
            run("check-config", folder.path()),
            (0, "ok: 1 platforms\n".to_owned(), String::new()),
            "{right}"
        );
    }
}

#[test]
fn one_run_says_everything_from_the_first_key_to_the_last_file() {
    let text = "[server]\nmax_body = 0\n[admin]\ntoken_file = \"t\"\n\
                [[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\ndefault_provider = \"\"\naccess_token_lifetime = 0\nservice_path = \"/\"\n\
                cookie_names = { session = \"a b\" }\ndefault_provder = \"x\"\nwidget_sign_out = 1\n\
                [[platform]]\nname = \"shop\"\nvendor = \"sitefinity\"\nprefix = \"shop\"\nservice_path = 1\n\
                [[platform]]\nvendor = \"sitefinity\"\nreach = \"all\"\n";
    each_is_refused(&[(
        text,
        &[("t", 0o644, TOKEN)],
        "hub.toml:2:12: `server.max_body`: must be a whole number, 1 or more, not the number 0\n\
             hub.toml:4:14: `admin.token_file`: t: mode 0644 lets every user of this machine read it; run `chmod 600 t`\n\
             hub.toml:8:20: `platform.cms.default_provider`: must not be empty\n\
             hub.toml:9:25: `platform.cms.access_token_lifetime`: must be at least one second\n\
             hub.toml:10:16: `platform.cms.service_path`: must be a path such as default, without a slash at its ends\n\
             hub.toml:11:16: `platform.cms.cookie_names`: \"a b\" cannot be the name of a cookie\n\
             hub.toml:12:1: unknown key `platform.cms.default_provder`; did you mean `default_provider`?\n\
             hub.toml:13:19: `platform.cms.widget_sign_out`: must be true or false, not the number 1\n\
             hub.toml:17:10: `platform.shop.prefix`: must begin with a slash (or be empty)\n\
             hub.toml:18:16: `platform.shop.service_path`: must be text in quotes, not the number 1\n\
             hub.toml:19:1: `platform.name` is missing\n\
             hub.toml:21:9: `platform.reach`: must be `session`, `sign-on`, `subject` or `person`, not `all`",
    )]);
}

#[test]
fn what_is_warned_of_is_said_and_served_all_the_same() {
    let warning = "hub.toml:5:9: warning: `platform.cms.reach`: no `person` says who a user of the product is, so that a sign-out leaves \
                   other platforms alone unless a registration named the person; write `person = { from = \"subject\" }`, or another `reach`\n";
    let text = format!("{CMS}upstream = \"http://cms.internal\"\nreach = \"person\"\n");
    let folder = folder_with(&text, &[]);
    assert_eq!(
        run("check-config", folder.path()),
        (0, "ok: 1 platforms\n".to_owned(), warning.to_owned())
    );
    let folder = folder_with(&format!("{text}max_cookies = 0\n"), &[]);
    let (status, output, said) = run("check-config", folder.path());
    assert!(
        status == 2 && output.is_empty() && said.starts_with(warning) && said.lines().count() == 2,
        "{said}"
    );
}

#[test]
fn the_demo_refuses_its_passwords_where_others_can_read_them() {
    let folder = folder_with("", &[("passwords.json", 0o644, "{}")]);
    let mut demo = Command::cargo_bin("logout-hub").unwrap();
    let output = demo
        .env_clear()
        .args(["demo", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let file = folder.path().join("passwords.json");
    let file = file.display();
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains(&format!(
            "{file}: mode 0644 lets every user of this machine read it; run `chmod 600 {file}`"
        )),
        "{said}"
    );
}
