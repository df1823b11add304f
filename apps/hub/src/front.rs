//! A page of its own in place of the index: what the demo shows at `/`.

use std::fmt;
use std::sync::Arc;

use actix_web::web::ServiceConfig;

/// Routes that come before the hub's own index, and what they need.
#[derive(Clone)]
pub(crate) struct Front(Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>);

impl Front {
    pub(crate) fn new(routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        Self(Arc::new(routes))
    }

    pub(crate) fn configure(&self, config: &mut ServiceConfig) {
        (self.0)(config);
    }
}

impl Default for Front {
    /// No page of its own.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Front")
    }
}

/// Where somebody who has read their receipt may go on to, where there is such a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WayBack {
    pub(crate) address: &'static str,
    pub(crate) text: &'static str,
}
