//! Sessions: listed, registered, ended.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use logout_core::credential::Secret;
use logout_core::platform::PlatformName;
use logout_core::receipt::{Reach, Reason};
use logout_core::registration::{Registration, RegistrationError};
use logout_core::session::{ClientId, Device, Person, Session, SessionId, Subject};
use logout_core::store::{EndTarget, Lookup, Page, SessionFilter, StoreUnavailable};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamSession;
use serde::Deserialize;
use serde_json::Value;

use super::body::{Fields, NAME, checked};
use super::problem::Problem;
use super::{AdminState, LARGEST_PAGE, cursor, limit, views};
use crate::answer::Answer as _;
use crate::platforms::KnownPlatform;

const LONGEST_COOKIE: usize = 8 * 1024;
const LONGEST_TOKEN: usize = 16 * 1024;
const MOST_COOKIES: usize = 50;
/// No vendor's session lasts longer; an expiry beyond it is a mistake, such as milliseconds that
/// are taken for seconds.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
/// How many pages are looked through for one page of sessions that no index finds.
const PAGES_AT_ONCE: usize = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionQuery {
    person: Option<Person>,
    platform: Option<PlatformName>,
    realm: Option<String>,
    subject: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

pub(super) async fn list(
    state: web::Data<AdminState>,
    query: web::Query<SessionQuery>,
) -> Result<HttpResponse, Problem> {
    let SessionQuery {
        person,
        platform,
        realm,
        subject,
        after,
        limit: asked,
    } = query.into_inner();
    let (after, limit) = (
        cursor("after", after.as_deref(), SessionId::parse)?,
        limit(asked.as_deref())?,
    );
    let page = match (realm, subject) {
        (None, None) => {
            let filter = SessionFilter {
                person,
                platform,
                subject: None,
                idp: None,
            };
            state
                .services
                .store
                .sessions(&filter, after, limit, state.services.clock.now())
                .await?
        }
        (Some(realm), Some(name)) => {
            let filter = SessionFilter {
                person,
                platform,
                subject: Some(Subject::new(realm, name)),
                idp: None,
            };
            state
                .services
                .store
                .sessions(&filter, after, limit, state.services.clock.now())
                .await?
        }
        (realm, name) => {
            let filter = SessionFilter {
                person,
                platform,
                subject: None,
                idp: None,
            };
            let matches = |session: &Session| {
                realm
                    .as_deref()
                    .is_none_or(|realm| *session.subject.realm == *realm)
                    && name
                        .as_deref()
                        .is_none_or(|name| *session.subject.name == *name)
            };
            look_through(&state, &filter, after, limit, matches).await?
        }
    };
    Ok(HttpResponse::Ok().json_line(&views::sessions(&page)))
}

/// A page of sessions that only looking at each of them finds. May be short, even empty, though
/// more follow.
async fn look_through(
    state: &AdminState,
    filter: &SessionFilter,
    mut after: Option<SessionId>,
    limit: usize,
    matches: impl Fn(&Session) -> bool,
) -> Result<Page<Session, SessionId>, StoreUnavailable> {
    let (mut items, now) = (Vec::new(), state.services.clock.now());
    for _ in 0..PAGES_AT_ONCE {
        let page = state
            .services
            .store
            .sessions(filter, after, LARGEST_PAGE, now)
            .await?;
        let last = page.items.last().map(|session| session.id);
        for session in page.items {
            let id = session.id;
            if matches(&session) {
                items.push(session);
            }
            if items.len() == limit {
                let next = (Some(id) != last || page.next.is_some()).then_some(id);
                return Ok(Page { items, next });
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(Page { items, next: after })
}

/// The subjects called `name` that have live sessions at `platform`, whatever their realm.
pub(super) async fn subjects_called(
    state: &AdminState,
    platform: &PlatformName,
    name: &str,
) -> Result<Vec<Subject>, StoreUnavailable> {
    let filter = SessionFilter {
        platform: Some(platform.clone()),
        ..SessionFilter::default()
    };
    let (mut subjects, mut after) = (Vec::new(), None);
    loop {
        let page = look_through(state, &filter, after, LARGEST_PAGE, |session| {
            *session.subject.name == *name
        })
        .await?;
        subjects.extend(page.items.into_iter().map(|session| session.subject));
        subjects.sort();
        subjects.dedup();
        after = page.next;
        if after.is_none() {
            return Ok(subjects);
        }
    }
}

pub(super) async fn end(
    state: web::Data<AdminState>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let Some(id) = SessionId::parse(&id) else {
        return Err(Problem::NOT_FOUND);
    };
    let (receipt, ended) = state
        .services
        .end(
            Reason::Administrator,
            Reach::Session,
            vec![EndTarget::Session(id)],
        )
        .await?;
    if ended.is_empty() {
        return Err(Problem::NOT_FOUND);
    }
    Ok(HttpResponse::Accepted().json_line(&views::ended(receipt, &ended)))
}

pub(super) async fn register(
    state: web::Data<AdminState>,
    mut fields: Fields,
) -> Result<HttpResponse, Problem> {
    let name = fields.required("platform", NAME)?;
    let known = state.named_platform(&name)?;
    if !known.sessions.platform().has_upstream {
        return Err(Problem::field(
            "platform",
            "it has no upstream: a stand-in opens its own sessions",
        ));
    }
    let credential_field = if fields.has("bearer") && !fields.has("cookies") {
        "bearer"
    } else {
        "cookies"
    };
    let registration = read(&mut fields, known)?;
    fields.finish()?;
    let session = registration.session.clone();
    let is_known = live(known, &session).await?.is_some();
    known
        .sessions
        .register(&*known.adapter, registration)
        .await
        .map_err(|fault| match fault {
            RegistrationError::Busy => Problem::BUSY,
            RegistrationError::Ended => Problem::ENDED,
            RegistrationError::Expired => Problem::field("expires", "lies in the past"),
            RegistrationError::NoCredential => Problem::field(
                credential_field,
                "has no credential that this platform knows",
            ),
            _ => Problem::UNAVAILABLE,
        })?;
    // Somebody may have signed out in between.
    let registered = live(known, &session).await?.ok_or(Problem::ENDED)?;
    let mut answer = if is_known {
        HttpResponse::Ok()
    } else {
        HttpResponse::Created()
    };
    Ok(answer.json_line(&views::session(&registered)))
}

/// The live session that one of these credentials opens.
async fn live(
    known: &KnownPlatform,
    session: &UpstreamSession,
) -> Result<Option<std::sync::Arc<Session>>, StoreUnavailable> {
    for presentable in known.adapter.credentials(session) {
        if let Lookup::Live(session, _) = known
            .sessions
            .look_up(presentable.purpose, presentable.secret.reveal())
            .await?
        {
            return Ok(Some(session));
        }
    }
    Ok(None)
}

fn read(fields: &mut Fields, known: &KnownPlatform) -> Result<Registration, Problem> {
    let subject = fields.subject("subject", "subject.")?;
    let (realm, name) = subject.ok_or_else(|| Problem::field("subject", "must be given"))?;
    let client = fields.text("client", NAME)?.map(ClientId::new);
    let csrf = fields.text("csrf", LONGEST_COOKIE)?.map(Secret::new);
    let session = UpstreamSession {
        cookies: cookies(fields)?,
        bearer: token(fields, "bearer")?,
        csrf,
        client,
        ..UpstreamSession::default()
    };
    let address = fields
        .text("address", NAME)?
        .map(|text| text.parse::<IpAddr>());
    let address = address
        .transpose()
        .map_err(|_| Problem::field("address", "must be an IP address"))?;
    let user_agent = fields.text("user_agent", LONGEST_COOKIE)?.map(|mut text| {
        text.truncate(
            (0..=text.len().min(NAME))
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0),
        );
        text
    });
    Ok(Registration {
        subject: known.adapter.subject(realm.as_deref(), &name),
        person: fields.text("person", NAME)?.map(Person::new),
        idp: fields.login("idp", "idp.")?,
        id_token: token(fields, "id_token")?,
        session,
        expires: expires(fields, known.sessions.now())?,
        device: Device {
            address,
            user_agent,
        },
    })
}

fn cookies(fields: &mut Fields) -> Result<Vec<(String, Secret)>, Problem> {
    let wrong = |rule| Problem::field("cookies", rule);
    let members = match fields.take("cookies") {
        None => return Ok(Vec::new()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(wrong("must be an object of names and values")),
    };
    if members.len() > MOST_COOKIES {
        return Err(wrong("has too many members"));
    }
    let cookie = |(name, value): (String, Value)| {
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        if name.is_empty() || name.len() > NAME || !name.bytes().all(fits) {
            return Err(wrong("has a name that no cookie can have"));
        }
        // What follows a semicolon would be a cookie of its own.
        match checked(value, LONGEST_COOKIE) {
            Ok(value) if value.contains(';') || value.contains(char::is_whitespace) => {
                Err(Problem::field(
                    format!("cookies.{name}"),
                    "must not contain spaces and semicolons",
                ))
            }
            Ok(value) => Ok((name, Secret::new(value))),
            Err(rule) => Err(Problem::field(format!("cookies.{name}"), rule)),
        }
    };
    members.into_iter().map(cookie).collect()
}

fn token(fields: &mut Fields, name: &'static str) -> Result<Option<Secret>, Problem> {
    match fields.text(name, LONGEST_TOKEN)? {
        Some(token) if token.contains(char::is_whitespace) => Err(Problem::field(
            name,
            "must be the token alone, without spaces",
        )),
        token => Ok(token.map(Secret::new)),
    }
}

/// RFC 3339, or seconds since the Unix epoch.
fn expires(fields: &mut Fields, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let wrong = |rule| Problem::field("expires", rule);
    let seconds = match fields.take("expires") {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text
            .parse::<jiff::Timestamp>()
            .ok()
            .map(jiff::Timestamp::as_second),
        Some(_) => None,
    };
    let seconds =
        seconds.ok_or_else(|| wrong("must be a time by RFC 3339, or whole seconds since 1970"))?;
    let at = u64::try_from(seconds).map_err(|_| wrong("lies in the past"))?;
    let at = Timestamp::from_millis(at.saturating_mul(1_000));
    if at <= now {
        return Err(wrong("lies in the past"));
    }
    if at.since(now) > LONGEST_LIFE {
        Err(wrong("is more than ten years away"))
    } else {
        Ok(Some(at))
    }
}
