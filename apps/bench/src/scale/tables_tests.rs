use super::super::finding::tests::finding;
use super::*;

#[test]
fn each_size_is_compared_to_the_smallest_of_its_store() {
    let text = of(&[
        finding("fjall", 10_000),
        finding("fjall", 100_000),
        finding("postgres", 100_000),
    ]);
    for row in [
        "| fjall | 10,000 | 160000 | 0.03 | 40000 | 0.03 | 0.10 | 20.0 | **0.25** | 4.0 |  |  |",
        "| postgres | 100,000 | 160000 | 0.03 | 20000 | 0.05 | 0.20 | 20.0 | **0.12** | 8.0 | 8000 | 2.5 |",
        "| fjall | 10,000 | 0.200 | 0.050 | **1.00** | **1.00** | 1.00 |",
        "| fjall | 100,000 | 0.400 | 0.050 | **2.00** | **2.00** | 2.00 |",
        "| postgres | 100,000 | 0.400 | 0.050 | **1.00** | **1.00** | 1.00 |",
        "| fjall | 100,000 | 10 → 19 | 100 | 0 → 28 | 300 |",
        "| postgres | 100,000 | `logout_sessions`: 19, 200 |",
        "| fjall | 100,000 | 4.0 | 25000 | 0.50 | 0.75 |",
    ] {
        assert!(text.lines().any(|line| line == row), "{row}\n{text}");
    }
}

#[test]
fn columns_in_which_nothing_stands_are_left_out() {
    let text = of(&[finding("memory", 100_000)]);
    assert!(
        !text.contains("pgbench") && !text.contains("kill -9"),
        "{text}"
    );
    assert!(
        text.lines()
            .filter(|line| line.starts_with('|'))
            .all(|line| !line.contains("|  |")),
        "{text}"
    );
}

#[test]
fn thousands_are_parted_by_commas() {
    for (number, written) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (10_000_000, "10,000,000"),
        (123_456, "123,456"),
    ] {
        assert_eq!(grouped(number), written);
    }
}
