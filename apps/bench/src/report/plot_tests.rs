use super::super::row::tests::turn;
use super::*;

#[test]
fn every_store_has_a_point_and_a_range_in_every_setting() {
    let mut rows = Vec::new();
    for (vendor, sessions) in [("wix", 10_000), ("wix", 10_000_000), ("assets", 10_000)] {
        for number in 1..=3 {
            for (store, rate) in [(BARE, 100_000.0), ("memory", 70_000.0), ("redis", 30_000.0)] {
                let mut row = turn(Mode::Closed, store, number, rate);
                (row.vendor, row.sessions) = (vendor.to_owned(), sessions);
                rows.push(row);
            }
        }
    }
    let drawn = drawing(&rows).unwrap();
    // One of each store stands in the legend.
    let of = |colour: &str| {
        drawn
            .lines()
            .filter(|line| line.starts_with("<circle") && line.contains(colour))
            .count()
    };
    assert_eq!((of("#8250DF"), of("#E14D2A"), of("#2F81F7")), (4, 4, 0));
    for label in ["memory", "redis", "wix", "assets", "10 k", "10 M", "1w 64c"] {
        assert!(drawn.lines().any(|line| line == label), "{label}: {drawn}");
    }
    assert!(!drawn.lines().any(|line| line == "postgres"));
}

#[test]
fn a_dark_page_gets_other_paper_and_ink() {
    let drawn = drawing(&[turn(Mode::Closed, "memory", 1, 70_000.0)]).unwrap();
    let style = drawn.lines().nth(1).unwrap();
    assert!(
        style.starts_with("<style>@media (prefers-color-scheme: dark)"),
        "{drawn}"
    );
    // The rules mean colours that are there.
    for colour in [
        "fill=\"#FFFFFF\"",
        "fill=\"#1F2328\"",
        "stroke=\"#1F2328\"",
        "stroke=\"#D8DEE4\"",
    ] {
        assert!(drawn.matches(colour).count() > 1, "{colour}");
    }
}

#[test]
fn nothing_cannot_be_drawn() {
    assert!(drawing(&[turn(Mode::Closed, BARE, 1, 1.0)]).is_err());
}
