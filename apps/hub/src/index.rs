//! The page at the hub's address: platforms, their endpoints and, in a demo, who is signed in.

use actix_web::{HttpResponse, web};
use askama::Template;
use logout_actix::MountedPlatform;
use logout_core::authority::Services;
use logout_core::message::{Method, PAGE_SECURITY_POLICY};
use logout_core::provider::Endpoint;
use logout_core::store::SessionFilter;
use logout_core::time::Timestamp;

use crate::answer::{Answer as _, html};

/// How many sessions the page lists.
const LISTED: usize = 100;

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage<'a> {
    platforms: &'a [PlatformCard],
    /// Absent where strangers may see the page: who is signed in is nobody else's business.
    people: Option<Vec<PersonRow>>,
    more: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PlatformCard {
    pub(crate) name: String,
    pub(crate) vendor: &'static str,
    pub(crate) base: String,
    pub(crate) endpoints: Vec<EndpointRow>,
}

#[derive(Clone, Debug)]
pub(crate) struct EndpointRow {
    pub(crate) methods: String,
    pub(crate) path: String,
    pub(crate) signs_out: bool,
}

struct PersonRow {
    platform: String,
    subject: String,
    since: String,
    ends: String,
}

/// What the page shows.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    platforms: Vec<PlatformCard>,
    services: Services,
    names_people: bool,
}

impl Index {
    pub(crate) fn new(
        platforms: &[MountedPlatform],
        services: Services,
        names_people: bool,
    ) -> Self {
        Self {
            platforms: platforms.iter().map(card).collect(),
            services,
            names_people,
        }
    }

    /// What the platforms share.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// The platforms, with the endpoints that are served here.
    pub(crate) fn platforms(&self) -> &[PlatformCard] {
        &self.platforms
    }

    pub(crate) async fn answer(index: web::Data<Self>) -> HttpResponse {
        index.page().await
    }

    async fn page(&self) -> HttpResponse {
        let (mut people, mut more) = (None, false);
        if self.names_people {
            let now = self.services.clock.now();
            let Ok(page) = self
                .services
                .store
                .sessions(&SessionFilter::default(), None, LISTED, now)
                .await
            else {
                return HttpResponse::ServiceUnavailable().text_line("temporarily unavailable");
            };
            more = page.next.is_some();
            let rows = page.items.into_iter().map(|session| PersonRow {
                ends: clock_time(session.ends_by(session.seen)),
                since: clock_time(session.opened),
                platform: session.platform.to_string(),
                subject: session.subject.name.to_string(),
            });
            people = Some(rows.collect());
        }
        let page = IndexPage {
            platforms: &self.platforms,
            people,
            more,
        };
        match html(&page) {
            Ok(html) => HttpResponse::Ok()
                .content_type("text/html; charset=utf-8")
                .insert_header(("content-security-policy", PAGE_SECURITY_POLICY))
                .insert_header(("x-content-type-options", "nosniff"))
                .insert_header(("cache-control", "no-store"))
                .body(html),
            Err(fault) => {
                log::error!(fault:%; "the index page could not be rendered");
                HttpResponse::ServiceUnavailable().finish()
            }
        }
    }
}

fn card(mounted: &MountedPlatform) -> PlatformCard {
    let platform = mounted.sessions.platform();
    let row = |endpoint: &Endpoint, signs_out| EndpointRow {
        methods: Method::allow(endpoint.methods()),
        path: format!("{}{}", platform.prefix, endpoint.path()),
        signs_out,
    };
    let sign_outs = mounted
        .provider
        .endpoints()
        .iter()
        .map(|endpoint| row(endpoint, true));
    let logins = mounted
        .login_endpoints()
        .iter()
        .map(|endpoint| row(endpoint, false));
    PlatformCard {
        name: platform.name.to_string(),
        vendor: mounted.provider.vendor(),
        base: platform.base().to_owned(),
        endpoints: sign_outs.chain(logins).collect(),
    }
}

/// The instant as RFC 3339 in UTC, to the second.
pub(crate) fn clock_time(at: Timestamp) -> String {
    i64::try_from(at.as_secs())
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "never".to_owned(), |instant| instant.to_string())
}
