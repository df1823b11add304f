//! What a sign-out ends: the target that was asked for, as far as it reaches.

use std::collections::BTreeSet;

use super::SessionAuthority;
use super::callers::Caller;
use crate::receipt::Reach;
use crate::session::{Person, Subject};
use crate::sign_out::{Refusal, Target};
use crate::store::{EndTarget, SessionFilter, StoreUnavailable};

/// How many sessions are looked at in one step where a subject's are listed.
const PAGE: usize = 1_000;

impl SessionAuthority {
    pub(super) async fn targets(
        &self,
        target: &Target,
        reach: Reach,
        callers: &[Caller],
    ) -> Result<Vec<EndTarget>, Refusal> {
        let mut targets = Vec::with_capacity(1);
        let own = |caller: &&Caller| match target {
            Target::Caller => true,
            // Credentials of somebody else that came along do not make that somebody a target.
            Target::Subject(subject) => caller.session.subject == *subject,
        };
        for Caller { session, .. } in callers.iter().filter(own) {
            targets.extend(EndTarget::of(session, reach));
        }
        if let Target::Subject(subject) = target {
            targets.push(EndTarget::Subject(
                self.platform.name.clone(),
                subject.clone(),
            ));
            if reach >= Reach::Person {
                targets.extend(
                    self.persons_behind(subject)
                        .await?
                        .into_iter()
                        .map(EndTarget::Person),
                );
            }
        }
        Ok(targets)
    }

    /// The persons that the live sessions of `subject` belong to.
    async fn persons_behind(
        &self,
        subject: &Subject,
    ) -> Result<BTreeSet<Person>, StoreUnavailable> {
        let filter = SessionFilter {
            platform: Some(self.platform.name.clone()),
            subject: Some(subject.clone()),
            ..SessionFilter::default()
        };
        let (mut persons, mut after) = (BTreeSet::new(), None);
        loop {
            let page = self
                .services
                .store
                .sessions(&filter, after, PAGE, self.now())
                .await?;
            persons.extend(page.items.into_iter().filter_map(|session| session.person));
            after = page.next;
            if after.is_none() {
                return Ok(persons);
            }
        }
    }
}
