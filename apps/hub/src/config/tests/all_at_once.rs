//! One run says everything that is wrong.

use super::*;

#[test]
fn faults_in_several_tables_are_all_said_in_the_order_of_the_file() {
    let text = "[admin]\nlisen = 1\n[[platform]]\nvendor = \"wix\"\n[server]\nworkers = \"two\"\n[[account]]\nnam = \"x\"\n[sesions]";
    let said = errors(text);
    let lines: Vec<&str> = said
        .lines()
        .map(|line| line.split(':').nth(1).unwrap())
        .collect();
    assert_eq!(lines, ["2", "3", "6", "7", "7", "8", "9"], "{said}");
}

/// Texts with several faults, and all of what is said.
const SEVERAL: &[(&str, &str)] = &[
    (
        "[server]\nlisten = 1\nmax_body = 0\nlisen = 2\nworkers = 4\npublic_url = \"hub\"\ntrusted_proxies = [\"a\", \"10.0.0.1\", \"b\"]",
        "2:10: `server.listen`: must be an address with a port, such as \"127.0.0.1:8080\", not the number 1\n3:12: `server.max_body`: must be a whole number, 1 or more, not the number 0\n4:1: unknown key `server.lisen`; did you mean `listen`?\n6:14: `server.public_url`: has no scheme; write \"https://hub\", or \"http://hub\" where there is no TLS\n7:20: `server.trusted_proxies`: `a` is no address (10.0.0.1) and no network (10.0.0.0/8)\n7:37: `server.trusted_proxies`: `b` is no address (10.0.0.1) and no network (10.0.0.0/8)",
    ),
    (
        "[server.tls]\n",
        "1:1: `server.tls.certificate_file` is missing\n1:1: `server.tls.key_file` is missing",
    ),
    (
        "[[platform]]\n",
        "1:1: `platform.name` is missing\n1:1: `platform.vendor` is missing",
    ),
    (
        "[[platform]]\nname = \"\"\nvendor = \"wixx\"\nreach = \"far\"",
        "2:8: `platform.name`: must be 1 to 64 letters, digits, hyphens, underscores or dots, the first no dot\n3:10: `platform.vendor`: must be `assets`, `hcl-dx`, `sitefinity` or `wix`, not `wixx`; did you mean `wix`?\n4:9: `platform.reach`: must be `session`, `sign-on`, `subject` or `person`, not `far`",
    ),
    (
        "[[platform]]\nvendor = \"wix\"\nprefix = \"x\"\n[platform.cookies]\ndomain = \"a;b\"\npaths = [\"x\"]\nsecure = \"no\"",
        "1:1: `platform.name` is missing\n3:10: `platform.prefix`: must begin with a slash (or be empty)\n5:10: `platform.cookies.domain`: must be a domain such as example.com\n6:9: `platform.cookies.paths`: must be paths that begin with `/`, such as /services\n7:10: `platform.cookies.secure`: must be `always`, `auto` or `never`, not `no`",
    ),
    (
        "[[platform]]\nname = \"a\"\nvendor = \"wix\"\nperson = { from = \"subject\" }\nupstream_ca_file = \"x\"",
        "4:10: `platform.a.person`: goes with `upstream`\n5:20: `platform.a.upstream_ca_file`: goes with `upstream`",
    ),
    (
        "[[account]]\nname = \"\"\npassword_hash = \"x\"\nrealm = \"\"\n[[account]]\ngroups = \"x\"",
        "2:8: `account.name`: must not be empty\n3:17: `account.password_hash`: not a complete PHC string; `logout-hub hash-password` prints what belongs here\n4:9: `account.realm`: must not be empty\n5:1: `account.name` is missing\n5:1: `account.password_hash` is missing\n6:10: `account.groups`: must be a list in square brackets, not the text \"x\"",
    ),
    (
        "[[platform]]\nname = \"a\"\nvendor = \"wix\"\nupstream = \"http://wix.internal\"\n\
         person = { from = \"claim\", claim = \"email\", algorithm = \"RS256\", key_file = 1, isuer = \"x\" }",
        "5:77: `platform.a.person.key_file`: must be text in quotes, not the number 1\n\
         5:80: unknown key `platform.a.person.isuer`; did you mean `issuer`?",
    ),
];

#[test]
fn all_faults_of_a_table_are_said() {
    each_is_said(SEVERAL, |text| {
        errors(text).replace("/etc/hub/hub.toml:", "")
    });
}

#[test]
fn all_variables_that_do_not_fit_are_said_beside_the_faults_of_the_file() {
    let variables = [
        ("LOGOUT_HUB__SERVER__MAX_BODY", "0"),
        ("LOGOUT_HUB__SERVER__LISEN", "x"),
        ("LOGOUT_HUB__SERVER__LISTEN__PORT", "1"),
        ("LOGOUT_HUB__SEVER__LISTEN", "x"),
    ];
    let said = parse_with("[server]\nlisten = \"x\"\n[sesions]", &variables)
        .unwrap_err()
        .to_string();
    let lines = [
        "/etc/hub/hub.toml:2:10: `server.listen`: `x` is not an address; write \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every interface",
        "/etc/hub/hub.toml:3:2: unknown key `sesions`; did you mean `sessions`?",
        "environment variable LOGOUT_HUB__SEVER__LISTEN: unknown key `sever`; did you mean `server`?",
        "environment variable LOGOUT_HUB__SERVER__LISTEN__PORT: `listen.port`: what stands there is no table",
        "environment variable LOGOUT_HUB__SERVER__LISEN: unknown key `server.lisen`; did you mean `listen`?",
        "environment variable LOGOUT_HUB__SERVER__MAX_BODY: `server.max_body`: must be a whole number, 1 or more, not the number 0",
    ];
    assert_eq!(said, lines.join("\n"));
}
