use std::collections::BTreeSet;

use super::*;

const ASIDE: Aside = Aside {
    count: 20,
    stride: 10,
    runs: 3,
    done: 0,
};

#[test]
fn nobody_is_taken_twice_or_while_set_aside_and_they_come_from_everywhere() {
    let mut live = Live::new(ASIDE);
    assert_eq!(live.open_up_to(1_000).unwrap(), 0..1_000);
    let taken: BTreeSet<u32> = live.take(700).into_iter().collect();
    assert_eq!(taken.len(), 700);
    assert!(
        taken
            .iter()
            .all(|number| *number >= 200 || number % 10 >= 3)
    );
    assert!((0..10).all(|tenth| taken.range(tenth * 100..(tenth + 1) * 100).count() > 30));
    assert_eq!(live.take(1_000).len(), 240);
}

#[test]
fn a_census_is_of_who_lives_and_changes_with_each() {
    let mut live = Live::new(ASIDE);
    live.open_up_to(1_000).unwrap();
    assert_eq!(live.census(), (0..1_000).collect());
    let taken = live.take(100);
    let left = |number: &u64| !taken.iter().any(|taken| u64::from(*taken) == *number);
    assert_eq!(live.census(), (0..1_000).filter(left).collect());
    assert_ne!(live.census(), (0..900).collect());

    live.run_ended();
    let left: Census = (0..1_000)
        .filter(left)
        .filter(|number| *number >= 200 || number % 10 != 0)
        .collect();
    assert_eq!((left.count, live.census()), (880, left));
    assert_eq!(left.to_string().parse::<Census>().unwrap(), left);
}

#[test]
fn opening_makes_up_for_those_that_have_ended() {
    let mut live = Live::new(ASIDE);
    live.open_up_to(1_000).unwrap();
    live.take(100);
    live.run_ended();
    assert_eq!(live.open_up_to(1_000).unwrap(), 1_000..1_120);
    assert_eq!(live.census().count, 1_000);
    assert!(live.open_up_to(1_000).unwrap().is_empty());
}
