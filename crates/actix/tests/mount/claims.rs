//! Platforms that claim the same address.

use std::sync::Arc;

use logout_actix::{Limits, Mount, MountError, MountedPlatform, TrustedProxies};
use logout_core::authority::SessionAuthority;
use logout_core::platform::Platform;
use logout_hcl_dx::{HclDxConfig, HclDxProvider};

use crate::{at_host, mounted, services};

#[actix_web::test]
async fn two_endpoints_of_any_depth_that_have_a_path_in_common_are_refused_by_name() {
    let services = services().await;
    let portal = |name: &str, prefix: &str, context: &str| {
        let platform = Platform::new(name, format!("http://hub.example{prefix}").parse().unwrap());
        let config_service =
            logout_hcl_dx::ConfigService::default().with("uri.context.path", context);
        let config = HclDxConfig {
            config_service,
            ..HclDxConfig::default()
        };
        let provider = Arc::new(HclDxProvider::new(config, &platform).unwrap());
        let sessions =
            SessionAuthority::new(Arc::new(platform), provider.clone(), services.clone());
        MountedPlatform::new(provider, sessions)
    };
    let fault = |platforms| Mount::new(platforms).err();
    // The programming interface of both is at the same address anyway.
    assert!(matches!(
        fault(vec![portal("one", "", "/a"), portal("two", "", "/b")]),
        Some(MountError::Overlap { .. })
    ));
    assert_eq!(
        fault(vec![portal("one", "", ""), portal("two", "/two", "")]),
        None
    );
    assert_eq!(
        fault(vec![
            portal("one", "", ""),
            mounted("sitefinity", "cms", "", &services)
        ]),
        None
    );
}

#[actix_web::test]
async fn platforms_that_claim_one_address_are_refused_by_name() {
    let services = services().await;
    let cms = |name: &str, prefix: &str| mounted("sitefinity", name, prefix, &services);
    let fault = |platforms, reserved: &[&str]| {
        Mount::with(
            platforms,
            reserved,
            TrustedProxies::default(),
            Limits::default(),
        )
        .err()
    };
    let overlap = fault(vec![cms("one", "/"), cms("two", "/")], &[]);
    assert!(
        matches!(overlap, Some(MountError::Overlap { one, other, .. }) if one == "one" && other == "two")
    );
    assert_eq!(
        fault(vec![cms("one", "/"), cms("one", "/a")], &[]),
        Some(MountError::SameName("one".to_owned()))
    );
    let reserved = fault(vec![cms("one", "/")], &["/sitefinity/signout"]);
    assert_eq!(
        reserved,
        Some(MountError::Reserved {
            platform: "one".to_owned(),
            path: "/sitefinity/signout".to_owned()
        })
    );
    for allowed in [
        vec![cms("one", "/a"), cms("two", "/b")],
        vec![
            at_host(cms("one", "/"), "a.example"),
            at_host(cms("two", "/"), "b.example"),
        ],
        vec![at_host(cms("one", "/"), "a.example"), cms("two", "/")],
    ] {
        assert_eq!(fault(allowed, &[]), None);
    }
}
