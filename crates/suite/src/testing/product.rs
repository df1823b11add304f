//! The real product behind a platform, for the tests of an adapter's upstream side.

use async_trait::async_trait;
use logout_core::credential::Secret;
use logout_core::message::Request;
use logout_core::ports::ReceiptPages;
use logout_core::provider::LoginProvider;
use logout_core::receipt::ReceiptId;
use logout_core::redirect::ApprovedUrl;
use logout_core::sign_out::PresentedCredential;
use logout_core::upstream::{
    UpstreamAnswer, UpstreamClient, UpstreamCredential, UpstreamError, UpstreamRequest,
    UpstreamSession,
};

use super::StandIn;

/// The answer of a product, from its parts.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> UpstreamAnswer {
    let answer = UpstreamAnswer::new(status).with_body(body);
    headers.iter().fold(answer, |answer, (name, value)| {
        answer.with_header(*name, *value)
    })
}

/// A session that the product knows by these cookies.
pub fn session_of_cookies(cookies: &[(&str, &str)]) -> UpstreamSession {
    let cookies = cookies
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
    UpstreamSession {
        cookies: cookies.collect(),
        ..UpstreamSession::default()
    }
}

/// Names and values of a session's cookies or further secrets, to be compared.
pub fn revealed(secrets: &[(String, Secret)]) -> Vec<(&str, &str)> {
    secrets
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect()
}

/// The credentials that a session is registered by, to be compared.
pub fn registered(credentials: &[UpstreamCredential]) -> Vec<(&'static str, String)> {
    credentials
        .iter()
        .map(|one| (one.purpose, one.secret.reveal().to_owned()))
        .collect()
}

/// The credentials that a sign-out looks up, to be compared.
pub fn looked_up(credentials: &[PresentedCredential]) -> Vec<(&'static str, String)> {
    credentials
        .iter()
        .map(|one| (one.purpose, one.secret.reveal().to_owned()))
        .collect()
}

/// The first header of this name.
pub fn header<'a>(request: &'a UpstreamRequest, name: &str) -> Option<&'a str> {
    request
        .headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.reveal())
}

/// Receipt pages that all stand at `/receipts/of-alice`.
#[derive(Debug)]
pub struct OneReceiptPage;

impl ReceiptPages for OneReceiptPage {
    fn address(&self, _receipt: ReceiptId) -> Option<ApprovedUrl> {
        ApprovedUrl::from_operator("/receipts/of-alice").ok()
    }
}

impl<P: LoginProvider> StandIn<P> {
    /// Answers a browser's request as the product does, in the form in which a hub reads answers.
    pub fn serve(&self, request: Request<'_>) -> UpstreamAnswer {
        let (status, headers, body) = self.send(request).into_parts();
        let answer = UpstreamAnswer::new(status).with_body(body);
        headers.into_iter().fold(answer, |answer, (name, value)| {
            answer.with_header(name, String::from(value))
        })
    }

    /// Answers a hub's request as the product does.
    pub fn exchange(&self, request: &UpstreamRequest) -> UpstreamAnswer {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let sent = Request::new(request.method, path)
            .with_query(query)
            .with_body(request.body.clone());
        let sent = request.headers.iter().fold(sent, |sent, (name, value)| {
            sent.with_header(name.clone(), value.reveal())
        });
        self.serve(sent)
    }
}

#[async_trait]
impl<P: LoginProvider> UpstreamClient for StandIn<P> {
    async fn send(&self, request: UpstreamRequest) -> Result<UpstreamAnswer, UpstreamError> {
        // A stand-in blocks its thread, and this one is blocked already.
        let answer = std::thread::scope(|scope| scope.spawn(|| self.exchange(&request)).join());
        answer.map_err(|_| UpstreamError::Broken)
    }
}
