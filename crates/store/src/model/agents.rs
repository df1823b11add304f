//! User agents, of which many sessions have the same: each is kept once.

use super::slab::{Place, Slab};
use super::tags::{Tag, Tags};

/// The number of a shared user agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AgentNumber(u16);

impl AgentNumber {
    /// Says that the session has no user agent, or keeps it itself.
    pub(super) const NONE: Self = Self(0);
    pub(super) const LENGTH: usize = 2;

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(u16::from_le_bytes(bytes))
    }

    fn place(self) -> Option<Place> {
        self.0.checked_sub(1).map(Place::from)
    }
}

#[derive(Debug)]
struct Agent {
    text: Box<str>,
    tag: Tag,
    /// How many sessions have it.
    sessions: u32,
}

/// The user agents that sessions share.
#[derive(Debug, Default)]
pub(super) struct Agents {
    texts: Slab<Agent>,
    by_text: Tags,
}

impl Agents {
    /// Shares a user agent with one session more. There is [`AgentNumber::NONE`] where too many
    /// different ones are shared already.
    pub(super) fn share(&mut self, text: &str, tag: Tag) -> AgentNumber {
        let texts = &self.texts;
        let is_same = |place| texts.get(place).is_some_and(|agent| *agent.text == *text);
        if let Some(place) = self.by_text.find(tag, is_same)
            && let Some(agent) = self.texts.get_mut(place)
        {
            agent.sessions += 1;
            return number(place);
        }
        if self.texts.len() >= usize::from(u16::MAX) {
            return AgentNumber::NONE;
        }
        let place = self.texts.insert(Agent {
            text: text.into(),
            tag,
            sessions: 1,
        });
        self.by_text.insert(tag, place);
        number(place)
    }

    pub(super) fn text(&self, number: AgentNumber) -> Option<&str> {
        self.texts.get(number.place()?).map(|agent| &*agent.text)
    }

    /// Forgets that a session has it.
    pub(super) fn release(&mut self, number: AgentNumber) {
        let Some(place) = number.place() else {
            return;
        };
        let Some(agent) = self.texts.get_mut(place) else {
            return;
        };
        agent.sessions -= 1;
        if agent.sessions == 0 {
            self.by_text.remove(agent.tag, place);
            self.texts.remove(place);
        }
    }
}

/// There are no places above those that fit.
fn number(place: Place) -> AgentNumber {
    AgentNumber(u16::try_from(place + 1).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_kept_once_and_as_long_as_a_session_has_it() {
        let mut agents = Agents::default();
        let [one, other] = ["one", "other"].map(|text| agents.share(text, 7));
        assert_eq!(agents.share("one", 7), one);
        assert_eq!(
            (agents.text(one), agents.text(other)),
            (Some("one"), Some("other"))
        );
        agents.release(one);
        assert_eq!(agents.text(one), Some("one"));
        agents.release(one);
        assert_eq!((agents.text(one), agents.texts.len()), (None, 1));
        assert_eq!(agents.share("third", 8), one);
        assert_eq!(agents.text(AgentNumber::NONE), None);
    }

    #[test]
    fn sessions_keep_what_is_too_much_to_share() {
        let mut agents = Agents::default();
        for number in 0..u32::from(u16::MAX) {
            assert_ne!(agents.share(&number.to_string(), number), AgentNumber::NONE);
        }
        assert_eq!(agents.share("another", 0), AgentNumber::NONE);
        agents.release(AgentNumber::NONE);
        assert_eq!(agents.texts.len(), usize::from(u16::MAX));
    }
}
