//! What is said about each fault, word for word.

use super::*;

/// What is written, and what is said about it, in full.
const REFUSED: &[(&str, &str)] = &[
    (
        "[server",
        "/etc/hub/hub.toml:1:8: unclosed table, expected `]`",
    ),
    (
        "[sever]",
        "/etc/hub/hub.toml:1:2: unknown key `sever`; did you mean `server`?",
    ),
    (
        "[server]\n  lisen = \"x\"",
        "/etc/hub/hub.toml:2:3: unknown key `server.lisen`; did you mean `listen`?",
    ),
    (
        "[redirects]\nzzz = 1",
        "/etc/hub/hub.toml:2:1: unknown key `redirects.zzz`; known keys: allow",
    ),
    (
        "[server.tls]\ncertificate_file = \"a\"",
        "/etc/hub/hub.toml:1:1: `server.tls.key_file` is missing",
    ),
    (
        "[server]\ntls = { certificate_file = \"a\", key_file = \"b\", cert_file = \"c\" }",
        "/etc/hub/hub.toml:2:49: unknown key `server.tls.cert_file`; did you mean `certificate_file`?",
    ),
    (
        "[server]\nlisten = 8080",
        "/etc/hub/hub.toml:2:10: `server.listen`: must be an address with a port, such as \"127.0.0.1:8080\", not the number 8080",
    ),
    (
        "[server]\nmax_body = 0",
        "/etc/hub/hub.toml:2:12: `server.max_body`: must be a whole number, 1 or more, not the number 0",
    ),
    (
        "[server]\npublic_url = \"ftp://x\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: must begin with http:// or https://",
    ),
    (
        "[server]\npublic_url = \"http://x/?a\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: must hold no query and no fragment",
    ),
    (
        "[server]\ntrusted_proxies = [\"10.0.0.1\", \"proxy\"]",
        "/etc/hub/hub.toml:2:32: `server.trusted_proxies`: `proxy` is no address (10.0.0.1) and no network (10.0.0.0/8)",
    ),
    (
        "[server]\nlog_format = \"xml\"",
        "/etc/hub/hub.toml:2:14: `server.log_format`: must be `json` or `text`, not `xml`",
    ),
    (
        "[sessions]\nidle_timeout = 30",
        "/etc/hub/hub.toml:2:16: `sessions.idle_timeout`: must be a span of time such as \"30m\", \"12h\" or \"250ms\", not the number 30",
    ),
    (
        "[sessions]\nidle_timeout = \"0s\"",
        "/etc/hub/hub.toml:2:16: `sessions.idle_timeout`: must be longer than nothing",
    ),
    (
        "[admin]\nlisten = \"127.0.0.1:8080\"",
        "/etc/hub/hub.toml:2:10: `admin.listen`: must differ from `server.listen`",
    ),
    (
        "[store]\nurl = \"sqlite:x\"",
        "/etc/hub/hub.toml:2:7: `store.url`: must begin with memory:, disk:, redis:// or postgres://",
    ),
    (
        "[redirects]\nallow = [\"https://ok.example\", \"www.example.com\"]",
        "/etc/hub/hub.toml:2:32: `redirects.allow`: `www.example.com` is no origin such as https://www.example.com or https://*.example.org: not an absolute URL",
    ),
    (
        "[platform]\nname = \"a\"",
        "/etc/hub/hub.toml:1:1: `platform`: must be a list of tables: write [[platform]]",
    ),
    (
        "[[platform]]\nvendor = \"wix\"",
        "/etc/hub/hub.toml:1:1: `platform.name` is missing",
    ),
    (
        "[[platform]]\nname = \"a\"\nvendor = \"wix\"\n[[platform]]\nname = \"b\"",
        "/etc/hub/hub.toml:4:1: `platform.b.vendor` is missing",
    ),
    (
        "[[account]]\nname = \"a\"\npassword_hash = \"x\"\nperson = \"\"",
        "/etc/hub/hub.toml:3:17: `account.a.password_hash`: not a complete PHC string; `logout-hub hash-password` prints what belongs here\n/etc/hub/hub.toml:4:10: `account.a.person`: must not be empty",
    ),
    (
        "[[platform]]\nname = \"a\"",
        "/etc/hub/hub.toml:1:1: `platform.a.vendor` is missing",
    ),
    (
        "[[platform]]\nname = \"a\"\nvendor = \"wixx\"",
        "/etc/hub/hub.toml:3:10: `platform.a.vendor`: must be `assets`, `hcl-dx`, `sitefinity` or `wix`, not `wixx`; did you mean `wix`?",
    ),
    (
        "[[platform]]\nname = \"a b\"\nvendor = \"wix\"",
        "/etc/hub/hub.toml:2:8: `platform.a b.name`: must be 1 to 64 letters, digits, hyphens, underscores or dots, the first no dot",
    ),
    (
        "[server]\nlisten = \"127.0.0.1:99999\"",
        "/etc/hub/hub.toml:2:10: `server.listen`: the port must be a number from 0 to 65535",
    ),
    (
        "[server]\nlisten = \"[::1]:65536\"",
        "/etc/hub/hub.toml:2:10: `server.listen`: the port must be a number from 0 to 65535",
    ),
    (
        "[server]\nlisten = \"127.0.0.1\"",
        "/etc/hub/hub.toml:2:10: `server.listen`: has no port; write \"127.0.0.1:8080\"",
    ),
    (
        "[server]\nlisten = \"::1\"",
        "/etc/hub/hub.toml:2:10: `server.listen`: has no port; write \"[::1]:8080\"",
    ),
    (
        "[server]\nlisten = \":8080\"",
        "/etc/hub/hub.toml:2:10: `server.listen`: has no address; write \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every interface",
    ),
    (
        "[admin]\nlisten = \"localhost:8081\"",
        "/etc/hub/hub.toml:2:10: `admin.listen`: `localhost` is not an address; write \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every interface",
    ),
    (
        "[server]\nmax_body = -1",
        "/etc/hub/hub.toml:2:12: `server.max_body`: must be a whole number, 1 or more, not the number -1",
    ),
    (
        "[server]\nmax_body = \"16k\"",
        "/etc/hub/hub.toml:2:12: `server.max_body`: must be a whole number, 1 or more, not the text \"16k\"",
    ),
    (
        "[server]\nmax_body = 1.5",
        "/etc/hub/hub.toml:2:12: `server.max_body`: must be a whole number, 1 or more, not the number 1.5",
    ),
    (
        "[server]\nmax_body = 99999999999999999999999999",
        "/etc/hub/hub.toml:2:12: `server.max_body`: must be a whole number, 1 or more, not the number 99999999999999999999999999",
    ),
    (
        "[server]\nhsts = \"yes\"",
        "/etc/hub/hub.toml:2:8: `server.hsts`: must be true or false, not the text \"yes\"",
    ),
    (
        "[server]\nhsts = 1",
        "/etc/hub/hub.toml:2:8: `server.hsts`: must be true or false, not the number 1",
    ),
    (
        "[server]\nlog_format = \"jsn\"",
        "/etc/hub/hub.toml:2:14: `server.log_format`: must be `json` or `text`, not `jsn`; did you mean `json`?",
    ),
    (
        "[server]\nlog_format = 1",
        "/etc/hub/hub.toml:2:14: `server.log_format`: must be text in quotes",
    ),
    (
        "[server]\nseal_key_file = 1",
        "/etc/hub/hub.toml:2:17: `server.seal_key_file`: must be text in quotes, not the number 1",
    ),
    (
        "[server]\ntrusted_proxies = \"10.0.0.1\"",
        "/etc/hub/hub.toml:2:19: `server.trusted_proxies`: must be a list in square brackets, not the text \"10.0.0.1\"",
    ),
    (
        "[server]\ntrusted_proxies = [1]",
        "/etc/hub/hub.toml:2:20: `server.trusted_proxies`: must be an address or a network, not the number 1",
    ),
    (
        "[server]\ntls = \"hub.pem\"",
        "/etc/hub/hub.toml:2:7: `server.tls`: must be a table, not the text \"hub.pem\"",
    ),
    (
        "server = 1",
        "/etc/hub/hub.toml:1:10: `server`: must be a table, not the number 1",
    ),
    (
        "[server]\npublic_url = \"hub.example.com\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: has no scheme; write \"https://hub.example.com\", or \"http://hub.example.com\" where there is no TLS",
    ),
    (
        "[server]\npublic_url = \"hub.example.com:8443/out\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: has no scheme; write \"https://hub.example.com:8443/out\", or \"http://hub.example.com:8443/out\" where there is no TLS",
    ),
    (
        "[server]\npublic_url = \"//hub.example.com\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: has no scheme; write \"https://hub.example.com\", or \"http://hub.example.com\" where there is no TLS",
    ),
    (
        "[server]\npublic_url = \"https://hub.example.com:99999\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: the port must be a number from 0 to 65535",
    ),
    (
        "[server]\npublic_url = \"https://\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: is not a URL (empty host); write one such as \"https://hub.example.com\"",
    ),
    (
        "[server]\npublic_url = \"https://u:p@hub.example.com\"",
        "/etc/hub/hub.toml:2:14: `server.public_url`: must hold no user name or password",
    ),
    (
        "[sessions]\nidle_timeout = \"30\"",
        "/etc/hub/hub.toml:2:16: `sessions.idle_timeout`: `30` is not a span of time; write one such as \"30m\", \"12h\" or \"250ms\"",
    ),
    (
        "[sessions]\nidle_timeout = \"half an hour\"",
        "/etc/hub/hub.toml:2:16: `sessions.idle_timeout`: `half an hour` is not a span of time; write one such as \"30m\", \"12h\" or \"250ms\"",
    ),
    (
        "[single_logout]\nfirst_sight_rate = 0",
        "/etc/hub/hub.toml:2:20: `single_logout.first_sight_rate`: must be a whole number from 1 to 4294967295, not the number 0",
    ),
    (
        "[single_logout]\nfirst_sight_kept = -1",
        "/etc/hub/hub.toml:2:20: `single_logout.first_sight_kept`: must be a whole number, 0 or more, not the number -1",
    ),
];

#[test]
fn what_is_wrong_is_said_with_its_place_and_its_key() {
    each_is_said(REFUSED, errors);
}

/// Further keys of a platform on its fourth line, and what is said about them.
const PLATFORM_REFUSED: &[(&str, &str)] = &[
    (
        "prefix = \"cms\"",
        "4:10: `platform.cms.prefix`: must begin with a slash (or be empty)",
    ),
    (
        "prefix = \"/cms/\"",
        "4:10: `platform.cms.prefix`: must not end with a slash",
    ),
    (
        "prefix = \"/\"",
        "4:10: `platform.cms.prefix`: must not end with a slash",
    ),
    (
        "host = \"https://cms.example.com\"",
        "4:8: `platform.cms.host`: must be a host name such as cms.example.com, without scheme, path and default port",
    ),
    (
        "upstream = \"ftp://cms.internal\"",
        "4:12: `platform.cms.upstream`: must begin with http:// or https://",
    ),
    (
        "person = { from = \"subject\" }",
        "4:10: `platform.cms.person`: goes with `upstream`",
    ),
    (
        "upstream_ca_file = \"ca.pem\"",
        "4:20: `platform.cms.upstream_ca_file`: goes with `upstream`",
    ),
    (
        "reach = \"everywhere\"",
        "4:9: `platform.cms.reach`: must be `session`, `sign-on`, `subject` or `person`, not `everywhere`",
    ),
    (
        "require_same_site = \"yes\"",
        "4:21: `platform.cms.require_same_site`: must be true or false, not the text \"yes\"",
    ),
    (
        "cors_origins = [\"https://a.example/x\"]",
        "4:17: `platform.cms.cors_origins`: `https://a.example/x` is no origin such as https://www.example.com",
    ),
    (
        "cookies = { secure = \"auto\", samesite = \"lax\" }",
        "4:30: unknown key `platform.cms.cookies.samesite`; did you mean `same_site`?",
    ),
    (
        "cookies = { domain = \"a; Secure\" }",
        "4:22: `platform.cms.cookies.domain`: must be a domain such as example.com",
    ),
    (
        "host = \"cms.example.com:99999\"",
        "4:8: `platform.cms.host`: the port must be a number from 0 to 65535",
    ),
    (
        "upstream = \"cms.internal:8443\"",
        "4:12: `platform.cms.upstream`: has no scheme; write \"https://cms.internal:8443\", or \"http://cms.internal:8443\" where there is no TLS",
    ),
    (
        "upstream = \"http://cms.internal:99999\"",
        "4:12: `platform.cms.upstream`: the port must be a number from 0 to 65535",
    ),
    (
        "public_url = \"cms.example.com\"",
        "4:14: `platform.cms.public_url`: has no scheme; write \"https://cms.example.com\", or \"http://cms.example.com\" where there is no TLS",
    ),
    (
        "reach = \"persn\"",
        "4:9: `platform.cms.reach`: must be `session`, `sign-on`, `subject` or `person`, not `persn`; did you mean `person`?",
    ),
    (
        "check = \"not-ended\"",
        "4:9: `platform.cms.check`: must be `known` or `not_ended`, not `not-ended`; did you mean `not_ended`?",
    ),
    (
        "cookies = { secure = \"allways\" }",
        "4:22: `platform.cms.cookies.secure`: must be `always`, `auto` or `never`, not `allways`; did you mean `always`?",
    ),
    (
        "cookies = { same_site = \"Lax\" }",
        "4:25: `platform.cms.cookies.same_site`: must be `lax`, `none` or `strict`, not `Lax`; did you mean `lax`?",
    ),
    (
        "cookies = { paths = [\"services\"] }",
        "4:21: `platform.cms.cookies.paths`: must be paths that begin with `/`, such as /services",
    ),
    (
        "cookies = { partitioned = true, secure = \"never\" }",
        "4:27: `platform.cms.cookies.partitioned`: needs Secure cookies: take another `secure` than never",
    ),
    (
        "max_cookies = 0",
        "4:15: `platform.cms.max_cookies`: must be a whole number, 1 or more, not the number 0",
    ),
    (
        "upstream = \"http://cms.internal\"\nperson = { from = \"subjct\" }",
        "5:19: `platform.cms.person.from`: must be `claim` or `subject`, not `subjct`; did you mean `subject`?",
    ),
    (
        "upstream = \"http://cms.internal\"\nperson = { from = true }",
        "5:19: `platform.cms.person.from`: must be text in quotes",
    ),
    (
        "upstream = \"http://cms.internal\"\nperson = { from = \"claim\" }",
        "5:10: `platform.cms.person`: `claim`, `algorithm` and `key_file` must be given with from = \"claim\"",
    ),
];

#[test]
fn what_is_wrong_with_a_platform_is_said_with_its_name() {
    each_is_said(PLATFORM_REFUSED, |keys| {
        errors(&format!("{CMS}{keys}")).replace("/etc/hub/hub.toml:", "")
    });
}

/// What is no TOML, and what is said about it.
const NO_TOML: &[(&str, &str)] = &[
    (
        "server:\n  listen: 127.0.0.1:8080\n",
        "1:7: this is YAML, and a configuration is TOML: write `[server]` for a table and `key = \"value\"` below it",
    ),
    (
        "---\nserver:\n",
        "1:4: this is YAML, and a configuration is TOML: write `[server]` for a table and `key = \"value\"` below it",
    ),
    (
        "# ours\n{\n  \"server\": {}\n}\n",
        "2:1: this is JSON, and a configuration is TOML: write `[server]` for a table and `key = \"value\"` below it",
    ),
    (
        "{\"server\": {\"listen\": \"127.0.0.1:8080\"}}",
        "1:1: this is JSON, and a configuration is TOML: write `[server]` for a table and `key = \"value\"` below it",
    ),
    (
        "[server]\nlisten = 127.0.0.1:8080\nworkers = \n[admin\n",
        "2:15: this is not a value; text stands in quotes, as in `listen = \"127.0.0.1:8080\"`\n3:11: this is not a value; text stands in quotes, as in `listen = \"127.0.0.1:8080\"`\n4:7: unclosed table, expected `]`",
    ),
    (
        "[server]\nworkers = 1\nworkers = 2\n",
        "3:1: this key stands in its table twice; keep one",
    ),
];

#[test]
fn a_file_in_another_format_is_called_by_its_name() {
    each_is_said(NO_TOML, |text| {
        errors(text).replace("/etc/hub/hub.toml:", "")
    });
    for (file, format) in [
        ("hub.yaml", "YAML"),
        ("hub.YML", "YAML"),
        ("hub.json", "JSON"),
    ] {
        let said = Config::parse("- odd", Path::new(file), [], &EVERYTHING)
            .unwrap_err()
            .to_string();
        assert!(
            said.starts_with(&format!("{file}:1:"))
                && said.contains(&format!("this is {format}, ")),
            "{said}"
        );
        assert!(
            Config::parse("[server]", Path::new(file), [], &EVERYTHING).is_ok(),
            "TOML under another name is TOML"
        );
    }
}
