//! Paths as a careless client, or something between it and us, may spell them.
//!
//! Only for telling whom a wrong path was meant for. What a request *does* depends on [`crate::provider::Endpoint::matches`] alone.

use std::borrow::Cow;

use crate::message::percent_decode;

/// How often a path is decoded. Nothing between a client and us encodes more often than that.
const MOST_DECODINGS: usize = 3;

/// The segments of `path` in one spelling: decoded, also where it was encoded twice or hides a slash or a backslash; in lower
/// (ASCII) case; without empty ones, `.` and `..`, path parameters (`;x=1`), and dots, spaces and control characters at their ends.
pub fn loose_segments(path: &str) -> Vec<String> {
    let mut path = Cow::Borrowed(path);
    for _ in 0..MOST_DECODINGS {
        if !path.contains('%') {
            break;
        }
        path = Cow::Owned(percent_decode(&path).into_owned());
    }
    let mut segments = Vec::new();
    for segment in path.split(['/', '\\']) {
        let segment = segment.split(';').next().unwrap_or_default();
        let segment = segment.trim_matches(is_blank);
        if segment == ".." {
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
