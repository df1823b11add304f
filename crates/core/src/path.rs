//! Paths as a careless client, or something between it and us, may spell them.
//!
//! They tell whom a wrong path was meant for, and which paths a server may take for a sign-out.
//! What a request *does* depends on [`crate::provider::Endpoint::matches`] alone.

use std::borrow::Cow;

use crate::message::percent_decode;

/// How often a path is decoded. Nothing between a client and us encodes more often than that.
const MOST_DECODINGS: usize = 3;

/// The segments of `path` in one spelling: decoded, also where it was encoded twice or hides a
/// slash or a backslash; in lower (ASCII) case; without empty ones, `.` and `..`, path parameters
/// (`;x=1`), and dots, spaces and control characters at their ends.
pub fn loose_segments(path: &str) -> Vec<String> {
    segments(&decoded(path), true)
}

/// All readings of `path` by servers that are as loose as [`loose_segments`], which is the first:
/// `..` may also take no segment away, and a `;`, a `?` or a `#` may end the path, encoded or not.
/// Each is given once.
pub fn loose_readings(path: &str) -> Vec<Vec<String>> {
    let decoded = decoded(path);
    let end = decoded.find([';', '?', '#']).unwrap_or(decoded.len());
    let mut readings: Vec<Vec<String>> = Vec::with_capacity(1);
    for (path, resolves) in [
        (&*decoded, true),
        (&*decoded, false),
        (&decoded[..end], true),
        (&decoded[..end], false),
    ] {
        let reading = segments(path, resolves);
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    readings
}

/// Whether every server reads `segment`, which holds no slash, as one segment with a name: not
/// empty, no dots alone, no path parameters, no backslash or slash, however often it is encoded.
pub(crate) fn is_plain_segment(segment: &str) -> bool {
    let decoded = decoded(segment);
    !decoded.contains(['/', '\\', ';']) && !segments(&decoded, true).is_empty()
}

fn decoded(path: &str) -> Cow<'_, str> {
    let mut path = Cow::Borrowed(path);
    for _ in 0..MOST_DECODINGS {
        if !path.contains('%') {
            break;
        }
        path = Cow::Owned(percent_decode(&path).into_owned());
    }
    path
}

/// The segments of a decoded path; with `resolves`, a `..` takes the one before it away.
fn segments(path: &str, resolves: bool) -> Vec<String> {
    let mut segments = Vec::new();
    for segment in path.split(['/', '\\']) {
        let segment = segment.split(';').next().unwrap_or_default();
        let segment = segment.trim_matches(is_blank);
        if segment == ".." && resolves {
            segments.pop();
            continue;
        }
        let segment = segment.trim_end_matches(|each| each == '.' || is_blank(each));
        if !segment.is_empty() {
            segments.push(segment.to_ascii_lowercase());
        }
    }
    segments
}

fn is_blank(each: char) -> bool {
    each.is_whitespace() || each.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_have_the_same_segments() {
        for path in [
            "/services/logout",
            "/services/logout/",
            "//services//logout",
            "/Services/LOGOUT",
            "/services/logout.",
            "/services./logout",
            "/services/logout;jsessionid=1",
            "/services;x=1/logout;",
            "/services/logout%20",
            "/services/logout%00",
            "/services%2Flogout",
            "/services%2flogout",
            "/services%5Clogout",
            "/services\\logout",
            "/services%252Flogout",
            "/%73ervices/%6C%6fgout",
            "/./services/./logout",
            "/other/../services/logout",
            "/services/x/%2e%2e/logout",
            "/../services/logout",
            "services/logout",
        ] {
            assert_eq!(loose_segments(path), ["services", "logout"], "{path}");
        }
    }

    #[test]
    fn a_path_is_read_with_its_dots_and_to_its_first_mark_too() {
        for (path, readings) in [
            ("/a/b", vec![vec!["a", "b"]]),
            ("/a/../b", vec![vec!["b"], vec!["a", "b"]]),
            ("/a/%2e%2e/b", vec![vec!["b"], vec!["a", "b"]]),
            ("/a;x/b", vec![vec!["a", "b"], vec!["a"]]),
            ("/a%3Bx/b", vec![vec!["a", "b"], vec!["a"]]),
            ("/a%3fx", vec![vec!["a?x"], vec!["a"]]),
            ("/a%2523x", vec![vec!["a#x"], vec!["a"]]),
        ] {
            assert_eq!(loose_readings(path), readings, "{path}");
        }
    }

    #[test]
    fn a_plain_segment_is_one_to_every_server() {
        for segment in ["a", "a b", "a%20b", "a.b", ".a", "a.", "%C3%A9", "100%25"] {
            assert!(is_plain_segment(segment), "{segment}");
        }
        for segment in [
            "",
            ".",
            "..",
            "...",
            "%2e",
            "%2E.",
            "%252e%252e",
            " ",
            "%20",
            "%00",
            ";",
            ";a",
            "a;b",
            "a%3Bb",
            "\\",
            "\\a",
            "a%5Cb",
            "a%2Fb",
            "a%252Fb",
            ". ",
            "..;a",
        ] {
            assert!(!is_plain_segment(segment), "{segment}");
        }
    }

    #[test]
    fn other_paths_have_others() {
        for (path, segments) in [
            ("", vec![]),
            ("/", vec![]),
            ("/..", vec![]),
            ("/servicesx/logout", vec!["servicesx", "logout"]),
            ("/a.b/.c", vec!["a.b", ".c"]),
        ] {
            assert_eq!(loose_segments(path), segments, "{path}");
        }
        assert_eq!(loose_segments("/%25252525"), ["%25"], "decoding ends");
    }
}
