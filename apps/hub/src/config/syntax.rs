//! Whether a text is TOML at all, and what it is otherwise.

use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::error::ConfigErrorKind;

/// What keeps `text` from being TOML: the first fault of each line, with its place. A file in
/// another format has one fault.
pub(super) fn faults_of_syntax(file: &Path, text: &str) -> Vec<(Range<usize>, ConfigErrorKind)> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<_> = errors
        .iter()
        .map(|error| (error.span().unwrap_or(0..0), error.message()))
        .collect();
    faults.sort_by_key(|(span, _)| span.start);
    let line = |span: &Range<usize>| text.get(..span.start).unwrap_or(text).matches('\n').count();
    faults.dedup_by_key(|(span, _)| line(span));
    match other_format(file, text) {
        Some(format) if !faults.is_empty() => {
            let place = faults.swap_remove(0).0;
            let reason = format!(
                "this is {format}, and a configuration is TOML: write `[server]` for a table and `key = \"value\"` below it"
            );
            vec![(place, ConfigErrorKind::Syntax(reason))]
        }
        _ => faults
            .into_iter()
            .map(|(span, message)| (span, ConfigErrorKind::Syntax(next_step(message.trim_end()))))
            .collect(),
    }
}

/// The parser's message with what to do, for mistakes that are made again and again.
fn next_step(message: &str) -> String {
    const UNQUOTED: [&str; 4] = [
        "invalid float",
        "invalid integer",
        "invalid datetime",
        "string values must be quoted",
    ];
    match message {
        "duplicate key" => "this key stands in its table twice; keep one".to_owned(),
        _ if UNQUOTED.iter().any(|begin| message.starts_with(begin)) => {
            "this is not a value; text stands in quotes, as in `listen = \"127.0.0.1:8080\"`"
                .to_owned()
        }
        _ => message.to_owned(),
    }
}

/// The format that the file's name or its first line names, where that is not TOML.
fn other_format(file: &Path, text: &str) -> Option<&'static str> {
    let extension = file
        .extension()
        .and_then(|extension| extension.to_str())
        .map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("json") => return Some("JSON"),
        Some("yaml" | "yml") => return Some("YAML"),
        _ => {}
    }
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_key = |key: &str| {
        !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    match first {
        _ if first.starts_with('{') => Some("JSON"),
        "---" => Some("YAML"),
        _ if first.split_once(':').is_some_and(|(key, rest)| {
            is_key(key) && (rest.is_empty() || rest.starts_with(' '))
        }) =>
        {
            Some("YAML")
        }
        _ => None,
    }
}
