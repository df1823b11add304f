//! What `--version` says of this build.

use std::sync::LazyLock;

use crate::COMPILED;
use crate::config::Compiled;

/// The commit, as the build recorded it ([build.rs](../build.rs)).
const COMMIT: Option<&str> = option_env!("LOGOUT_HUB_COMMIT");

/// What a build says that nothing was recorded in.
const NO_COMMIT: &str = "not recorded in this build";

/// The number, the commit, and what is compiled in, a line each.
pub(crate) fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| text(COMMIT, &COMPILED));
    &LONG
}

fn text(commit: Option<&str>, compiled: &Compiled<'_>) -> String {
    let standards = compiled.standards.then_some("standards");
    let features: Vec<&str> = compiled
        .vendors
        .iter()
        .map(|vendor| vendor.name())
        .chain(standards)
        .collect();
    let stores: Vec<&str> = ["memory"]
        .into_iter()
        .chain(compiled.stores.iter().copied())
        .collect();
    format!(
        "{}\ncommit: {}\nfeatures: {}\nstores: {}",
        env!("CARGO_PKG_VERSION"),
        commit.unwrap_or(NO_COMMIT),
        features.join(", "),
        stores.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use crate::vendors::Vendor;

    use super::*;

    #[test]
    fn a_version_names_the_commit_the_features_and_the_stores() {
        let compiled = Compiled {
            vendors: &[Vendor::Assets, Vendor::Wix],
            stores: &["disk", "redis"],
            standards: true,
        };
        let number = env!("CARGO_PKG_VERSION");
        assert_eq!(
            text(Some("0123456789ab"), &compiled),
            format!(
                "{number}\ncommit: 0123456789ab\nfeatures: assets, wix, standards\nstores: memory, \
                 disk, redis"
            )
        );
        let least = Compiled {
            vendors: &[Vendor::Wix],
            stores: &[],
            standards: false,
        };
        assert_eq!(
            text(None, &least),
            format!("{number}\ncommit: {NO_COMMIT}\nfeatures: wix\nstores: memory")
        );
    }
}
