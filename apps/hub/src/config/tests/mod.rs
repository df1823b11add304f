mod overrides;
mod vendor;

use std::fs;

use super::*;

const EVERYTHING: Compiled<'_> =
    Compiled { vendors: &[Vendor::Assets, Vendor::HclDx, Vendor::Sitefinity, Vendor::Wix], stores: &["fjall", "redis", "postgres"] };

/// A hash with tiny costs, of the password `x`.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$2JzOE7bGvZ0s7n1Z0mKX4w1y3YH3bq2yR0xk3zq1y7w";

const CMS: &str = "[[platform]]\nname = \"cms\"\nvendor = \"sitefinity\"\n";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    parse_with(text, &[])
}

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(text, Path::new("/etc/hub/hub.toml"), environment, &EVERYTHING)
}

fn errors(text: &str) -> String {
    parse(text).map(|_| ()).expect_err("must be refused").to_string()
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
    assert_eq!(config.store.url.to_string(), "fjall:/etc/hub/hub-data");
    assert_eq!((config.sessions.idle_timeout.as_secs(), config.sessions.absolute_timeout.as_secs()), (1_800, 43_200));
    assert_eq!(config.receipts.retention.as_secs(), 90 * 86_400);
    assert_eq!((config.server.max_body.get(), config.server.shutdown_timeout.as_secs()), (16_384, 8));
    assert!(config.server.public_url.is_none() && config.accounts.is_empty() && config.platforms.is_empty());
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
    assert_eq!((tls.certificate_file.as_path(), tls.key_file.as_path()), (Path::new("/etc/hub/hub.pem"), Path::new("/keys/hub.key")));
    assert_eq!((config.server.workers.map(|count| count.get()), config.server.log_format), (Some(2), LogFormat::Json));
    assert_eq!(config.sessions.idle_timeout.as_secs(), 5_400);
    let account = config.accounts[0].to_account().account;
    assert_eq!((account.email.as_deref(), account.realm.as_str(), account.administrator), (Some("alice@example.com"), "Staff", true));
    let platform = &config.platforms[0];
    assert_eq!(platform.host.as_deref(), Some("cms.example.com:8443"));
    let server_url = config.server.public_url.unwrap();
    let core = platform.platform(&server_url, &config.sessions, &config.redirects);
    assert_eq!((core.public_url.as_str(), core.prefix.as_str()), ("https://cms.example.com/dx", "/dx"));
    assert_eq!(core.redirects, ["https://www.example.com", "https://*.example.org", "https://cms.example.net/bye"]);
    assert_eq!(core.absolute_timeout.as_secs(), 172_800);
}

#[test]
fn a_platforms_url_is_the_servers_with_its_prefix_unless_it_has_one() {
    let config = parse(&format!("{CMS}prefix = \"/cms\"")).unwrap();
    for (server, platform) in [("http://127.0.0.1:8080", "http://127.0.0.1:8080/cms"), ("https://h.example/a/", "https://h.example/a/cms")]
    {
        let core = config.platforms[0].platform(&server.parse().unwrap(), &config.sessions, &config.redirects);
        assert_eq!(core.public_url.as_str(), platform);
    }
}

#[test]
fn person_and_address_stand_in_for_each_other() {
    for (keys, person, email) in [
        ("", None, None),
        ("person = \"p-17\"", Some("p-17"), None),
        ("person = \"a@example.com\"", Some("a@example.com"), Some("a@example.com")),
        ("email = \"a@example.com\"", Some("a@example.com"), Some("a@example.com")),
        ("person = \"p-17\"\nemail = \"a@example.com\"", Some("p-17"), Some("a@example.com")),
    ] {
        let account = parse(&account(keys)).unwrap().accounts.remove(0);
        assert_eq!((account.person.as_deref(), account.email.as_deref()), (person, email), "{keys}");
        assert_eq!((account.display_name.as_str(), account.realm.as_str()), ("alice", "Default"));
    }
}

/// What is written, and what is said about it, in full.
const REFUSED: &[(&str, &str)] = &[
    ("[server", "/etc/hub/hub.toml:1:8: unclosed table, expected `]`"),
    ("[sever]", "/etc/hub/hub.toml:1:2: unknown key `sever`; did you mean `server`?"),
    ("[server]\n  lisen = \"x\"", "/etc/hub/hub.toml:2:3: unknown key `server.lisen`; did you mean `listen`?"),
    ("[redirects]\nzzz = 1", "/etc/hub/hub.toml:2:1: unknown key `redirects.zzz`; known keys: allow"),
    ("[server.tls]\ncertificate_file = \"a\"", "/etc/hub/hub.toml:1:1: `server.tls.key_file` is missing"),
    (
        "[server]\ntls = { certificate_file = \"a\", key_file = \"b\", cert_file = \"c\" }",
        "/etc/hub/hub.toml:2:49: unknown key `server.tls.cert_file`; did you mean `certificate_file`?",
    ),
    ("[server]\nlisten = 8080", "/etc/hub/hub.toml:2:10: `server.listen`: invalid type: integer `8080`, expected socket address"),
    ("[server]\nmax_body = 0", "/etc/hub/hub.toml:2:12: `server.max_body`: invalid value: integer `0`, expected a nonzero usize"),
    ("[server]\npublic_url = \"ftp://x\"", "/etc/hub/hub.toml:2:14: `server.public_url`: must begin with http:// or https://"),
    ("[server]\npublic_url = \"http://x/?a\"", "/etc/hub/hub.toml:2:14: `server.public_url`: must hold no query and no fragment"),
    (
        "[server]\ntrusted_proxies = [\"10.0.0.1\", \"proxy\"]",
        "/etc/hub/hub.toml:2:32: `server.trusted_proxies`: `proxy` is no address (10.0.0.1) and no network (10.0.0.0/8)",
    ),
    ("[server]\nlog_format = \"xml\"", "/etc/hub/hub.toml:2:14: `server.log_format`: unknown variant `xml`, expected `json` or `text`"),
    (
        "[sessions]\nidle_timeout = 30",
        "/etc/hub/hub.toml:2:16: `sessions.idle_timeout`: invalid type: integer `30`, expected a span of time such as \"30m\", \"12h\" or \"250ms\"",
    ),
    ("[sessions]\nidle_timeout = \"0s\"", "/etc/hub/hub.toml:2:16: `sessions.idle_timeout`: must be longer than nothing"),
    ("[admin]\nlisten = \"127.0.0.1:8080\"", "/etc/hub/hub.toml:2:10: `admin.listen`: must differ from `server.listen`"),
    ("[store]\nurl = \"sqlite:x\"", "/etc/hub/hub.toml:2:7: `store.url`: must begin with memory:, fjall:, redis:// or postgres://"),
    (
        "[redirects]\nallow = [\"https://ok.example\", \"www.example.com\"]",
        "/etc/hub/hub.toml:2:32: `redirects.allow`: `www.example.com` is no origin such as https://www.example.com or https://*.example.org: not an absolute URL",
    ),
    ("[platform]\nname = \"a\"", "/etc/hub/hub.toml:1:1: `platform`: must be a list of tables: write [[platform]]"),
    ("[[platform]]\nvendor = \"wix\"", "/etc/hub/hub.toml:1:1: `platform.name` is missing"),
    ("[[platform]]\nname = \"a\"\nvendor = \"wix\"\n[[platform]]\nname = \"b\"", "/etc/hub/hub.toml:4:1: `platform.b.vendor` is missing"),
    ("[[account]]\nname = \"a\"\npassword_hash = \"x\"\nperson = \"\"", "/etc/hub/hub.toml:4:10: `account.a.person`: must not be empty"),
    ("[[platform]]\nname = \"a\"", "/etc/hub/hub.toml:1:1: `platform.a.vendor` is missing"),
    (
        "[[platform]]\nname = \"a\"\nvendor = \"wixx\"",
        "/etc/hub/hub.toml:3:10: `platform.a.vendor`: unknown variant `wixx`, expected one of `assets`, `hcl-dx`, `sitefinity`, `wix`",
    ),
    (
        "[[platform]]\nname = \"a b\"\nvendor = \"wix\"",
        "/etc/hub/hub.toml:2:8: `platform.a b.name`: must be 1 to 64 letters, digits, hyphens, underscores or dots, the first no dot",
    ),
];

#[test]
fn what_is_wrong_is_said_with_its_place_and_its_key() {
    for (text, said) in REFUSED {
        assert_eq!(errors(text), *said, "{text}");
    }
}

/// Further keys of a platform on its fourth line, and what is said about them.
const PLATFORM_REFUSED: &[(&str, &str)] = &[
    ("prefix = \"cms\"", "4:10: `platform.cms.prefix`: must begin with a slash (or be empty)"),
    ("prefix = \"/cms/\"", "4:10: `platform.cms.prefix`: must not end with a slash"),
    ("prefix = \"/\"", "4:10: `platform.cms.prefix`: must not end with a slash"),
    (
        "host = \"https://cms.example.com\"",
        "4:8: `platform.cms.host`: must be a host name such as cms.example.com, without scheme, path and default port",
    ),
    ("upstream = \"ftp://cms.internal\"", "4:12: `platform.cms.upstream`: must begin with http:// or https://"),
    ("person = { from = \"subject\" }", "4:10: `platform.cms.person`: goes with `upstream`"),
    ("upstream_ca_file = \"ca.pem\"", "4:20: `platform.cms.upstream_ca_file`: goes with `upstream`"),
    (
        "reach = \"everywhere\"",
        "4:9: `platform.cms.reach`: unknown variant `everywhere`, expected one of `session`, `sign-on`, `subject`, `person`",
    ),
    ("require_same_site = \"yes\"", "4:21: `platform.cms.require_same_site`: invalid type: string \"yes\", expected a boolean"),
    (
        "cors_origins = [\"https://a.example/x\"]",
        "4:17: `platform.cms.cors_origins`: `https://a.example/x` is no origin such as https://www.example.com",
    ),
    ("cookies = { secure = \"auto\", samesite = \"lax\" }", "4:30: unknown key `platform.cms.cookies.samesite`; did you mean `same_site`?"),
    ("cookies = { domain = \"a; Secure\" }", "4:11: `platform.cms.cookies`: `domain` must be a domain such as example.com"),
];

#[test]
fn what_is_wrong_with_a_platform_is_said_with_its_name() {
    for (keys, said) in PLATFORM_REFUSED {
        assert_eq!(errors(&format!("{CMS}{keys}")), format!("/etc/hub/hub.toml:{said}"), "{keys}");
    }
}

#[test]
fn faults_in_several_tables_are_all_said_in_the_order_of_the_file() {
    let text = "[admin]\nlisen = 1\n[[platform]]\nvendor = \"wix\"\n[server]\nworkers = \"two\"\n[[account]]\nnam = \"x\"\n[sesions]";
    let said = errors(text);
    let lines: Vec<&str> = said.lines().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "3", "6", "8", "9"], "{said}");
}

#[test]
fn names_are_unique() {
    let said = errors(&format!("{CMS}{}", CMS.replace("cms", "CMS")));
    assert_eq!(said, "/etc/hub/hub.toml:5:8: platform `CMS` is already taken by /etc/hub/hub.toml:2:8");
    let said = errors(&format!("{}{}", account(""), account("realm = \"default\"").replace("alice", "Alice")));
    assert_eq!(said, "/etc/hub/hub.toml:5:8: account `Alice` is already taken by /etc/hub/hub.toml:2:8");
    assert!(parse(&format!("{}{}", account(""), account("realm = \"Staff\""))).is_ok());
}

#[test]
fn what_is_not_compiled_in_is_refused_with_the_feature_that_brings_it() {
    let bare = Compiled { vendors: &[Vendor::Wix], stores: &[] };
    let text = format!("[store]\nurl = \"redis://:canary@cache\"\n{CMS}");
    let said = Config::parse(&text, Path::new("hub.toml"), [], &bare).unwrap_err().to_string();
    assert_eq!(
        said,
        "hub.toml:2:7: `redis` is not part of this build; it needs the cargo feature `store-redis`\n\
         hub.toml:5:10: `sitefinity` is not part of this build; it needs the cargo feature `sitefinity`"
    );
    assert!(Config::parse("[store]\nurl = \"memory:\"", Path::new("hub.toml"), [], &bare).is_ok());
}

#[test]
fn a_password_hash_must_be_one_and_is_never_repeated() {
    for (value, place) in [("\"canary\"", "3:17"), ("4711", "3:17"), ("[\"canary\"]", "3:17")] {
        let said = errors(&format!("[[account]]\nname = \"alice\"\npassword_hash = {value}"));
        assert!(said.starts_with(&format!("/etc/hub/hub.toml:{place}: `account.alice.password_hash`: ")), "{said}");
        assert!(!said.contains("canary") && !said.contains("4711"), "{said}");
    }
    assert_eq!(errors("[[account]]\nname = \"alice\""), "/etc/hub/hub.toml:1:1: `account.alice.password_hash` is missing");
}

#[test]
fn a_password_hash_may_lie_in_a_file_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let text = "[[account]]\nname = \"alice\"\npassword_hash_file = \"alice.hash\"";
    let load = || Config::parse(text, &file, [], &EVERYTHING);
    assert!(load().unwrap_err().to_string().contains(":3:22: `account.alice.password_hash_file`: "));
    fs::write(folder.path().join("alice.hash"), format!("{HASH}\n")).unwrap();
    assert_eq!(load().unwrap().accounts[0].password_hash.reveal(), HASH);
    let both = format!("{text}\npassword_hash = \"{HASH}\"");
    let said = Config::parse(&both, &file, [], &EVERYTHING).unwrap_err().to_string();
    assert!(said.ends_with("`password_hash` and `password_hash_file` are both given; keep one"), "{said}");
}

#[test]
fn the_common_keys_are_those_that_are_read() {
    for key in COMMON_KEYS {
        let said = parse(&format!("[[platform]]\n{key} = 1")).unwrap_err().to_string();
        assert!(!said.contains("unknown key"), "{said}");
    }
}
