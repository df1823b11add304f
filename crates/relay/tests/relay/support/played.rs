//! A client without sockets: it answers what a function says, so that tokio's paused clock can
//! run.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use logout_core::upstream::{UpstreamAnswer, UpstreamClient, UpstreamError, UpstreamRequest};

use super::dialect::SIGNED_OUT;

type Answered = Result<UpstreamAnswer, UpstreamError>;
type Play =
    dyn Fn(UpstreamRequest, usize) -> Pin<Box<dyn Future<Output = Answered> + Send>> + Send + Sync;

pub(crate) struct Played {
    play: Box<Play>,
    calls: AtomicUsize,
}

impl Played {
    /// Answers each request, given how many came before it.
    pub(crate) fn new<F>(
        play: impl Fn(UpstreamRequest, usize) -> F + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        Arc::new(Self {
            play: Box::new(move |request, nth| Box::pin(play(request, nth))),
            calls: AtomicUsize::new(0),
        })
    }

    /// How many requests there were.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Played")
    }
}

#[async_trait]
impl UpstreamClient for Played {
    async fn send(&self, request: UpstreamRequest) -> Answered {
        let nth = self.calls.fetch_add(1, Ordering::SeqCst);
        (self.play)(request, nth).await
    }
}

pub(crate) fn signed_out() -> Answered {
    answer(200, SIGNED_OUT)
}

pub(crate) fn answer(status: u16, body: &str) -> Answered {
    Ok(UpstreamAnswer::new(status).with_body(body))
}

pub(crate) fn answer_with(status: u16, name: &str, value: &str) -> Answered {
    Ok(UpstreamAnswer::new(status).with_header(name, value))
}
