//! A provider without sockets.

use std::sync::Arc;

use logout_core::authority::{Services, SessionAuthority};
use logout_core::message::{Request, Response};
use logout_core::platform::Platform;
use logout_core::provider::LoginProvider;
use logout_core::sign_out::Refusal;

use super::{BreakableStore, ListedAccounts, ManualClock, RememberedTokens};

/// A provider with a store in memory and a clock that is set: what an adapter's tests send requests
/// to.
#[derive(Debug)]
pub struct StandIn<P> {
    provider: Arc<P>,
    sessions: SessionAuthority,
    clock: Arc<ManualClock>,
    store: Arc<BreakableStore>,
}

impl<P: LoginProvider> StandIn<P> {
    /// The stand-in of `platform`, spoken for by what `provider` makes.
    pub fn new(platform: Platform, provider: impl FnOnce(&Platform) -> P) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(BreakableStore::default());
        let provider = Arc::new(provider(&platform));
        let accounts = Arc::new(ListedAccounts::default());
        let services = Services::of_stand_ins(
            accounts,
            clock.clone(),
            store.clone(),
            Arc::new(RememberedTokens::default()),
        );
        let sessions = SessionAuthority::new(Arc::new(platform), provider.clone(), services);
        Self {
            provider,
            sessions,
            clock,
            store,
        }
    }

    /// Its clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Its store.
    pub fn store(&self) -> &BreakableStore {
        &self.store
    }

    /// Its sessions.
    pub fn sessions(&self) -> &SessionAuthority {
        &self.sessions
    }

    /// Answers as a server would that mounts the provider at its paths; a path that is nobody's
    /// gets 404.
    pub fn send(&self, request: Request<'_>) -> Response {
        futures_executor::block_on(self.answer(request))
    }

    async fn answer(&self, request: Request<'_>) -> Response {
        let endpoints = self
            .provider
            .endpoints()
            .iter()
            .map(|endpoint| (endpoint, true));
        let all = endpoints.chain(
            self.provider
                .login_endpoints()
                .iter()
                .map(|endpoint| (endpoint, false)),
        );
        let mut matching = all
            .filter_map(|(endpoint, signs_out)| {
                Some((endpoint, signs_out, endpoint.matches(request.path())?))
            })
            .peekable();
        if matching.peek().is_none() {
            return Response::new(404);
        }
        let mut allow = Vec::new();
        for (endpoint, signs_out, parameters) in matching {
            if endpoint.methods().contains(&request.method()) {
                let request = request.with_endpoint(endpoint.name(), parameters);
                let admitted = if signs_out {
                    self.sessions.admit_sign_out(&request)
                } else {
                    self.sessions.admit(&request)
                };
                if let Err(refusal) = admitted {
                    return self.provider.refused(&request, &refusal).into();
                }
                return if signs_out {
                    self.provider.logout(&request, &self.sessions).await.into()
                } else {
                    self.provider.serve(&request, &self.sessions).await
                };
            }
            allow.extend_from_slice(endpoint.methods());
        }
        self.provider
            .refused(&request, &Refusal::MethodNotAllowed { allow })
            .into()
    }
}
