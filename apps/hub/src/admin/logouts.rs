//! Orders: who is to be signed out, by an administrator.

use actix_web::{HttpResponse, web};
use logout_core::receipt::{Reach, Reason};
use logout_core::session::{Person, SessionId, Subject};
use logout_core::store::EndTarget;

use super::body::{Fields, NAME};
use super::problem::Problem;
use super::{AdminState, sessions, views};
use crate::answer::Answer as _;

pub(super) async fn order(
    state: web::Data<AdminState>,
    mut fields: Fields,
) -> Result<HttpResponse, Problem> {
    let (reach, targets) = read(&state, &mut fields).await?;
    if targets.is_empty() {
        return Ok(HttpResponse::Accepted().json_line(&views::nothing_ended()));
    }
    let (receipt, ended) = state
        .services
        .end(Reason::Administrator, reach, targets)
        .await?;
    let answer = if ended.is_empty() {
        views::nothing_ended()
    } else {
        views::ended(receipt, &ended)
    };
    Ok(HttpResponse::Accepted().json_line(&answer))
}

/// Exactly one of `person`, `subject` (with its `platform` and, where it has one, its `realm`),
/// `session` and `platform`.
async fn read(state: &AdminState, fields: &mut Fields) -> Result<(Reach, Vec<EndTarget>), Problem> {
    let kinds = ["person", "subject", "session", "platform"];
    let given: Vec<_> = kinds.into_iter().filter(|kind| fields.has(kind)).collect();
    let kind = match given[..] {
        ["subject", "platform"] => "subject",
        [kind] => kind,
        [] => {
            fields.finish()?;
            return Err(Problem::field(
                "person",
                "one of person, subject, session and platform must be given",
            ));
        }
        [_, second, ..] => {
            return Err(Problem::field(
                second,
                "only one of person, subject, session and platform can be given",
            ));
        }
    };
    match kind {
        "person" => {
            let person = Person::new(fields.required("person", NAME)?);
            fields.finish()?;
            Ok((Reach::Person, vec![EndTarget::Person(person)]))
        }
        "session" => {
            let id = SessionId::parse(&fields.required("session", NAME)?)
                .ok_or_else(|| Problem::field("session", "must be an id"))?;
            fields.finish()?;
            Ok((Reach::Session, vec![EndTarget::Session(id)]))
        }
        "subject" => {
            let platform = state
                .named_platform(&fields.required("platform", NAME)?)?
                .sessions
                .platform()
                .name
                .clone();
            let subject = fields.subject("subject", "subject.")?;
            let beside = fields.text("realm", NAME)?;
            fields.finish()?;
            let Some((inside, name)) = subject else {
                return Err(Problem::field("subject", "must be given"));
            };
            if inside.is_some() && beside.is_some() {
                return Err(Problem::field("realm", "is given twice"));
            }
            let subjects = match inside.or(beside) {
                Some(realm) => vec![Subject::new(realm, name)],
                None => sessions::subjects_called(state, &platform, &name).await?,
            };
            Ok((
                Reach::Subject,
                subjects
                    .into_iter()
                    .map(|subject| EndTarget::Subject(platform.clone(), subject))
                    .collect(),
            ))
        }
        _ => {
            let platform = state
                .named_platform(&fields.required("platform", NAME)?)?
                .sessions
                .platform()
                .name
                .clone();
            fields.finish()?;
            Ok((Reach::Subject, vec![EndTarget::Platform(platform)]))
        }
    }
}
