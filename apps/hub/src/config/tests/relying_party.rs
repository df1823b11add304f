//! `[[relying_party]]`: what is refused, where, and what is read.

use super::{each_is_said, errors, parse};
use crate::config::RelyingPartySubject;

/// Lines of a relying party, and what is wrong with it.
const REFUSED: &[(&str, &str)] = &[
    (
        "backchannel_logout_uri = \"wiki.example/out\"",
        "3:26: `relying_party.backchannel_logout_uri`: has no scheme; write \
         \"https://wiki.example/out\", or \"http://wiki.example/out\" where there is no TLS",
    ),
    (
        "backchannel_logout_uri = \"https://wiki.example/out#a\"",
        "3:26: `relying_party.backchannel_logout_uri`: must hold no fragment",
    ),
    (
        "frontchannel_logout_uri = \"https://a:b@wiki.example/out\"",
        "3:27: `relying_party.frontchannel_logout_uri`: must hold no user name or password",
    ),
    (
        "backchannel_logout_uri = \"https://wiki.example/out\"\n\
         probe_uri = \"https://wiki.example:8443/alive\"",
        "4:13: `relying_party.probe_uri`: must be at the scheme, host and port of \
         `backchannel_logout_uri`",
    ),
    (
        "probe_uri = \"https://wiki.example/alive\"",
        "3:13: `relying_party.probe_uri`: goes with `backchannel_logout_uri`",
    ),
    (
        "ca_file = \"ca.pem\"",
        "3:11: `relying_party.ca_file`: goes with `backchannel_logout_uri`",
    ),
    (
        "subject = \"email\"",
        "3:11: `relying_party.subject`: must be `idp` or `person`, not `email`",
    ),
    (
        "name = \"a/b\"",
        "3:8: `relying_party.name`: must be 1 to 64 letters, digits, hyphens, underscores or dots, \
         the first no dot",
    ),
    (
        "backchannel_logout_uri = \"https://wiki.example/out\"\n[[relying_party]]\n\
         client_id = \"WIKI\"\nfrontchannel_logout_uri = \"https://wiki.example/bye\"",
        "5:13: relying_party `WIKI` is already taken by 2:13",
    ),
    (
        "name = \"cms\"\nbackchannel_logout_uri = \"https://wiki.example/out\"\n[[platform]]\n\
         name = \"cms\"\nvendor = \"sitefinity\"",
        "3:8: platform `cms` is already taken by 6:8",
    ),
];

fn party(lines: &str) -> String {
    format!("[[relying_party]]\nclient_id = \"wiki\"\n{lines}\n")
}

#[test]
fn what_is_wrong_with_a_relying_party_is_said_at_its_place() {
    each_is_said(REFUSED, |lines| {
        errors(&party(lines)).replace("/etc/hub/hub.toml:", "")
    });
    let url = "[[relying_party]]\nclient_id = \"https://wiki.example\"\n\
               backchannel_logout_uri = \"https://wiki.example/out\"";
    assert_eq!(
        errors(url).replace("/etc/hub/hub.toml:", ""),
        "1:1: `relying_party.name`: must be given, because `client_id` is no name that receipts \
         could use"
    );
}

#[test]
fn a_relying_party_that_is_told_of_nothing_may_have_any_client_id_and_name() {
    let text = "[[relying_party]]\nclient_id = \"https://wiki.example\"\n[[platform]]\n\
                name = \"wiki\"\nvendor = \"sitefinity\"";
    let config = parse(&(party("") + text)).unwrap();
    assert_eq!(config.relying_parties[1].client_id, "https://wiki.example");
    assert!(!config.tells_others());
}

#[test]
fn a_relying_party_s_keys_are_read_and_have_their_defaults() {
    let lines = "backchannel_logout_uri = \"https://wiki.example/out?a=b\"";
    let config = parse(&party(lines)).unwrap();
    let read = &config.relying_parties[0];
    assert_eq!(
        (read.name(), read.subject, read.session_required),
        ("wiki", RelyingPartySubject::Person, false)
    );
    assert_eq!(
        read.backchannel_logout_uri.as_ref().map(url::Url::as_str),
        Some("https://wiki.example/out?a=b")
    );
    assert!(config.tells_others());
}
