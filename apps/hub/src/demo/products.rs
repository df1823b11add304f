//! The products of the demo, seen from outside: where they are, and what they say when they are
//! asked.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::vendors::Vendor;
use logout_core::Method;
use logout_core::authority::Services;
use logout_core::provider::UpstreamLogout;
use logout_core::session::{Session, Subject};
use logout_core::upstream::{Addressee, UpstreamClient, UpstreamRequest, UpstreamSession};
use logout_relay::{HttpClient, HttpClientSettings};
use url::Url;

use crate::config::{Config, ConfigErrors};
use crate::start_error::StartError;
use crate::vendors;

use super::layout::StandIn;

/// A stand-in, as the page sees it from outside.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) vendor: Vendor,
    pub(super) name: &'static str,
    pub(super) url: String,
    adapter: Arc<dyn UpstreamLogout>,
    client: HttpClient,
}

/// These stand-ins, as the configuration of the hub speaks to them.
pub(super) fn of_stand_ins(
    config: &Config,
    stand_ins: &[StandIn],
) -> Result<Vec<Product>, StartError> {
    let product = |stand_in: &StandIn| {
        let own = config
            .platforms
            .iter()
            .find(|platform| platform.name == stand_in.name);
        let platform = own.ok_or(StartError::PublicUrl(stand_in.address))?;
        let url = Url::parse(&format!("http://{}/", config.server.listen))
            .map_err(|_| StartError::PublicUrl(config.server.listen))?;
        let common = platform.platform(&url, &config.sessions, &config.redirects);
        let adapter = vendors::adapter(platform, &common)
            .map_err(ConfigErrors::from)?
            .upstream;
        Ok(Product {
            vendor: stand_in.vendor,
            name: stand_in.name,
            url: format!("http://{}", stand_in.address),
            adapter,
            client: client(stand_in.address)?,
        })
    };
    stand_ins.iter().map(product).collect()
}

/// A way to send requests to an address of the demo.
pub(super) fn client(address: SocketAddr) -> Result<HttpClient, StartError> {
    let base =
        Url::parse(&format!("http://{address}/")).map_err(|_| StartError::PublicUrl(address))?;
    HttpClient::new(HttpClientSettings::new(base))
        .map_err(|fault| StartError::Serve(std::io::Error::other(fault)))
}

impl Product {
    /// What the product itself says of a session, by the vendor's probe; `None` when it says
    /// nothing.
    pub(super) async fn is_alive(&self, session: &Session, services: &Services) -> Option<bool> {
        let plain = services
            .seal
            .as_ref()?
            .open(session.id, session.sealed.as_ref()?)
            .ok()?;
        let addressee = Addressee {
            delivery: None,
            subject: Some(session.subject.clone()),
            session: UpstreamSession::from_bytes(&plain),
        };
        let answer = self
            .client
            .send(self.adapter.probe(&addressee)?)
            .await
            .ok()?;
        self.adapter.alive(&answer)
    }

    /// Whether the product has this subject for somebody who has not logged in.
    pub(super) fn is_anonymous(&self, subject: &Subject) -> bool {
        self.adapter.is_anonymous(subject)
    }

    /// Whether anybody listens there.
    pub(super) async fn runs(&self) -> bool {
        // Any answer will do; it is a connection that tells a stand-in which runs from one that was
        // stopped.
        self.client
            .send(UpstreamRequest::new(Method::Head, "/"))
            .await
            .is_ok()
    }
}
