//! What is right key by key, and makes no sense together.

use super::*;

/// Texts that are refused, and what is said about them.
const REFUSED: &[(&str, &str)] = &[
    (
        "[server]\nlisten = \"127.0.0.1:9000\"\n[admin]\nlisten = \"127.0.0.1:9000\"",
        "4:10: `admin.listen`: must differ from `server.listen`",
    ),
    (
        "[sessions]\nidle_timeout = \"2h\"\nabsolute_timeout = \"1h\"",
        "2:16: `sessions.idle_timeout`: 2h is longer than `sessions.absolute_timeout`, 1h, after which every session ends; make it shorter than that",
    ),
    (
        "[sessions]\nidle_timeout = \"13h\"",
        "2:16: `sessions.idle_timeout`: 13h is longer than `sessions.absolute_timeout`, 12h, after which every session ends; make it shorter than that",
    ),
    (
        "[sessions]\nabsolute_timeout = \"1h\"\n[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nidle_timeout = \"61m\"",
        "6:16: `platform.cms.idle_timeout`: 61m is longer than `sessions.absolute_timeout`, 1h, after which every session ends; make it shorter than that",
    ),
    (
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://127.0.0.1:8080\"",
        "4:12: `platform.cms.upstream`: http://127.0.0.1:8080/ is the hub itself, by `server.listen`; write the address of the product behind it",
    ),
    (
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://localhost:8080/cms\"",
        "4:12: `platform.cms.upstream`: http://localhost:8080/cms is the hub itself, by `server.listen`; write the address of the product behind it",
    ),
    (
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://0.0.0.0:8081\"",
        "4:12: `platform.cms.upstream`: http://0.0.0.0:8081/ is the hub itself, by `admin.listen`; write the address of the product behind it",
    ),
    (
        "[server]\nlisten = \"0.0.0.0:80\"\n[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://[::1]\"",
        "6:12: `platform.cms.upstream`: http://[::1]/ is the hub itself, by `server.listen`; write the address of the product behind it",
    ),
    (
        "[server]\npublic_url = \"https://hub.example.com\"\n[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"https://HUB.example.com:443/x\"",
        "6:12: `platform.cms.upstream`: https://hub.example.com/x is the hub itself, by `server.public_url`; write the address of the product behind it",
    ),
    (
        "[[platform]]\nname = \"a\"\nvendor = \"wix\"\npublic_url = \"https://a.example\"\n\
         [[platform]]\nname = \"b\"\nvendor = \"wix\"\nupstream = \"https://a.example\"",
        "8:12: `platform.b.upstream`: https://a.example/ is the hub itself, by `platform.a.public_url`; write the address of the product behind it",
    ),
];

#[test]
fn what_makes_no_sense_together_is_refused() {
    each_is_said(REFUSED, |text| {
        errors(text).replace("/etc/hub/hub.toml:", "")
    });
}

#[test]
fn what_makes_sense_is_accepted() {
    for text in [
        "[sessions]\nabsolute_timeout = \"10m\"",
        "[sessions]\nidle_timeout = \"1h\"\nabsolute_timeout = \"1h\"",
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"",
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://127.0.0.1:9000\"",
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://192.0.2.7:8080\"",
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://cms.internal:8080\"",
        "[server]\npublic_url = \"https://a.example\"\n[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"https://a.example:8443\"",
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn a_key_that_is_wrong_by_itself_is_compared_with_nothing() {
    for text in [
        "[server]\nlisten = \"x\"\n[admin]\nlisten = \"127.0.0.1:8080\"",
        "[sessions]\nabsolute_timeout = 1\nidle_timeout = \"13h\"",
        "[server]\nlisten = \"x\"\n[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://127.0.0.1:8080\"",
    ] {
        assert_eq!(errors(text).lines().count(), 1, "{text}");
    }
}

/// Texts that are accepted, and what is said about them all the same.
const WARNED: &[(&str, &str)] = &[
    (
        "",
        ":1:1: warning: no platform is configured, so that nobody can sign out; add a `[[platform]]` with `name` and `vendor`",
    ),
    (
        "[admin]\nlisten = \"0.0.0.0:9000\"\n[[platform]]\nname = \"cms\"\nvendor = \"wix\"",
        ":2:10: warning: `admin.listen`: 0.0.0.0:9000 can be reached from other machines, and the admin listener has no TLS, so that its token can be read on the way; write \"127.0.0.1:9000\", or let only a proxy with TLS reach it",
    ),
    (
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://cms.internal\"\nreach = \"person\"",
        ":5:9: warning: `platform.cms.reach`: no `person` says who a user of the product is, so that a sign-out leaves other platforms alone unless a registration named the person; write `person = { from = \"subject\" }`, or another `reach`",
    ),
    (
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://cms.internal\"\nidle_timeout = \"13h\"",
        ":5:16: warning: `platform.cms.idle_timeout`: 13h is longer than `sessions.absolute_timeout`, 12h, after which a session whose end the product does not say ends; make it shorter than that",
    ),
];

#[test]
fn what_was_probably_not_meant_is_warned_of() {
    let said = |text: &str| {
        let warnings: Vec<String> = parse(text)
            .unwrap()
            .warnings
            .iter()
            .map(|warning| format!("{warning}\n"))
            .collect();
        warnings
            .concat()
            .trim_end()
            .replace("/etc/hub/hub.toml", "")
    };
    each_is_said(WARNED, said);
    for fine in [
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nreach = \"person\"",
        "[[platform]]\nname = \"cms\"\nvendor = \"wix\"\nupstream = \"http://cms.internal\"\nreach = \"person\"\nperson = { from = \"subject\" }",
        "[admin]\nlisten = \"[::1]:9000\"\n[[platform]]\nname = \"cms\"\nvendor = \"wix\"",
    ] {
        assert_eq!(said(fine), "", "{fine}");
    }
}
