//! The sign-outs that concern relying parties, and what is ended there.

mod at_odds;

use logout_core::authority::{TokenOutcome, TokenSignOut};
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Receipt};
use logout_core::relying_party::{KnownName, RelyingParty};
use logout_core::store::{EndTarget, StoreUnavailable};

use super::*;

const ISSUER: &str = "https://idp.example";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `wiki` knows persons, `crm` logins, `strict` sessions of logins; `page` is for browsers only.
fn parties() -> Vec<RelyingParty> {
    let party = |name: &str, knows, session_required, is_told| RelyingParty {
        name: PlatformName::new(name),
        knows,
        session_required,
        is_told,
    };
    vec![
        party("wiki", KnownName::Person, false, true),
        party("crm", KnownName::Login, false, true),
        party("strict", KnownName::Login, true, true),
        party("page", KnownName::Person, false, false),
    ]
}

/// A hub with all of them.
fn world() -> World {
    let mut world = World::new();
    world.services.relying_parties = parties().into();
    world
}

/// What ends at relying parties: `name sub`, and the `sid` where one is named.
fn told(ended: &[EndedSession]) -> Vec<String> {
    let mut told: Vec<String> = ended
        .iter()
        .filter(|session| {
            let mut names = parties().into_iter();
            let of_party = names.find(|party| party.name == session.platform);
            // Whether there is a delivery.
            assert!(
                of_party
                    .as_ref()
                    .is_none_or(|party| party.is_told == session.upstream)
            );
            of_party.is_some()
        })
        .map(
            |EndedSession {
                 platform, subject, ..
             }| {
                let text = format!("{platform} {} {}", subject.name, subject.realm);
                text.trim_end().to_owned()
            },
        )
        .collect();
    told.sort();
    told
}

impl World {
    /// Opens a session of a person at a platform, by a login of the provider.
    fn log_in(
        &self,
        platform: &str,
        person: &str,
        secret: &str,
        idp: (Option<&str>, Option<&str>),
    ) {
        let authority = self.platform(platform, Reach::Session);
        let mut new = session(&authority, person, secret);
        new.idp = IdpLogin::new(ISSUER, idp.0, idp.1);
        open(&authority, new);
    }

    /// `alice` at two platforms by two logins, and `bob`.
    fn log_all_in(&self) {
        self.log_in("cms", "alice", "a1", (Some("x"), Some("1")));
        self.log_in("dam", "alice", "a2", (Some("x"), Some("2")));
        self.log_in("cms", "bob", "b1", (Some("y"), Some("3")));
    }

    fn sign_out(&self, secret: &str, reach: Reach) -> Result<Vec<EndedSession>, Refusal> {
        let cms = self.platform("cms", reach);
        let done = block_on(cms.sign_out(&any_request(), asked(&cms, &[secret])))?;
        Ok(done.ended().to_vec())
    }

    fn end(&self, reason: Reason, persons: &[&str]) -> Result<Vec<EndedSession>, StoreUnavailable> {
        let persons = persons
            .iter()
            .map(|name| EndTarget::Person(Person::new(*name)));
        let ended = self.services.end(reason, Reach::Person, persons.collect());
        Ok(block_on(ended)?.1)
    }

    /// Carries out a token of the provider.
    fn by_token(&self, sub: Option<&str>, sid: Option<&str>, reach: Reach) -> Vec<EndedSession> {
        let issued = self.services.clock.now();
        let order = TokenSignOut {
            login: IdpLogin::new(ISSUER, sub, sid),
            person: None,
            token: TokenId {
                issuer: ISSUER.into(),
                jti: format!("{sub:?} {sid:?} {reach:?} {issued:?}").into(),
            },
            issued,
            remember_until: issued.plus(Duration::from_secs(600)),
        };
        let reach = |_: &PlatformName| reach;
        match block_on(self.services.sign_out_by_token(&order, reach)).unwrap() {
            TokenOutcome::Ended(_, ended) => ended,
            TokenOutcome::Nothing => Vec::new(),
            TokenOutcome::Repeated => panic!("it is new"),
        }
    }

    fn receipts(&self) -> Vec<Receipt> {
        block_on(self.services.store.receipts(None, 100))
            .unwrap()
            .items
    }

    fn expire(&self) {
        let kept = Duration::from_secs(3600);
        let mut housekeeping = Housekeeping::new(self.services.clone(), kept, 100);
        while !block_on(housekeeping.step()).unwrap().finished {}
    }
}

const OF_ALICE: [&str; 5] = [
    "crm x",
    "page alice",
    "strict x 1",
    "strict x 2",
    "wiki alice",
];
const OF_BOB: [&str; 4] = ["crm y", "page bob", "strict y 3", "wiki bob"];

/// Of both.
fn of_all() -> Vec<&'static str> {
    let mut all = [&OF_ALICE[..], &OF_BOB].concat();
    all.sort_unstable();
    all
}

#[test]
fn only_a_sign_out_that_reaches_the_person_concerns_them() {
    for reach in [Reach::Session, Reach::SignOn, Reach::Subject, Reach::Person] {
        let world = world();
        world.log_all_in();
        let ended = world.sign_out("a1", reach).unwrap();
        let expected = if reach == Reach::Person {
            &OF_ALICE[..]
        } else {
            &[]
        };
        assert_eq!(told(&ended), expected, "{reach:?}");
        // They stand in the same receipt as the others.
        let [receipt] = &world.receipts()[..] else {
            panic!("{:?}", world.receipts());
        };
        assert_eq!(receipt.sessions, ended);
        assert!(
            ended
                .iter()
                .all(|session| session.person == Some(Person::new("alice")))
        );
        let left = if reach == Reach::Person {
            &["cms/bob"][..]
        } else {
            &["cms/bob", "dam/alice"]
        };
        assert_eq!(world.alive(), left, "{reach:?}");
    }
}

#[test]
fn the_reason_makes_no_difference_and_expiry_reaches_one_session() {
    for reason in [
        Reason::AccountRemoved,
        Reason::Administrator,
        Reason::CredentialReuse,
        Reason::IdentityProvider,
        Reason::Replaced,
        Reason::User,
    ] {
        let world = world();
        world.log_all_in();
        assert_eq!(
            told(&world.end(reason, &["alice"]).unwrap()),
            OF_ALICE,
            "{reason:?}"
        );
    }
    let world = world();
    world.log_all_in();
    world.clock.advance(DAY);
    world.expire();
    let receipts = world.receipts();
    assert_eq!((receipts.len(), receipts[0].sessions.len()), (1, 3));
    assert_eq!(told(&receipts[0].sessions), [""; 0]);
}

#[test]
fn a_token_of_a_provider_is_handed_on_with_its_names_however_far_it_reaches() {
    let (x, one, unknown) = (Some("x"), Some("1"), Some("9"));
    let of_sid = ["crm x 1", "page alice 1", "strict x 1", "wiki alice 1"];
    // That all sessions are over does not name the one that has to be named.
    for (sub, sid, reach, expected) in [
        (x, one, Reach::Session, &of_sid[..]),
        (x, one, Reach::SignOn, &of_sid),
        (x, one, Reach::Subject, &of_sid),
        (x, one, Reach::Person, &OF_ALICE),
        (None, one, Reach::Session, &of_sid),
        (None, one, Reach::Person, &OF_ALICE),
        (x, None, Reach::Session, &OF_ALICE),
        (x, None, Reach::SignOn, &OF_ALICE),
        (x, None, Reach::Subject, &OF_ALICE),
        (x, None, Reach::Person, &OF_ALICE),
        (x, unknown, Reach::Session, &[]),
        (Some("y"), one, Reach::Session, &[]),
        (Some("z"), None, Reach::Person, &[]),
    ] {
        let world = world();
        world.log_all_in();
        let ended = world.by_token(sub, sid, reach);
        assert_eq!(told(&ended), expected, "{sub:?} {sid:?} {reach:?}");
        assert_eq!(world.receipts().len(), usize::from(!expected.is_empty()));
    }
}

/// As `/end-session` orders it.
#[test]
fn a_login_that_is_over_as_a_whole_concerns_them_however_far_it_reaches() {
    for (sid, expected) in [
        (
            Some("1"),
            &["crm x 1", "page alice 1", "strict x 1", "wiki alice 1"][..],
        ),
        (None, &OF_ALICE),
    ] {
        let world = world();
        world.log_all_in();
        let login = IdpLogin::new(ISSUER, Some("x"), sid).unwrap();
        let sessions = block_on(world.services.sessions_of_login(&login));
        let sessions = sessions.unwrap().unwrap();
        let (targets, reach) = EndTarget::of_all(&sessions, |_| Reach::Session);
        let ended = world
            .services
            .end_login(Reason::User, reach, targets, (&login, &sessions));
        let (id, ended) = block_on(ended).unwrap();
        assert_eq!(told(&ended), expected, "{sid:?}");
        let [receipt] = &world.receipts()[..] else {
            panic!("{:?}", world.receipts());
        };
        assert_eq!((receipt.id, receipt.reason), (id, Reason::User));
        assert_eq!(world.alive().len(), 3 - sessions.len());
    }
}

/// The session of which no `sid` is known is taken for the one that the token names, and so the
/// relying party, which may know better, is told its name.
#[test]
fn the_sid_of_a_token_is_handed_on_where_the_session_has_none() {
    let world = world();
    world.log_in("cms", "alice", "a1", (Some("x"), None));
    let ended = world.by_token(Some("x"), Some("7"), Reach::Session);
    assert_eq!(
        told(&ended),
        ["crm x 7", "page alice 7", "strict x 7", "wiki alice 7"]
    );
}

#[test]
fn a_relying_party_is_not_told_of_a_person_that_it_knows_by_nothing() {
    // No login at a provider, a login without a `sub`, and one without a `sid`.
    for (login, expected) in [
        ((None, None), &["page alice", "wiki alice"][..]),
        ((None, Some("1")), &["page alice", "wiki alice"]),
        ((Some("x"), None), &["crm x", "page alice", "wiki alice"]),
    ] {
        let world = world();
        world.log_in("cms", "alice", "a1", login);
        let ended = world.sign_out("a1", Reach::Person).unwrap();
        assert_eq!(told(&ended), expected, "{login:?}");
    }
    // A login that is nobody's in particular: the subject at the platform is what is reached.
    let world = world();
    let cms = world.platform("cms", Reach::Person);
    let mut new = session(&cms, "alice", "a1");
    (new.person, new.idp) = (None, IdpLogin::new(ISSUER, Some("x"), Some("1")));
    open(&cms, new);
    let ended = world.sign_out("a1", Reach::Person).unwrap();
    assert_eq!(told(&ended), ["crm x", "strict x 1"]);
}

#[test]
fn nothing_is_opened_for_a_person_without_a_live_session() {
    let world = world();
    world.log_all_in();
    assert_eq!(world.end(Reason::Administrator, &["carol"]).unwrap(), []);
    world.end(Reason::Administrator, &["alice"]).unwrap();
    for _ in 0..2 {
        assert_eq!(world.end(Reason::Administrator, &["alice"]).unwrap(), []);
        assert_eq!(world.sign_out("a1", Reach::Person).unwrap(), []);
        assert_eq!(world.by_token(Some("x"), None, Reach::Person), []);
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(
        (world.receipts().len(), world.alive()),
        (1, vec!["cms/bob".to_owned()])
    );
    // What has expired and was not swept is not live either.
    world.clock.advance(DAY);
    assert_eq!(
        told(&world.end(Reason::Administrator, &["bob"]).unwrap()),
        [""; 0]
    );
}

#[test]
fn several_persons_of_one_order_are_told_apart() {
    let world = world();
    world.log_all_in();
    let ended = world
        .end(Reason::Administrator, &["alice", "bob", "carol"])
        .unwrap();
    assert_eq!(told(&ended), of_all());
    let person = |session: &EndedSession| session.person.clone().unwrap();
    let of = |name: &str| {
        ended
            .iter()
            .filter(|one| person(one) == Person::new(name))
            .count()
    };
    assert_eq!((of("alice"), of("bob")), (2 + 5, 1 + 4));
    assert_eq!(world.receipts().len(), 1);
}
