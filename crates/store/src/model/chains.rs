//! Sessions that share a key: of one person, of one subject, of one sign-on.

use super::Entry;
use super::slab::{Place, Slab};
use super::tags::{Tag, Tags};

/// What sessions are listed by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum By {
    Person = 0,
    SignOn = 1,
    Subject = 2,
}

/// How many links a session has.
pub(super) const LINKS: usize = 3;

const NOTHING: Place = Place::MAX;

/// Where a session stands between those of the same tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    next: Place,
    previous: Place,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            next: NOTHING,
            previous: NOTHING,
        }
    }
}

/// The first session of each tag. The links are in the sessions themselves, so that a key with one
/// session, and that is most of them, costs no memory of its own.
#[derive(Debug)]
pub(super) struct Chains {
    by: By,
    heads: Tags,
}

impl Chains {
    pub(super) fn new(by: By) -> Self {
        Self {
            by,
            heads: Tags::default(),
        }
    }

    /// As [`Tags::warm`].
    pub(super) fn warm(&self, tag: Tag) -> Place {
        self.heads.warm(tag)
    }

    pub(super) fn add(&mut self, sessions: &mut Slab<Entry>, tag: Tag, place: Place) {
        if let Some(head) = self.heads.put(tag, place) {
            self.change(sessions, head, |link| link.previous = place);
            self.change(sessions, place, |link| link.next = head);
        }
    }

    /// Takes out what stood at `place` with `link`; the session itself may be gone already.
    pub(super) fn remove(
        &mut self,
        sessions: &mut Slab<Entry>,
        tag: Tag,
        place: Place,
        link: &Link,
    ) {
        if link.next != NOTHING {
            self.change(sessions, link.next, |next| next.previous = link.previous);
        }
        if link.previous != NOTHING {
            self.change(sessions, link.previous, |previous| {
                previous.next = link.next
            });
        } else if link.next != NOTHING {
            self.heads.replace_with(tag, place, || link.next);
        } else {
            self.heads.remove(tag, place);
        }
    }

    /// The sessions under `tag`, the latest first. Those of another key with the same tag are
    /// among them.
    pub(super) fn under<'s>(
        &self,
        sessions: &'s Slab<Entry>,
        tag: Tag,
    ) -> impl Iterator<Item = &'s Entry> + use<'s> {
        let by = self.by as usize;
        let first = self.heads.find(tag, |_| true).unwrap_or(NOTHING);
        std::iter::successors(sessions.get(first), move |entry| {
            sessions.get(entry.links[by].next)
        })
    }

    fn change(&self, sessions: &mut Slab<Entry>, place: Place, change: impl FnOnce(&mut Link)) {
        if let Some(entry) = sessions.get_mut(place) {
            change(&mut entry.links[self.by as usize]);
        }
    }
}
