//! The demo's page: signs in at four products with one click, and shows what a single sign-out does
//! to them.
//!
//! Plain HTML by the server, without script. What it does is done as anybody would do it: logins go
//! to the hub over a socket, sign-outs are the vendors' own links.

mod view;

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::join_all;
use logout_core::credential::{Secret, SecretDigest};
use logout_core::message::PAGE_SECURITY_POLICY;
use logout_relay::HttpClient;
use serde::Deserialize;
use url::Url;

use crate::answer::Answer as _;
use crate::index::Index;
use crate::receipt_page::{BackLink, ReceiptPage};
use crate::start_error::StartError;

use super::platforms;
use super::products::{Product, client};
use super::stand_ins::{Action, StandIns};

/// What the page shows, and what it can do.
#[derive(Debug)]
pub(super) struct Console {
    /// Stands in every form, so that no other page can send one.
    token: Secret,
    hub: String,
    client: HttpClient,
    password: Secret,
    products: Vec<Product>,
    stand_ins: StandIns,
}

/// What a form sends.
#[derive(Deserialize)]
struct Pressed {
    token: String,
}

impl Console {
    pub(super) fn new(
        hub: SocketAddr,
        products: Vec<Product>,
        stand_ins: StandIns,
        password: &str,
    ) -> Result<Self, StartError> {
        let (token, password) = (Secret::random(), Secret::new(password));
        Ok(Self {
            token,
            hub: format!("http://{hub}"),
            client: client(hub)?,
            password,
            products,
            stand_ins,
        })
    }

    /// The page's routes, to stand before the hub's own index.
    pub(super) fn routes(self) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
        let console = web::Data::new(self);
        let pages = console.products.iter().flat_map(|product| {
            platforms::pages(product.vendor)
                .iter()
                .map(|path| (*path, &product.url))
        });
        let pages: Vec<(&str, String)> = pages
            .map(|(path, url)| (path, format!("{url}{path}")))
            .collect();
        let back_link = BackLink {
            address: "/",
            text: "Back to the demo",
        };
        move |config: &mut ServiceConfig| {
            config
                .app_data(console.clone())
                .app_data(back_link)
                .route("/", web::get().to(page))
                .route("/", web::head().to(page))
                .route("/demo/sign-in", web::post().to(sign_in))
                .route("/demo/stand-ins/{name}/start", web::post().to(start))
                .route("/demo/stand-ins/{name}/stop", web::post().to(stop));
            for (path, at_product) in &pages {
                config.service(web::redirect(*path, at_product.clone()));
            }
        }
    }

    /// Whether a form of ours was sent from a page of ours: it knows the token, and the browser
    /// knows this server by a name that nobody else can have made up.
    fn is_own(&self, request: &HttpRequest, pressed: &Pressed) -> bool {
        let host = request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        is_of_this_machine(host)
            && SecretDigest::of(self.token.reveal()).matches(&SecretDigest::of(&pressed.token))
    }
}

async fn page(
    console: web::Data<Console>,
    index: web::Data<Index>,
    receipts: web::Data<ReceiptPage>,
) -> HttpResponse {
    match console.render(&index, &receipts).await {
        Ok(html) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header(("content-security-policy", PAGE_SECURITY_POLICY))
            .insert_header(("x-content-type-options", "nosniff"))
            .insert_header(("cache-control", "no-store"))
            // It links to receipts, whose addresses are secrets.
            .insert_header(("referrer-policy", "no-referrer"))
            .body(html),
        Err(fault) => {
            log::error!(fault:%; "the demo's page cannot be shown");
            HttpResponse::ServiceUnavailable().text_line("temporarily unavailable")
        }
    }
}

/// Signs alice in everywhere, through the hub, and hands the browser what the products set. One
/// that is stopped is left out.
async fn sign_in(
    console: web::Data<Console>,
    request: HttpRequest,
    pressed: web::Form<Pressed>,
) -> HttpResponse {
    if !console.is_own(&request, &pressed) {
        return refused();
    }
    let device = request
        .headers()
        .get(header::USER_AGENT)
        .and_then(|name| name.to_str().ok())
        .unwrap_or_default();
    let password = console.password.reveal();
    let logins = console.products.iter().map(|product| {
        platforms::sign_in(
            product.vendor,
            &console.hub,
            &console.client,
            device,
            password,
        )
    });
    let mut answer = home();
    for cookie in join_all(logins).await.into_iter().flatten() {
        if let Ok(value) = header::HeaderValue::from_str(&cookie) {
            answer.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    answer
}

async fn start(
    console: web::Data<Console>,
    request: HttpRequest,
    pressed: web::Form<Pressed>,
) -> HttpResponse {
    execute(&console, &request, &pressed, Action::Start).await
}

async fn stop(
    console: web::Data<Console>,
    request: HttpRequest,
    pressed: web::Form<Pressed>,
) -> HttpResponse {
    execute(&console, &request, &pressed, Action::Stop).await
}

async fn execute(
    console: &Console,
    request: &HttpRequest,
    pressed: &Pressed,
    action: Action,
) -> HttpResponse {
    if !console.is_own(request, pressed) {
        return refused();
    }
    let name = request.match_info().get("name").unwrap_or_default();
    match console
        .products
        .iter()
        .position(|product| product.name == name)
    {
        Some(index) => {
            console.stand_ins.execute(index, action).await;
            home()
        }
        None => HttpResponse::NotFound().text_line("not found"),
    }
}

fn home() -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, "/"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

fn refused() -> HttpResponse {
    HttpResponse::Forbidden()
        .text_line("Open the demo's page again: this form is not of this run of it.")
}

/// Whether a `Host` names this machine by an address of its own, which no other site's name
/// resolves to by trickery.
fn is_of_this_machine(host: &str) -> bool {
    let name = Url::parse(&format!("http://{host}/"))
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_always_mean_this_machine_are_taken_for_it() {
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:1",
            "127.1.2.3",
            "[::1]:8080",
            "LOCALHOST:1",
        ] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "192.0.2.1",
            "[::2]",
            "a b",
        ] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
