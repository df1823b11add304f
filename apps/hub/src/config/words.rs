//! What a deserialiser says of a value, in words that need no Rust.

use super::error::nearest;

/// The message in plain words. One that is in plain words already stays as it is.
pub(super) fn plain(message: &str) -> String {
    let message = message.trim_end();
    if let (Some(given), Some(words)) = (unknown(message), variants(message)) {
        return not_one_of(given, &words);
    }
    let typed = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|begin| message.strip_prefix(begin));
    if let Some((given, expected)) = typed.and_then(|rest| rest.rsplit_once(", expected ")) {
        return format!("must be {}, not {}", wanted(expected), seen(given));
    }
    match message {
        "wanted string or table" => "must be text in quotes".to_owned(),
        "integer number overflowed" => "the number is too large".to_owned(),
        _ => message.to_owned(),
    }
}

/// That a value is none of the words of which it must be one, and which of them may have been
/// meant.
pub(crate) fn not_one_of<W: AsRef<str>>(given: &str, words: &[W]) -> String {
    let guess = nearest(given, words.iter().map(AsRef::as_ref))
        .map(|word| format!("; did you mean `{word}`?"));
    format!(
        "must be {}, not `{given}`{}",
        one_of(words),
        guess.unwrap_or_default()
    )
}

/// The words of which a value must be one, where the message says so.
pub(super) fn variants(message: &str) -> Option<Vec<String>> {
    unknown(message)?;
    let (_, words) = message.rsplit_once("expected ")?;
    Some(
        words
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect(),
    )
}

fn unknown(message: &str) -> Option<&str> {
    Some(
        message
            .strip_prefix("unknown variant `")?
            .rsplit_once("`, expected ")?
            .0,
    )
}

fn one_of<W: AsRef<str>>(words: &[W]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// What a type is to somebody who writes TOML.
fn wanted(expected: &str) -> String {
    let number = expected
        .strip_prefix("a nonzero ")
        .map_or((0, expected), |kind| (1, kind));
    let most = match number.1 {
        "u8" => Some(u64::from(u8::MAX)),
        "u16" => Some(u64::from(u16::MAX)),
        "u32" => Some(u64::from(u32::MAX)),
        _ => None,
    };
    match (number, most) {
        ((least, _), Some(most)) => return format!("a whole number from {least} to {most}"),
        ((least, "usize" | "u64" | "u128"), None) => {
            return format!("a whole number, {least} or more");
        }
        ((_, "i8" | "i16" | "i32" | "i64" | "i128" | "isize"), None) => {
            return "a whole number".to_owned();
        }
        _ => {}
    }
    match expected {
        "a boolean" => "true or false",
        "a string" | "a borrowed string" | "path string" | "a character" => "text in quotes",
        "a sequence" => "a list in square brackets",
        "a map" | "a table" => "a table",
        "f32" | "f64" => "a number",
        _ if expected.starts_with("struct ") => "a table",
        _ => return expected.to_owned(),
    }
    .to_owned()
}

/// What was written, to somebody who writes TOML.
fn seen(given: &str) -> String {
    let number = ["integer `", "floating point `"]
        .iter()
        .find_map(|begin| given.strip_prefix(begin)?.split_once('`'));
    if let Some((number, _)) = number {
        return format!("the number {number}");
    }
    if let Some(text) = given.strip_prefix("string ") {
        return format!("the text {text}");
    }
    match given {
        "boolean `true`" => "true".to_owned(),
        "boolean `false`" => "false".to_owned(),
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => given.to_owned(),
    }
}
