//! A person's own sign-out, at an address that is a secret: platforms and states, and nothing that
//! names anybody.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use logout_core::authority::Services;
use logout_core::delivery::{AttemptAnswer, Delivery, DeliveryState, Verification};
use logout_core::message::PAGE_SECURITY_POLICY;
use logout_core::outbox::Outbox;
use logout_core::receipt::EndedSession;
use logout_core::store::StoreUnavailable;
use logout_identity::ReceiptSecrets;
use url::Url;

use crate::answer::{self, Answer as _};
use crate::idp::FrontChannels;
use crate::index::clock_time;
use crate::report::{Channel, Report};

/// Where the pages of receipts are, each below it under its secret.
pub(crate) const PATH: &str = "/receipts";

/// The query of a page that has asked relying parties before: a login there that is newer is not to
/// end.
const AGAIN: &str = "again";

/// Shows receipts to whoever knows their secret.
#[derive(Debug)]
pub(crate) struct ReceiptPage {
    /// What all platforms share.
    pub(crate) services: Services,
    /// What is to be told to upstreams.
    pub(crate) outbox: Arc<dyn Outbox>,
    /// Which secret is whose.
    pub(crate) secrets: ReceiptSecrets,
    /// What the page loads of relying parties.
    pub(crate) front_channels: FrontChannels,
}

/// A link from the page of a receipt to another page of the app; set as the app's data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackLink {
    pub(crate) address: &'static str,
    pub(crate) text: &'static str,
}

#[derive(Template)]
#[template(path = "receipt.html")]
struct Shown {
    at: String,
    asked: Option<String>,
    rows: Vec<Row>,
    /// Addresses of relying parties that the browser loads.
    frames: Vec<Url>,
    /// The query of the page that it loads next, where that is another.
    next: Option<&'static str>,
    told: usize,
    confirmed: usize,
    pending: usize,
    outlived: usize,
    back_link: Option<BackLink>,
}

#[derive(Template)]
#[template(path = "no_receipt.html")]
struct Unknown {
    back_link: Option<BackLink>,
}

/// What became of one session.
#[derive(Debug)]
struct Row {
    platform: String,
    channel: &'static str,
    attempts: String,
    answer: String,
    state: &'static str,
    /// For the eye: a class of the style sheet.
    mood: &'static str,
    verified: &'static str,
}

impl ReceiptPage {
    /// The page of the secret in the address. A secret that is malformed, one that is nobody's and
    /// one whose receipt is not kept any more look alike.
    // The address is read off the request, because actix's own extractor would write one that it
    // cannot read into the log.
    pub(crate) async fn answer(page: web::Data<Self>, request: HttpRequest) -> HttpResponse {
        let back_link = request.app_data::<BackLink>().copied();
        match page
            .report(request.match_info().get("secret").unwrap_or_default())
            .await
        {
            Ok(Some(report)) => {
                let again = request.query_string() == AGAIN;
                let shown = Shown::of(&report, &page.front_channels, back_link, again);
                html(StatusCode::OK, &shown, &shown.security_policy())
            }
            Ok(None) => {
                let page = Unknown { back_link };
                html(StatusCode::NOT_FOUND, &page, PAGE_SECURITY_POLICY)
            }
            Err(StoreUnavailable) => guarded(StatusCode::SERVICE_UNAVAILABLE, PAGE_SECURITY_POLICY)
                .text_line("temporarily unavailable"),
        }
    }

    async fn report(&self, secret: &str) -> Result<Option<Report>, StoreUnavailable> {
        match self.secrets.receipt(secret) {
            Some(id) => Report::read(&self.services, &*self.outbox, id).await,
            None => Ok(None),
        }
    }
}

impl Shown {
    /// `again`: the page has loaded itself once more.
    fn of(
        report: &Report,
        front_channels: &FrontChannels,
        back_link: Option<BackLink>,
        again: bool,
    ) -> Self {
        let state = |wanted| move |delivery: &&Delivery| delivery.state == wanted;
        let deliveries = || report.deliveries.iter().flatten();
        let (told, settled) = report.progress();
        let mut rows: Vec<Row> = report
            .rows()
            .filter(|(session, _)| report.channel(session) != Channel::Browser)
            .map(|(session, delivery)| Row::of(session, delivery))
            .collect();
        let mut frames = Vec::new();
        for (session, _) in report.rows() {
            let frame = front_channels.address(&session.platform, &session.subject.realm);
            let Some(frame) = frame.filter(|frame| !frames.contains(frame)) else {
                continue;
            };
            frames.push(frame);
            rows.push(Row::asked(session));
        }
        rows.sort_by(|one, other| one.platform.cmp(&other.platform));
        let next = if frames.is_empty() { None } else { Some(AGAIN) };
        if again {
            frames.clear();
        }
        Self {
            at: clock_time(report.receipt.at),
            asked: report.receipt.platform.as_ref().map(ToString::to_string),
            rows,
            frames,
            next,
            told,
            confirmed: deliveries().filter(state(DeliveryState::Confirmed)).count(),
            pending: told - settled,
            outlived: deliveries()
                .filter(|delivery| delivery.verified == Some(Verification::Outlived))
                .count(),
            back_link,
        }
    }
}

impl Shown {
    /// Lets the page load what is shown in it, and nothing else.
    fn security_policy(&self) -> String {
        if self.frames.is_empty() {
            return PAGE_SECURITY_POLICY.to_owned();
        }
        let origins: BTreeSet<String> = self
            .frames
            .iter()
            .map(|frame| frame.origin().ascii_serialization())
            .collect();
        let origins: Vec<String> = origins.into_iter().collect();
        format!("{PAGE_SECURITY_POLICY}; frame-src {}", origins.join(" "))
    }
}

impl Row {
    /// A relying party whose address the page loads. No answer of it is ever seen.
    fn asked(session: &EndedSession) -> Self {
        let none = || "–".to_owned();
        Self {
            platform: session.platform.to_string(),
            channel: "loaded by this page",
            attempts: none(),
            answer: none(),
            state: "asked",
            mood: "waits",
            verified: "–",
        }
    }

    fn of(session: &EndedSession, delivery: Option<&Delivery>) -> Self {
        let platform = session.platform.to_string();
        let none = || "–".to_owned();
        let Some(delivery) = delivery else {
            let (channel, state) = if session.upstream {
                ("told to the platform", "no longer known")
            } else {
                ("ended in the hub", "confirmed")
            };
            let mood = if session.upstream { "waits" } else { "good" };
            return Self {
                platform,
                channel,
                attempts: none(),
                answer: none(),
                state,
                mood,
                verified: "–",
            };
        };
        let (state, mood) = match (delivery.state, delivery.verified) {
            (DeliveryState::Confirmed, Some(Verification::Outlived)) => ("confirmed", "bad"),
            (DeliveryState::Confirmed, _) => ("confirmed", "good"),
            (DeliveryState::GivenUp, _) => ("given up", "bad"),
            (DeliveryState::Pending, _) => ("pending", "waits"),
        };
        let verified = match delivery.verified {
            Some(Verification::Dead) => "verified dead",
            Some(Verification::Outlived) => "outlived: still alive there",
            Some(Verification::Unknown) => "cannot be verified",
            None => "–",
        };
        let answer = match delivery.history.last().map(|attempt| attempt.answer) {
            Some(AttemptAnswer::Status(status)) => format!("HTTP {status}"),
            Some(AttemptAnswer::Error(fault)) => fault.to_string(),
            Some(AttemptAnswer::Unsealable) => "nothing could be sent".to_owned(),
            None => none(),
        };
        Self {
            platform,
            channel: "told to the platform",
            attempts: delivery.attempts.to_string(),
            answer,
            state,
            mood,
            verified,
        }
    }
}

fn guarded(status: StatusCode, security_policy: &str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header(("content-security-policy", security_policy))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("cache-control", "no-store"))
        // The address is the secret: no other site, no search engine and no cache is to learn it.
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("x-robots-tag", "noindex"));
    response
}

fn html(status: StatusCode, page: &impl Template, security_policy: &str) -> HttpResponse {
    match answer::html(page) {
        Ok(html) => guarded(status, security_policy)
            .content_type("text/html; charset=utf-8")
            .body(html),
        Err(fault) => {
            log::error!(fault:%; "the page of a receipt could not be rendered");
            guarded(StatusCode::SERVICE_UNAVAILABLE, security_policy).finish()
        }
    }
}

#[cfg(test)]
#[path = "receipt_page_tests.rs"]
mod tests;
