mod all_at_once;
mod event_receiver;
mod idp;
mod overrides;
mod relying_party;
mod sense;
mod vendor;
mod wording;

use std::fs;

use super::*;

const EVERYTHING: Compiled<'_> = Compiled {
    vendors: &[
        Vendor::Assets,
        Vendor::HclDx,
        Vendor::Sitefinity,
        Vendor::Wix,
    ],
    stores: &["disk", "redis", "postgres"],
    standards: true,
};

/// A hash with tiny costs, of the password `x`.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$2JzOE7bGvZ0s7n1Z0mKX4w1y3YH3bq2yR0xk3zq1y7w";

const CMS: &str = "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    parse_with(text, &[])
}

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(
        text,
        Path::new("/etc/hub/hub.toml"),
        environment,
        &EVERYTHING,
    )
}

fn errors(text: &str) -> String {
    parse(text)
        .map(|_| ())
        .expect_err("must be refused")
        .to_string()
}

/// Compares what is said about every text of a table with what is to be said, and names all that
/// differ.
fn each_is_said(table: &[(&str, &str)], said: impl Fn(&str) -> String) {
    let differ = table.iter().filter_map(|(text, expected)| {
        let said = said(text);
        (said != *expected).then(|| format!("{text}\n--- says\n{said}\n--- not\n{expected}\n"))
    });
    let differ: Vec<String> = differ.collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Writes a file that other users cannot read.
pub(super) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

fn account(rest: &str) -> String {
    format!("[[account]]\nname = \"alice\"\npassword_hash = \"{HASH}\"\n{rest}")
}

#[test]
fn an_empty_configuration_has_the_documented_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8081");
    assert_eq!(config.admin.token_file, Path::new("/etc/hub/admin.token"));
    assert_eq!(config.store.url.to_string(), "disk:/etc/hub/hub-data");
    assert_eq!(
        (
            config.sessions.idle_timeout.as_secs(),
            config.sessions.absolute_timeout.as_secs()
        ),
        (1_800, 43_200)
    );
    assert_eq!(config.receipts.retention.as_secs(), 90 * 86_400);
    assert_eq!(
        (
            config.server.max_body.get(),
            config.server.shutdown_timeout.as_secs()
        ),
        (16_384, 8)
    );
    assert!(
        config.server.public_url.is_none()
            && config.accounts.is_empty()
            && config.platforms.is_empty()
    );
}

#[test]
fn every_key_is_read() {
    let config = parse(&format!(
        r#"
[server]
listen = "0.0.0.0:0"
public_url = "https://hub.example.com/out"
trusted_proxies = ["10.0.0.1", "fd00::/8"]
tls = {{ certificate_file = "hub.pem", key_file = "/keys/hub.key" }}
log_format = "json"
workers = 2
max_body = 1024
shutdown_timeout = "250ms"
[admin]
listen = "[::1]:9000"
token_file = "secrets/token"
[store]
url = "memory:"
[sessions]
idle_timeout = "1h 30m"
absolute_timeout = "2d"
sweep_interval = "5s"
[receipts]
retention = "1year"
[redirects]
allow = ["https://www.example.com", "https://*.example.org"]
[[account]]
name = "alice"
password_hash = "{HASH}"
realm = "Staff"
person = "alice@example.com"
display_name = "Alice"
groups = ["editors"]
administrator = true
[[platform]]
name = "cms"
vendor = "hcl-dx"
public_url = "https://cms.example.com/dx"
host = "CMS.example.com:8443"
prefix = "/dx"
reach = "sign-on"
redirects = ["https://cms.example.net/bye"]
cookies = {{ secure = "always", domain = "example.com", same_site = "none" }}
cors_origins = ["https://*.example.com", "http://localhost:3000"]
require_same_site = true
"#
    ))
    .unwrap();
    let tls = config.server.tls.unwrap();
    assert_eq!(
        (tls.certificate_file.as_path(), tls.key_file.as_path()),
        (Path::new("/etc/hub/hub.pem"), Path::new("/keys/hub.key"))
    );
    assert_eq!(
        (
            config.server.workers.map(|count| count.get()),
            config.server.log_format
        ),
        (Some(2), LogFormat::Json)
    );
    assert_eq!(config.sessions.idle_timeout.as_secs(), 5_400);
    let account = config.accounts[0].to_account().account;
    assert_eq!(
        (
            account.email.as_deref(),
            account.realm.as_str(),
            account.administrator
        ),
        (Some("alice@example.com"), "Staff", true)
    );
    let platform = &config.platforms[0];
    assert_eq!(platform.host.as_deref(), Some("cms.example.com:8443"));
    let server_url = config.server.public_url.unwrap();
    let core = platform.platform(&server_url, &config.sessions, &config.redirects);
    assert_eq!(
        (core.public_url.as_str(), core.prefix.as_str()),
        ("https://cms.example.com/dx", "/dx")
    );
    assert_eq!(
        core.redirects,
        [
            "https://www.example.com",
            "https://*.example.org",
            "https://cms.example.net/bye"
        ]
    );
    assert_eq!(core.absolute_timeout.as_secs(), 172_800);
}

#[test]
fn a_platforms_url_is_the_servers_with_its_prefix_unless_it_has_one() {
    let config = parse(&format!("{CMS}prefix = \"/cms\"")).unwrap();
    for (server, platform) in [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/cms"),
        ("https://h.example/a/", "https://h.example/a/cms"),
    ] {
        let core = config.platforms[0].platform(
            &server.parse().unwrap(),
            &config.sessions,
            &config.redirects,
        );
        assert_eq!(core.public_url.as_str(), platform);
    }
}

#[test]
fn person_and_address_stand_in_for_each_other() {
    for (keys, person, email) in [
        ("", None, None),
        ("person = \"p-17\"", Some("p-17"), None),
        (
            "person = \"a@example.com\"",
            Some("a@example.com"),
            Some("a@example.com"),
        ),
        (
            "email = \"a@example.com\"",
            Some("a@example.com"),
            Some("a@example.com"),
        ),
        (
            "person = \"p-17\"\nemail = \"a@example.com\"",
            Some("p-17"),
            Some("a@example.com"),
        ),
    ] {
        let account = parse(&account(keys)).unwrap().accounts.remove(0);
        assert_eq!(
            (account.person.as_deref(), account.email.as_deref()),
            (person, email),
            "{keys}"
        );
        assert_eq!(
            (account.display_name.as_str(), account.realm.as_str()),
            ("alice", "Default")
        );
    }
}

#[test]
fn names_are_unique() {
    let said = errors(&format!("{CMS}{}", CMS.replace("cms", "CMS")));
    assert_eq!(
        said,
        "/etc/hub/hub.toml:5:8: platform `CMS` is already taken by /etc/hub/hub.toml:2:8"
    );
    let said = errors(&format!(
        "{}{}",
        account(""),
        account("realm = \"default\"").replace("alice", "Alice")
    ));
    assert_eq!(
        said,
        "/etc/hub/hub.toml:5:8: account `Alice` is already taken by /etc/hub/hub.toml:2:8"
    );
    assert!(parse(&format!("{}{}", account(""), account("realm = \"Staff\""))).is_ok());
}

#[test]
fn what_is_not_compiled_in_is_refused_with_the_feature_that_brings_it() {
    let bare = Compiled {
        vendors: &[Vendor::Wix],
        stores: &[],
        standards: false,
    };
    let text = format!("[store]\nurl = \"redis://:canary@cache\"\n{CMS}");
    let said = Config::parse(&text, Path::new("hub.toml"), [], &bare)
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "hub.toml:2:7: `redis` is not part of this build; it needs the cargo feature `store-redis`\n\
         hub.toml:5:10: `sitefinity` is not part of this build; it needs the cargo feature `sitefinity`"
    );
    assert!(
        Config::parse(
            "[store]\nurl = \"memory:\"",
            Path::new("hub.toml"),
            [],
            &bare
        )
        .is_ok()
    );
}

#[test]
fn a_password_hash_must_be_one_and_is_never_repeated() {
    for (value, place) in [
        ("\"canary\"", "3:17"),
        ("4711", "3:17"),
        ("[\"canary\"]", "3:17"),
    ] {
        let said = errors(&format!(
            "[[account]]\nname = \"alice\"\npassword_hash = {value}"
        ));
        assert!(
            said.starts_with(&format!(
                "/etc/hub/hub.toml:{place}: `account.alice.password_hash`: "
            )),
            "{said}"
        );
        assert!(!said.contains("canary") && !said.contains("4711"), "{said}");
    }
    assert_eq!(
        errors("[[account]]\nname = \"alice\""),
        "/etc/hub/hub.toml:1:1: `account.alice.password_hash` is missing"
    );
}

#[test]
fn a_password_hash_may_lie_in_a_file_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let text = "[[account]]\nname = \"alice\"\npassword_hash_file = \"alice.hash\"";
    let load = || Config::parse(text, &file, [], &EVERYTHING);
    assert!(
        load()
            .unwrap_err()
            .to_string()
            .contains(":3:22: `account.alice.password_hash_file`: ")
    );
    write_private(&folder.path().join("alice.hash"), &format!("{HASH}\n"));
    assert_eq!(load().unwrap().accounts[0].password_hash.reveal(), HASH);
    let both = format!("{text}\npassword_hash = \"{HASH}\"");
    let said = Config::parse(&both, &file, [], &EVERYTHING)
        .unwrap_err()
        .to_string();
    assert!(
        said.ends_with("`password_hash` and `password_hash_file` are both given; keep one"),
        "{said}"
    );
}

#[test]
fn the_common_keys_are_those_that_are_read() {
    let unknown = toml::from_str::<PlatformConfig>("surplus = 1").unwrap_err();
    let (_, known) = unknown.message().split_once("expected one of ").unwrap();
    let mut known: Vec<&str> = known.split(", ").map(|key| key.trim_matches('`')).collect();
    known.sort_unstable();
    assert_eq!(known, COMMON_KEYS);
}
