//! What sessions, credentials and receipts call a platform by.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a platform, unique in one hub.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct PlatformName(Arc<str>);

impl PlatformName {
    /// The platform called `name`.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlatformName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for PlatformName {
    fn borrow(&self) -> &str {
        &self.0
    }
}
