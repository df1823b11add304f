//! Addresses of others, as a client takes them.

use url::{Position, Url};

/// The scheme, host and port of `url`, and path and query there.
pub(super) fn split(url: &Url) -> (Url, String) {
    let target = url[Position::BeforePath..Position::AfterQuery].to_owned();
    let mut base = url.clone();
    base.set_path("");
    base.set_query(None);
    (base, target)
}
