//! The yardstick: an actix-web app without any logic, that gives one vendor's answer.

use std::path::PathBuf;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Args;

use crate::answer::Answer;
use crate::process::{BoxError, announce, answer};

/// Which app to be.
#[derive(Args, Debug)]
pub(crate) struct Bare {
    /// A file with the bytes of the answer.
    #[arg(long)]
    pub(crate) answer: PathBuf,
    /// Worker threads.
    #[arg(long)]
    pub(crate) workers: usize,
}

/// The answer, ready to be sent.
#[derive(Clone)]
struct Prepared {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Bare {
    /// Answers every request alike until standard input ends.
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        let prepared = Prepared::read(&std::fs::read(&self.answer)?)?;
        actix_web::rt::System::new().block_on(async {
            let server = HttpServer::new(move || {
                let prepared = prepared.clone();
                App::new().default_service(web::to(move || {
                    let response = prepared.respond();
                    async { response }
                }))
            })
            .workers(self.workers)
            .bind(("127.0.0.1", 0))?;
            let address = server.addrs()[0];
            actix_web::rt::spawn(server.disable_signals().run());
            announce(&[address])?;
            answer(async |_| Ok(String::new())).await
        })
    }
}

impl Prepared {
    fn read(bytes: &[u8]) -> Result<Self, BoxError> {
        let answer = Answer::parse(bytes)?.ok_or("the answer has no end")?;
        let headers = answer.own_headers().map(|(name, value)| {
            Ok((
                HeaderName::from_bytes(name.as_bytes())?,
                HeaderValue::from_bytes(value)?,
            ))
        });
        Ok(Self {
            status: StatusCode::from_u16(answer.status)?,
            headers: headers.collect::<Result<_, BoxError>>()?,
            body: Bytes::from(answer.body),
        })
    }

    fn respond(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.status);
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response.set_body(BoxBody::new(self.body.clone()))
    }
}
