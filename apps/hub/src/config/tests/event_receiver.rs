//! `[[event_receiver]]`: what is refused, where, and what is read.

use super::{each_is_said, errors, parse};
use crate::config::{EventSubjectFormat, RelyingPartySubject};

/// Lines of a receiver, and what is wrong with it.
const REFUSED: &[(&str, &str)] = &[
    (
        "audience = \"a\"",
        "1:1: `event_receiver.token_file`: must be given without `endpoint`, or anybody could poll \
         the events",
    ),
    (
        "audience = \"a\"\ntoken_file = \"t\"\nca_file = \"ca.pem\"",
        "5:11: `event_receiver.ca_file`: goes with `endpoint`",
    ),
    (
        "audience = \" \"\nendpoint = \"https://soc.example/\"",
        "3:12: `event_receiver.audience`: must not be empty",
    ),
    (
        "audience = \"a\"\nendpoint = \"soc.example\"",
        "4:12: `event_receiver.endpoint`: has no scheme; write \"https://soc.example\", or \
         \"http://soc.example\" where there is no TLS",
    ),
    (
        "audience = \"a\"\nendpoint = \"https://soc.example/\"\nsubject_format = \"account\"",
        "5:18: `event_receiver.subject_format`: must be `email`, `iss_sub` or `opaque`, not \
         `account`",
    ),
    (
        "token_file = \"t\"",
        "1:1: `event_receiver.audience` is missing",
    ),
    (
        "audience = \"a\"\ntoken_file = \"t\"\n[[relying_party]]\nclient_id = \"soc\"\n\
         backchannel_logout_uri = \"https://soc.example/\"",
        "2:8: relying_party `soc` is already taken by 6:13",
    ),
];

fn receiver(lines: &str) -> String {
    format!("[[event_receiver]]\nname = \"soc\"\n{lines}\n")
}

#[test]
fn what_is_wrong_with_a_receiver_is_said_at_its_place() {
    each_is_said(REFUSED, |lines| {
        errors(&receiver(lines)).replace("/etc/hub/hub.toml:", "")
    });
}

#[test]
fn a_receiver_s_keys_are_read_and_have_their_defaults() {
    let config = parse(&receiver("audience = \"a\"\ntoken_file = \"t\"")).unwrap();
    let read = &config.event_receivers[0];
    assert_eq!(
        (read.subject, read.subject_format),
        (RelyingPartySubject::Person, EventSubjectFormat::Opaque)
    );
    assert!(config.tells_others());
}
