//! Addresses that more than one module knows.

/// The Logout method's path on a site's own domain; what sign-out links of ours lead to.
pub(crate) const LOGOUT: &str = "/_api/iam/authentication/v1/logout";
/// Where browsers and scripts turn a login into a code.
pub(crate) const AUTHORIZE: &str = "/_api/oauth2/authorize";
