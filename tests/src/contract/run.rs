//! Runs a contract against a fresh stand-in.

use std::collections::BTreeMap;

use base64::Engine as _;
use url::Url;

use super::parse::{Contract, Exchange, PendingResult, Source, Step};
use crate::http::{Answer, Request, percent_encode};
use crate::hub::{Accounts, TestHub, stand_in};
use crate::stores::StoreKind;

/// Runs the contract in `text` against a stand-in of `vendor` on an empty store of this kind.
///
/// # Errors
/// The step, the line and what is wrong there.
pub fn run(vendor: &str, text: &str, store: StoreKind) -> Result<(), String> {
    let contract = Contract::parse(text).map_err(|fault| fault.to_string())?;
    let mut hub = TestHub::on(
        store,
        &format!(
            "{}\n{}",
            contract.hub.join("\n"),
            stand_in(vendor, &contract.platform)
        ),
    )?;
    let mut values = BTreeMap::from([
        ("base".to_owned(), hub.base()),
        ("host".to_owned(), hub.address().to_string()),
        ("alice".to_owned(), Accounts::ALICE.to_owned()),
        ("bob".to_owned(), Accounts::BOB.to_owned()),
        ("admin".to_owned(), Accounts::ADMIN.to_owned()),
        ("ldap".to_owned(), Accounts::LDAP.to_owned()),
    ]);
    for step in &contract.steps {
        match step {
            Step::Clock(span) => hub.advance(*span),
            Step::Exchange(exchange) => run_exchange(exchange, &hub, &mut values)
                .map_err(|fault| format!("{}: {fault}", exchange.title))?,
            Step::Restart => hub.restart()?,
        }
    }
    Ok(())
}

fn run_exchange(
    exchange: &Exchange,
    hub: &TestHub,
    values: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let mut request = Request::new(&exchange.method, &replace(&exchange.target, values)?);
    let mut multipart = false;
    for (name, value) in &exchange.headers {
        multipart |= name.eq_ignore_ascii_case("content-type") && value.starts_with("multipart/");
        request = request.header(name, &replace(value, values)?);
    }
    let body = replace(&exchange.body, values)?;
    let body = if multipart && !body.is_empty() {
        format!("{}\r\n", body.replace('\n', "\r\n"))
    } else {
        body
    };
    let answer = request
        .body(body)
        .try_send(hub.address())
        .map_err(|fault| fault.to_string())?;
    let mut used = Vec::new();
    for (line, expectation) in &exchange.expected {
        check(expectation, &answer, values, &mut used)
            .map_err(|fault| format!("line {line}: {fault}\nin {}", shown(&answer)))?;
    }
    Ok(())
}

fn check(
    expected: &PendingResult,
    answer: &Answer,
    values: &mut BTreeMap<String, String>,
    used: &mut Vec<usize>,
) -> Result<(), String> {
    let ensure = |holds: bool, fault: String| if holds { Ok(()) } else { Err(fault) };
    match expected {
        PendingResult::Status(status) => ensure(
            answer.status == *status,
            format!("expected status {status}, got {}", answer.status),
        ),
        PendingResult::NoHeader(name, pattern) => {
            let pattern = pattern
                .as_deref()
                .map_or_else(|| Ok("*".to_owned()), |pattern| replace(pattern, values))?;
            let found = answer
                .headers_named(name)
                .find(|value| glob(&pattern, value));
            ensure(
                found.is_none(),
                format!("there is a {name}: {}", found.unwrap_or_default()),
            )
        }
        PendingResult::Header(name, pattern) => {
            let pattern = replace(pattern, values)?;
            let mut found = answer
                .headers
                .iter()
                .enumerate()
                .filter(|(index, (key, value))| {
                    key.eq_ignore_ascii_case(name) && !used.contains(index) && glob(&pattern, value)
                });
            let index = found
                .next()
                .map(|(index, _)| index)
                .ok_or_else(|| format!("no (further) header {name}: {pattern}"))?;
            used.push(index);
            Ok(())
        }
        PendingResult::Body(whole) => {
            let whole = replace(whole, values)?;
            ensure(
                answer.text() == whole,
                format!("expected the body {whole:?}"),
            )
        }
        PendingResult::BodyHas(part) => {
            let part = replace(part, values)?;
            ensure(
                answer.text().contains(&part),
                format!("the body lacks {part:?}"),
            )
        }
        PendingResult::BodyLacks(part) => {
            let part = replace(part, values)?;
            ensure(
                !answer.text().contains(&part),
                format!("the body has {part:?}"),
            )
        }
        PendingResult::Json(pointer, wanted) => {
            let body: serde_json::Value = serde_json::from_slice(&answer.body)
                .map_err(|fault| format!("not JSON: {fault}"))?;
            let found = body.pointer(if pointer == "/" { "" } else { pointer });
            match wanted {
                None => ensure(found.is_none(), format!("there is something at {pointer}")),
                Some(wanted) => {
                    let wanted = replace(wanted, values)?;
                    let value: serde_json::Value = serde_json::from_str(&wanted)
                        .unwrap_or(serde_json::Value::String(wanted.clone()));
                    ensure(
                        found == Some(&value),
                        format!("expected {wanted} at {pointer}, found {found:?}"),
                    )
                }
            }
        }
        PendingResult::Let(name, source) => {
            let value = kept(source, answer)
                .ok_or_else(|| format!("nothing to keep as {name}: {source:?}"))?;
            values.insert(name.clone(), value);
            Ok(())
        }
    }
}

fn kept(source: &Source, answer: &Answer) -> Option<String> {
    match source {
        Source::Cookie(name) => answer
            .cookie(name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned),
        Source::Header(name) => answer.header(name).map(str::to_owned),
        Source::Json(pointer) => answer.json().pointer(pointer)?.as_str().map(str::to_owned),
        Source::Location(name) => {
            let base = Url::parse("http://relative.invalid/").ok()?;
            let location = base.join(answer.header("location")?).ok()?;
            location
                .query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        }
    }
}

fn replace(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .ok_or_else(|| format!("unclosed {{{{ in {text:?}"))?;
        let (name, encoding) = name.split_once('|').unwrap_or((name, ""));
        let value = values
            .get(name)
            .ok_or_else(|| format!("nothing is known as {name}"))?;
        result.push_str(before);
        match encoding {
            "" => result.push_str(value),
            "base64" => result.push_str(&base64::engine::general_purpose::STANDARD.encode(value)),
            "json" => {
                let quoted = serde_json::Value::from(value.as_str()).to_string();
                result.push_str(&quoted[1..quoted.len() - 1]);
            }
            "url" => result.push_str(&percent_encode(value)),
            other => return Err(format!("no such encoding: {other}")),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// Whether `text` is `pattern`, in which `*` stands for any run.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && glob(rest, &tail[at..]))
        }),
    }
}

fn shown(answer: &Answer) -> String {
    let headers: String = answer
        .headers
        .iter()
        .map(|(name, value)| format!("  {name}: {value}\n"))
        .collect();
    format!("{}\n{headers}\n  {}", answer.status, answer.text())
}
