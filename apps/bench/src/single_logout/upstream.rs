//! Real instances of the four products, as far as a sign-out sees them: a bare actix-web app on
//! four ports that answers at once and remembers which sessions it was told of.
//!
//! It answers as the adapters' `upstream` modules are documented to read a sign-out, one of
//! somebody who is not signed in, and a probe of a session that lives or does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::dialect::VENDORS;
use crate::process::{BoxError, announce, answer};

/// Where HCL DX would send the browser.
pub(crate) const RETURN_ADDRESS: &str = "https://portal.example";

/// How many upstreams to be, and of whom.
#[derive(Args, Debug)]
pub(crate) struct Upstreams {
    /// How many persons have sessions there, numbered from 0.
    #[arg(long)]
    persons: usize,
    /// Worker threads.
    #[arg(long)]
    workers: usize,
}

/// What one of the upstreams has heard.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Heard {
    /// Sessions that were signed out.
    pub(crate) ended: usize,
    /// Sign-outs of sessions that had been signed out before.
    pub(crate) repeated: usize,
    /// Probes of sessions that had been signed out.
    pub(crate) probed: usize,
    /// Requests that are no sign-out and no probe, or whose session is none, or probes of live
    /// ones.
    pub(crate) strange: usize,
}

/// One vendor's instance.
#[derive(Debug)]
struct Instance {
    /// For each person, how often the session was signed out.
    told: Vec<AtomicUsize>,
    probed: AtomicUsize,
    strange: AtomicUsize,
}

impl Instance {
    fn new(persons: usize) -> Self {
        let told = std::iter::repeat_with(AtomicUsize::default)
            .take(persons)
            .collect();
        Self {
            told,
            probed: AtomicUsize::new(0),
            strange: AtomicUsize::new(0),
        }
    }

    fn heard(&self) -> Heard {
        let calls: Vec<usize> = self
            .told
            .iter()
            .map(|told| told.load(Ordering::Relaxed))
            .collect();
        Heard {
            ended: calls.iter().filter(|calls| **calls > 0).count(),
            repeated: calls.iter().map(|calls| calls.saturating_sub(1)).sum(),
            probed: self.probed.load(Ordering::Relaxed),
            strange: self.strange.load(Ordering::Relaxed),
        }
    }
}

impl Upstreams {
    /// Serves until standard input ends. Answers each line with what the instances have heard, in
    /// the order of the vendors.
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        actix_web::rt::System::new().block_on(async {
            let instances: Arc<Vec<Instance>> = Arc::new(
                VENDORS
                    .iter()
                    .map(|_| Instance::new(self.persons))
                    .collect(),
            );
            let data = web::Data::from(instances.clone());
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(data.clone())
                    .default_service(web::to(serve))
            })
            .workers(self.workers);
            let server =
                (0..VENDORS.len()).try_fold(server, |server, _| server.bind(("127.0.0.1", 0)))?;
            let addresses = server.addrs();
            actix_web::rt::spawn(server.disable_signals().run());
            announce(&addresses)?;
            answer(|_| async {
                Ok(serde_json::to_string(
                    &instances.iter().map(Instance::heard).collect::<Vec<_>>(),
                )?)
            })
            .await
        })
    }
}

/// A call that an instance knows.
#[derive(Clone, Copy)]
enum Call {
    Probe,
    SignOut,
}

async fn serve(request: HttpRequest, instances: web::Data<Vec<Instance>>) -> HttpResponse {
    let known = match (request.method().as_str(), request.path()) {
        ("GET", "/Sitefinity/SignOut")
            if request.query_string() == "sts_signout=true&redirect=false" =>
        {
            Some((0, Call::SignOut))
        }
        ("GET", "/rest-api/login-status") => Some((0, Call::Probe)),
        ("POST", "/services/logout") => Some((1, Call::SignOut)),
        ("GET", "/services/profile") => Some((1, Call::Probe)),
        ("GET", "/_api/iam/authentication/v1/logout") => Some((2, Call::SignOut)),
        ("GET", "/members/v1/members/my") => Some((2, Call::Probe)),
        ("POST", "/dx/api/core/v1/auth/logout") => Some((3, Call::SignOut)),
        ("POST", "/dx/api/core/v1/auth/validate") => Some((3, Call::Probe)),
        _ => None,
    };
    let Some((vendor, call)) = known else {
        for instance in instances.iter() {
            instance.strange.fetch_add(1, Ordering::Relaxed);
        }
        return HttpResponse::NotFound().finish();
    };
    let instance = &instances[vendor];
    let session = session(&request, vendor).and_then(|person| instance.told.get(person));
    let alive = match (session, call) {
        (Some(told), Call::SignOut) => told.fetch_add(1, Ordering::Relaxed) == 0,
        (Some(told), Call::Probe) => told.load(Ordering::Relaxed) == 0,
        (None, _) => false,
    };
    match call {
        Call::Probe if session.is_some() && !alive => {
            instance.probed.fetch_add(1, Ordering::Relaxed)
        }
        Call::SignOut if session.is_some() => 0,
        Call::Probe | Call::SignOut => instance.strange.fetch_add(1, Ordering::Relaxed),
    };
    match call {
        Call::Probe => status(vendor, alive),
        Call::SignOut => signed_out(vendor, alive),
    }
}

/// The number of the person whose session the request presents: what the session's own cookie or
/// token ends with.
fn session(request: &HttpRequest, vendor: usize) -> Option<usize> {
    let (name, begins) = match vendor {
        0 => (header::COOKIE, ".AspNet.Cookies="),
        1 => (header::AUTHORIZATION, "Bearer "),
        2 => (header::AUTHORIZATION, "OauthNG.JWS."),
        _ => (header::COOKIE, "LtpaToken2="),
    };
    request
        .headers()
        .get(name)?
        .to_str()
        .ok()?
        .strip_prefix(begins)?
        .rsplit('.')
        .next()?
        .parse()
        .ok()
}

fn signed_out(vendor: usize, alive: bool) -> HttpResponse {
    match (vendor, alive) {
        // A stale cookie is signed out like a live one.
        (0, _) => HttpResponse::Ok().insert_header((header::SET_COOKIE, ".AspNet.Cookies=; path=/; Max-Age=0; HttpOnly")).finish(),
        (1, true) => HttpResponse::Ok().json(json!({ "logoutSuccess": true })),
        (1, false) => not_signed_in_to_assets(),
        (2, true) => HttpResponse::Ok().json(json!({
            "statusCode": 200,
            "statusText": "",
            "headers": [{ "key": "Set-Cookie", "value": "smSession=; Max-Age=0; Path=/; HttpOnly; Secure" }],
            "body": "",
        })),
        (2, false) => not_signed_in_to_wix(),
        (_, true) => HttpResponse::Ok()
            .insert_header((header::SET_COOKIE, "LtpaToken2=; Max-Age=0; Path=/"))
            .json(json!({
                "statusCode": 200,
                "data": "You are successfully logged out",
                "redirectUrl": format!("{RETURN_ADDRESS}/"),
            })),
        (_, false) => not_signed_in_to_hcl_dx(),
    }
}

fn status(vendor: usize, alive: bool) -> HttpResponse {
    match (vendor, alive) {
        (0, _) => HttpResponse::Ok().json(json!({ "IsLoggedIn": alive })),
        (1, true) => HttpResponse::Ok().json(json!({ "username": "user" })),
        (1, false) => not_signed_in_to_assets(),
        (2, true) => HttpResponse::Ok()
            .json(json!({ "member": { "id": "12345678-0000-4000-8000-000000000001" } })),
        (2, false) => not_signed_in_to_wix(),
        (_, true) => HttpResponse::Ok().json(json!({ "statusCode": 200 })),
        (_, false) => not_signed_in_to_hcl_dx(),
    }
}

fn not_signed_in_to_assets() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "errorcode": 401, "errorname": "NotLoggedInException", "message": "Not logged in" }))
}

fn not_signed_in_to_wix() -> HttpResponse {
    HttpResponse::Unauthorized().json(json!({ "message": "unauthenticated", "details": {} }))
}

fn not_signed_in_to_hcl_dx() -> HttpResponse {
    HttpResponse::Unauthorized().json(json!({ "statusCode": 401, "error": "Unauthorized" }))
}
