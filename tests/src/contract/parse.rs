//! Reads the grammar.

use std::fmt;
use std::time::Duration;

/// A contract file.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The rule, as a sentence.
    pub rule: String,
    /// `documented`, `observed` or `our choice`.
    pub basis: String,
    /// Lines for the hub's own tables.
    pub hub: Vec<String>,
    /// Lines for the platform's table.
    pub platform: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// Time passes.
    Clock(Duration),
    /// A request and what is expected of its answer.
    Exchange(Exchange),
    /// The server is stopped and started on the same store.
    Restart,
}

/// A request and what is expected of its answer; placeholders are not yet replaced.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    pub(super) title: String,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) expected: Vec<(usize, PendingResult)>,
}

/// What is expected, or kept.
#[derive(Clone, Debug)]
pub(super) enum PendingResult {
    Body(String),
    BodyHas(String),
    BodyLacks(String),
    Header(String, String),
    Json(String, Option<String>),
    Let(String, Source),
    NoHeader(String, Option<String>),
    Status(u16),
}

/// Where a kept value comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Cookie(String),
    Header(String),
    Json(String),
    Location(String),
}

/// A line that is not in the grammar.
#[derive(Debug)]
pub struct ParseError {
    line: usize,
    problem: &'static str,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl Contract {
    /// Reads a file.
    ///
    /// # Errors
    /// The first line that is not in the grammar.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim_end()))
            .peekable();
        let mut header = |start: &str, problem| match lines.next() {
            Some((_, line)) if line.starts_with(start) => Ok(line[start.len()..].trim().to_owned()),
            other => Err(ParseError {
                line: other.map_or(1, |(line, _)| line),
                problem,
            }),
        };
        let rule = header("# ", "the first line is the rule, after `# `")?;
        let basis = header("# Basis: ", "the second line is `# Basis: …`")?;
        if !matches!(basis.as_str(), "documented" | "observed" | "our choice") {
            return Err(ParseError {
                line: 2,
                problem: "the basis is documented, observed or our choice",
            });
        }
        let (mut hub, mut platform, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        while let Some((number, line)) = lines.next() {
            if line.is_empty() || (line.starts_with("# ") && steps.is_empty()) {
                continue;
            } else if let Some(toml) = line.strip_prefix("@platform ") {
                platform.push(toml.to_owned());
            } else if let Some(toml) = line.strip_prefix("@hub ") {
                hub.push(toml.to_owned());
            } else if let Some(time) = line.strip_prefix("=== clock +") {
                steps.push(Step::Clock(duration(time).ok_or(ParseError {
                    line: number,
                    problem: "a time such as +31m",
                })?));
            } else if line == "=== restart" {
                steps.push(Step::Restart);
            } else if let Some(title) = line.strip_prefix("### ") {
                let mut block = Vec::new();
                while let Some(next) = lines
                    .next_if(|(_, line)| !line.starts_with("### ") && !line.starts_with("=== "))
                {
                    block.push(next);
                }
                steps.push(Step::Exchange(exchange(number, title, &block)?));
            } else {
                return Err(ParseError {
                    line: number,
                    problem: "neither `###`, `===`, `@platform`, `@hub` nor a comment before the first request",
                });
            }
        }
        Ok(Self {
            rule,
            basis,
            hub,
            platform,
            steps,
        })
    }
}

fn exchange(number: usize, title: &str, block: &[(usize, &str)]) -> Result<Exchange, ParseError> {
    let mut lines = block.iter().copied().peekable();
    let problem = ParseError {
        line: number + 1,
        problem: "a request begins with METHOD and target",
    };
    let (method, target) = lines
        .next()
        .and_then(|(_, line)| line.split_once(' '))
        .ok_or(problem)?;
    let mut exchange = Exchange {
        title: title.to_owned(),
        method: method.to_owned(),
        target: target.to_owned(),
        ..Exchange::default()
    };
    while let Some((line, text)) =
        lines.next_if(|(_, line)| !line.is_empty() && !line.starts_with("<- "))
    {
        let (name, value) = text.split_once(':').ok_or(ParseError {
            line,
            problem: "a header is `Name: value`",
        })?;
        exchange.headers.push((
            name.to_owned(),
            value.strip_prefix(' ').unwrap_or(value).to_owned(),
        ));
    }
    let mut body = Vec::new();
    while let Some((_, text)) = lines.next_if(|(_, line)| !line.starts_with("<- ")) {
        body.push(text);
    }
    exchange.body = body.join("\n").trim_matches('\n').to_owned();
    for (line, text) in lines {
        match text.strip_prefix("<- ") {
            Some(text) => exchange.expected.push((
                line,
                expectation(text).ok_or(ParseError {
                    line,
                    problem: "no such expectation",
                })?,
            )),
            None if text.is_empty() => {}
            None => {
                return Err(ParseError {
                    line,
                    problem: "after the answer only expectations may follow",
                });
            }
        }
    }
    if !matches!(
        exchange.expected.first(),
        Some((_, PendingResult::Status(_)))
    ) {
        return Err(ParseError {
            line: number,
            problem: "the first expectation is the status",
        });
    }
    Ok(exchange)
}

fn expectation(text: &str) -> Option<PendingResult> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(PendingResult::Status);
    }
    if text == "body" {
        return Some(PendingResult::Body(String::new()));
    }
    if let Some(rest) = text.strip_prefix("let ") {
        let (name, source) = rest.split_once(" = ")?;
        let (kind, argument) = source.split_once(' ')?;
        let argument = argument.to_owned();
        let source = match kind {
            "cookie" => Source::Cookie(argument),
            "header" => Source::Header(argument),
            "json" => Source::Json(argument),
            "location" => Source::Location(argument),
            _ => return None,
        };
        return Some(PendingResult::Let(name.to_owned(), source));
    }
    if let Some(part) = text.strip_prefix("body ~ ") {
        return Some(PendingResult::BodyHas(part.to_owned()));
    }
    if let Some(part) = text.strip_prefix("body !~ ") {
        return Some(PendingResult::BodyLacks(part.to_owned()));
    }
    if let Some(whole) = text.strip_prefix("body ") {
        return Some(PendingResult::Body(whole.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("json ") {
        let (pointer, value) = rest.split_once(' ')?;
        return Some(PendingResult::Json(
            pointer.to_owned(),
            (value != "absent").then(|| value.to_owned()),
        ));
    }
    if let Some(text) = text.strip_prefix('!') {
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| {
            (name, Some(value.trim().to_owned()))
        });
        return Some(PendingResult::NoHeader(name.to_owned(), value));
    }
    let (name, value) = text.split_once(':')?;
    Some(PendingResult::Header(
        name.to_owned(),
        value.trim().to_owned(),
    ))
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number
        .parse::<u64>()
        .ok()
        .map(|number| Duration::from_secs(number * seconds))
}
