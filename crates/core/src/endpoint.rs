//! The addresses that adapters answer.

use std::borrow::Cow;

use crate::message::{Method, percent_decode};
use crate::path::is_plain_segment;

/// An address that an adapter answers, below the platform's prefix.
#[derive(Clone, Debug)]
pub struct Endpoint {
    name: &'static str,
    methods: Vec<Method>,
    path: String,
    segments: Vec<Segment>,
    ignores_case: bool,
    optional_slash: bool,
    path_parameters: bool,
}

#[derive(Clone, Debug)]
enum Segment {
    /// Any number of segments, none included.
    Any,
    Literal(String),
    Parameter(&'static str),
}

impl Segment {
    fn could_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => one.eq_ignore_ascii_case(other),
            _ => true,
        }
    }
}

impl Endpoint {
    /// The endpoint that the adapter calls `name`, at `path`, which begins with a slash; a whole
    /// segment in braces matches any one segment, as given by `parameters` in order, and one
    /// segment `**` any number of segments. Paths are compared after percent-decoding each segment
    /// once. Beside a `**`, segments match that every server reads alike: not empty, no dots alone,
    /// no `;`, no backslash.
    pub fn new(
        name: &'static str,
        methods: &[Method],
        path: impl Into<String>,
        parameters: &[&'static str],
    ) -> Self {
        let path = path.into();
        let segments = path
            .split('/')
            .skip(1)
            .map(|segment| {
                let named = segment
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'));
                match parameters.iter().find(|name| named == Some(**name)) {
                    Some(name) => Segment::Parameter(name),
                    None if segment == "**" => Segment::Any,
                    None => Segment::Literal(segment.to_owned()),
                }
            })
            .collect();
        Self {
            name,
            methods: methods.to_vec(),
            path,
            segments,
            ignores_case: false,
            optional_slash: false,
            path_parameters: false,
        }
    }

    /// The path matches in any (ASCII) case.
    #[must_use]
    pub fn ignoring_case(mut self) -> Self {
        self.ignores_case = true;
        self
    }

    /// A slash at the end may be there or not.
    #[must_use]
    pub fn with_optional_slash(mut self) -> Self {
        self.optional_slash = true;
        self
    }

    /// The last segment may carry `;name=value` parameters, which do not count.
    #[must_use]
    pub fn with_path_parameters(mut self) -> Self {
        self.path_parameters = true;
        self
    }

    /// The adapter's name for it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The methods it takes.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Its path as the documentation writes it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The parameters out of `path`, as it was sent without prefix, when it is this endpoint's.
    pub fn matches(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let path = match path.split_once(';') {
            Some((_, parameters)) if self.path_parameters && parameters.contains(['/', '\\']) => {
                return None;
            }
            Some((before, _)) if self.path_parameters => before,
            _ => path,
        };
        let path = if self.optional_slash && path.len() > 1 && !self.path.ends_with('/') {
            path.strip_suffix('/').unwrap_or(path)
        } else {
            path
        };
        let mut sent = path.strip_prefix('/')?.split('/');
        let mut parameters = Vec::new();
        let is_of_any_depth = self.is_of_any_depth();
        for (at, segment) in self.segments.iter().enumerate() {
            if matches!(segment, Segment::Any) {
                let behind = self.segments.len() - at - 1;
                for _ in behind..sent.clone().count() {
                    sent.next().filter(|given| {
                        is_plain_segment(given) && decode_segment(given).is_some()
                    })?;
                }
                continue;
            }
            let sent = sent.next()?;
            let given = decode_segment(sent)?;
            match segment {
                Segment::Parameter(_)
                    if given.is_empty() || is_of_any_depth && !is_plain_segment(sent) =>
                {
                    return None;
                }
                Segment::Parameter(name) => parameters.push((*name, given.into_owned())),
                Segment::Literal(own) if self.ignores_case && own.eq_ignore_ascii_case(&given) => {}
                Segment::Literal(own) if *own == given => {}
                Segment::Any | Segment::Literal(_) => return None,
            }
        }
        sent.next().is_none().then_some(parameters)
    }

    /// Whether it matches paths of any depth. Such an endpoint comes after every other one, of
    /// whatever platform.
    pub fn is_of_any_depth(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, Segment::Any))
    }

    /// Whether `segments`, as [`crate::path::loose_segments`] makes them, are a spelling of a path
    /// of its own, right or wrong.
    pub fn resembles(&self, segments: &[String]) -> bool {
        let is = |(own, sent): (&Segment, &String)| match own {
            Segment::Literal(own) => own.eq_ignore_ascii_case(sent),
            Segment::Any | Segment::Parameter(_) => true,
        };
        let own = self
            .segments
            .iter()
            .filter(|own| !matches!(own, Segment::Literal(text) if text.is_empty()));
        match self
            .segments
            .iter()
            .position(|own| matches!(own, Segment::Any))
        {
            None => own.clone().count() == segments.len() && own.zip(segments).all(is),
            Some(before) => {
                let behind = self.segments.len() - before - 1;
                segments.len() >= before + behind
                    && self.segments[..before].iter().zip(segments).all(is)
                    && self.segments[before + 1..]
                        .iter()
                        .zip(&segments[segments.len() - behind..])
                        .all(is)
            }
        }
    }

    /// Whether two endpoints of any depth have a path in common.
    pub fn shares_a_depth_with(&self, other: &Self) -> bool {
        let ends = |endpoint: &Self| {
            let at = endpoint
                .segments
                .iter()
                .position(|segment| matches!(segment, Segment::Any))?;
            Some((
                endpoint.segments[..at].to_vec(),
                endpoint.segments[at + 1..].to_vec(),
            ))
        };
        let (Some((before, behind)), Some((others_before, others_behind))) =
            (ends(self), ends(other))
        else {
            return false;
        };
        before
            .iter()
            .zip(&others_before)
            .all(|(one, other)| one.could_equal(other))
            && behind
                .iter()
                .rev()
                .zip(others_behind.iter().rev())
                .all(|(one, other)| one.could_equal(other))
    }
}

/// A segment decoded once. One that hides a slash is nobody's: intermediaries would read the path
/// differently.
fn decode_segment(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let decoded = percent_decode(segment);
    (!decoded.contains(['/', '\\', '\u{FFFD}']) && !decoded.chars().any(char::is_control))
        .then_some(decoded)
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
