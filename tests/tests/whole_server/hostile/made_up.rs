//! Requests that are made up at random.

use logout_tests::stores::StoreKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::odd::endpoints;
use crate::sample::{CLIENT, VENDORS};
use crate::target::{Target, request};

/// How many requests are made up.
const MADE_UP: u32 = 600;

pub(super) fn made_up(store: StoreKind) {
    let hub = Target::start(store, 4 * MADE_UP as usize);
    let word = prop_oneof![
        Just("clientId".to_owned()),
        Just("redirect_uri".to_owned()),
        Just("postLogoutRedirectUri".to_owned()),
        Just("logoutSuccessUrl".to_owned()),
        Just("username".to_owned()),
        Just("provider".to_owned()),
        Just("redirect".to_owned()),
        Just("sts_signout".to_owned()),
        Just("ticket".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("/home".to_owned()),
        Just(CLIENT.to_owned()),
        "[ -~]{0,12}",
        "\\PC{0,6}",
    ];
    let encoded = |bytes: Vec<u8>, wildly: bool| {
        bytes
            .into_iter()
            .fold(String::new(), |text, byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' if !wildly => {
                    text + &char::from(byte).to_string()
                }
                _ => text + &format!("%{byte:02x}"),
            })
    };
    let value = prop_oneof![
        word.clone().prop_map(String::into_bytes),
        vec(any::<u8>(), 0..8)
    ];
    let pair = (word, value, any::<bool>()).prop_map(move |(name, value, wildly)| {
        format!(
            "{}={}",
            encoded(name.into_bytes(), wildly),
            encoded(value, wildly)
        )
    });
    let query = vec(pair, 0..5).prop_map(|pairs| pairs.join("&"));
    let body = prop_oneof![
        vec(any::<u8>(), 0..200),
        query.clone().prop_map(String::into_bytes),
        ("[a-zA-Z]{1,12}", "\\PC{0,12}")
            .prop_map(|(name, value)| serde_json::json!({ name: value }).to_string().into_bytes()),
    ];
    // No control characters: with a line break in it, a header is two.
    let header = (
        "[A-Za-z-]{1,16}",
        vec(prop_oneof![0x20u8..0x7f, 0x80u8..=0xff], 0..40),
    );
    let strategy = (
        0..VENDORS.len(),
        any::<proptest::sample::Index>(),
        query,
        vec(header, 0..4),
        body,
        any::<bool>(),
    );
    let mut runner = TestRunner::new(Config {
        cases: MADE_UP,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(
        &strategy,
        |(vendor, endpoint, query, headers, body, typed)| {
            let vendor = VENDORS[vendor];
            let (method, target, media_type) = endpoint.get(endpoints(vendor));
            let mut lines = Vec::new();
            for (name, value) in headers {
                let framing = [
                    "content-length",
                    "transfer-encoding",
                    "connection",
                    "upgrade",
                    "host",
                    "expect",
                ];
                if !framing.contains(&name.to_ascii_lowercase().as_str()) {
                    lines.extend_from_slice(
                        &[name.as_bytes(), b": ", value.as_slice(), b"\r\n"].concat(),
                    );
                }
            }
            if typed && !media_type.is_empty() {
                lines.extend_from_slice(format!("Content-Type: {media_type}\r\n").as_bytes());
            }
            let body = if *method == "POST" { body } else { Vec::new() };
            let answer = hub.assert_withstands(vendor, |own| {
                let target = format!("{target}?{query}");
                request(
                    method,
                    target.as_bytes(),
                    &[lines.as_slice(), own.as_bytes()].concat(),
                    &body,
                )
            });
            prop_assert!(answer.is_some(), "no answer");
            Ok(())
        },
    );
    outcome.unwrap_or_else(|fault| panic!("{fault}"));
    hub.assert_sound();
}
