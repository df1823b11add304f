use super::super::finding::tests::finding;
use super::*;

#[test]
fn every_store_has_a_line_and_a_point_for_each_size_in_both_panels() {
    let findings = [
        finding("fjall", 10_000),
        finding("fjall", 10_000_000),
        finding("postgres", 10_000),
    ];
    let drawn = drawing(&findings).unwrap();
    // One of each store stands in the legend.
    let of = |colour: &str| {
        drawn
            .lines()
            .filter(|line| line.starts_with("<circle") && line.contains(colour))
            .count()
    };
    assert_eq!((of("#2DA44E"), of("#2F81F7"), of("#E14D2A")), (5, 3, 0));
    for label in [
        "fjall",
        "postgres",
        "10,000",
        "10 million",
        "live sessions",
        "p99 of a sign-out",
    ] {
        assert!(drawn.lines().any(|line| line == label), "{label}: {drawn}");
    }
    assert!(!drawn.lines().any(|line| line == "redis"));
}

#[test]
fn a_dark_page_gets_other_paper_and_ink() {
    let drawn = drawing(&[finding("memory", 10_000)]).unwrap();
    assert!(
        drawn
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("<style>@media (prefers-color-scheme: dark)"),
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
    assert!(drawing(&[]).is_err());
}
