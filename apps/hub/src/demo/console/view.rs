//! What the demo's page shows.

use askama::Template;
use futures_util::future::join_all;
use logout_core::authority::Services;
use logout_core::delivery::DeliveryState;
use logout_core::outbox::Outbox;
use logout_core::session::Session;
use logout_core::store::{SessionFilter, StoreUnavailable};

use super::Console;
use crate::answer;
use crate::demo::platforms;
use crate::demo::products::Product;
use crate::index::{Index, PlatformCard, clock_time};
use crate::receipt_page::{self, ReceiptPage};
use crate::report::Report;

/// How many sessions the page lists.
const SESSIONS: usize = 20;

/// How many sign-outs the page lists.
const RECEIPTS: usize = 5;

#[derive(Template)]
#[template(path = "demo.html")]
struct ConsolePage<'a> {
    token: &'a str,
    cards: Vec<Card<'a>>,
    sessions: Vec<SessionRow>,
    receipts: Vec<ReceiptRow>,
    platforms: &'a [PlatformCard],
}

struct Card<'a> {
    name: &'a str,
    product: &'static str,
    url: &'a str,
    sign_out: &'static str,
    runs: bool,
}

struct SessionRow {
    platform: String,
    person: String,
    since: String,
    ends: String,
    state: &'static str,
    mood: &'static str,
}

struct ReceiptRow {
    address: String,
    at: String,
    asked: String,
    told: usize,
    confirmed: usize,
    pending: usize,
}

/// Why the page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsoleError {
    #[error(transparent)]
    Store(#[from] StoreUnavailable),
    #[error(transparent)]
    Template(#[from] askama::Error),
}

impl Console {
    async fn session_row(&self, session: &Session, services: &Services) -> SessionRow {
        let product = self
            .products
            .iter()
            .find(|product| product.name == session.platform.as_str());
        let alive = match product {
            Some(product) => product.is_alive(session, services).await,
            None => None,
        };
        let (state, mood) = match alive {
            Some(true) => ("alive", "good"),
            Some(false) => ("over", "bad"),
            None => ("not known", "waits"),
        };
        SessionRow {
            platform: session.platform.to_string(),
            person: match (&session.person, product) {
                (Some(person), _) => person.as_str().to_owned(),
                (None, Some(product)) if product.is_anonymous(&session.subject) => {
                    "a visitor".to_owned()
                }
                (None, _) => session.subject.name.to_string(),
            },
            since: clock_time(session.opened),
            ends: clock_time(session.ends_by(session.seen)),
            state,
            mood,
        }
    }

    pub(super) async fn render(
        &self,
        index: &Index,
        receipts: &ReceiptPage,
    ) -> Result<String, ConsoleError> {
        let services = index.services();
        let mut listed = services
            .store
            .sessions(
                &SessionFilter::default(),
                None,
                SESSIONS,
                services.clock.now(),
            )
            .await?
            .items;
        listed.sort_by(|one, other| one.platform.cmp(&other.platform));
        let sessions = join_all(
            listed
                .iter()
                .map(|session| self.session_row(session, services)),
        )
        .await;
        let mut cards = join_all(self.products.iter().map(card)).await;
        cards.sort_by_key(|card| card.name);
        let page = ConsolePage {
            token: self.token.reveal(),
            cards,
            sessions,
            receipts: receipt_rows(receipts).await?,
            platforms: index.platforms(),
        };
        Ok(answer::html(&page)?)
    }
}

async fn card(product: &Product) -> Card<'_> {
    let Product {
        vendor, name, url, ..
    } = product;
    Card {
        name,
        product: platforms::product(*vendor),
        url,
        sign_out: platforms::sign_out(*vendor),
        runs: product.runs().await,
    }
}

async fn receipt_rows(page: &ReceiptPage) -> Result<Vec<ReceiptRow>, StoreUnavailable> {
    let outbox: &dyn Outbox = &*page.outbox;
    let mut rows = Vec::with_capacity(RECEIPTS);
    let receipts = page.services.store.receipts(None, RECEIPTS).await?.items;
    for report in Report::of_all(receipts, &page.services, outbox).await? {
        let (told, settled) = report.progress();
        let confirmed = report
            .deliveries
            .iter()
            .flatten()
            .filter(|delivery| delivery.state == DeliveryState::Confirmed)
            .count();
        rows.push(ReceiptRow {
            address: format!(
                "{}/{}",
                receipt_page::PATH,
                page.secrets.secret(report.receipt.id)
            ),
            at: clock_time(report.receipt.at),
            asked: report
                .receipt
                .platform
                .as_ref()
                .map_or_else(|| "the hub".to_owned(), ToString::to_string),
            told,
            confirmed,
            pending: told - settled,
        });
    }
    Ok(rows)
}
