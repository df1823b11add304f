use std::collections::BTreeSet;

use super::*;

#[test]
fn no_session_is_taken_twice_and_they_come_from_everywhere() {
    let mut live = Live::new();
    assert_eq!(live.open_up_to(1_000).unwrap(), 0..1_000);
    let taken: BTreeSet<u32> = live.take(700).into_iter().collect();
    assert_eq!(taken.len(), 700);
    assert!((0..10).all(|tenth| taken.range(tenth * 100..(tenth + 1) * 100).count() > 30));
    assert_eq!(live.take(1_000).len(), 300);
}

#[test]
fn a_census_counts_the_live_sessions_and_changes_with_each() {
    let mut live = Live::new();
    live.open_up_to(1_000).unwrap();
    assert_eq!(live.census(), (0..1_000).collect());
    let taken = live.take(100);
    live.put_back(&taken[60..]);
    let ended = |number: &u64| taken[..60].iter().any(|taken| u64::from(*taken) == *number);
    let left: Census = (0..1_000).filter(|number| !ended(number)).collect();
    assert_eq!((left.count, live.census()), (940, left));
    assert_ne!(live.census(), (0..940).collect());
    assert_eq!(left.to_string().parse::<Census>().unwrap(), left);
}

#[test]
fn opening_makes_up_for_those_that_have_ended() {
    let mut live = Live::new();
    live.open_up_to(1_000).unwrap();
    live.take(100);
    assert_eq!(live.open_up_to(1_000).unwrap(), 1_000..1_100);
    assert_eq!(live.census().count, 1_000);
    assert!(live.open_up_to(1_000).unwrap().is_empty());
}
