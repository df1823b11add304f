//! The security page and the page of the ASVS: do the tests exist that they name, is every
//! requirement judged?

use std::collections::BTreeSet;
use std::fs;

use super::{files, quoted, read};

/// What the page of the ASVS has a row for, by section: all of level 1, and level 2 of V6, V7, V9
/// and V10.
const ASVS: &[(&str, &[u8])] = &[
    ("1.2", &[1, 2, 3, 4, 5]),
    ("1.3", &[1, 2]),
    ("1.5", &[1]),
    ("2.1", &[1]),
    ("2.2", &[1, 2]),
    ("2.3", &[1]),
    ("3.2", &[1, 2]),
    ("3.3", &[1]),
    ("3.4", &[1, 2]),
    ("3.5", &[1, 2, 3]),
    ("4.1", &[1]),
    ("4.4", &[1]),
    ("5.2", &[1, 2]),
    ("5.3", &[1, 2]),
    ("6.1", &[1, 2, 3]),
    ("6.2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("6.3", &[1, 2, 3, 4]),
    ("6.4", &[1, 2, 3, 4]),
    ("6.5", &[1, 2, 3, 4, 5]),
    ("6.6", &[1, 2, 3]),
    ("6.8", &[1, 2, 3, 4]),
    ("7.1", &[1, 2, 3]),
    ("7.2", &[1, 2, 3, 4]),
    ("7.3", &[1, 2]),
    ("7.4", &[1, 2, 3, 4, 5]),
    ("7.5", &[1, 2]),
    ("7.6", &[1, 2]),
    ("8.1", &[1]),
    ("8.2", &[1, 2]),
    ("8.3", &[1]),
    ("9.1", &[1, 2, 3]),
    ("9.2", &[1, 2, 3, 4]),
    ("10.1", &[1, 2]),
    ("10.2", &[1, 2]),
    ("10.3", &[1, 2, 3, 4]),
    ("10.4", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("10.5", &[1, 2, 3, 4, 5]),
    ("10.6", &[1, 2]),
    ("10.7", &[1, 2, 3]),
    ("11.3", &[1, 2]),
    ("11.4", &[1]),
    ("12.1", &[1]),
    ("12.2", &[1, 2]),
    ("13.4", &[1]),
    ("14.2", &[1]),
    ("14.3", &[1]),
    ("15.1", &[1]),
    ("15.2", &[1]),
    ("15.3", &[1]),
];

/// The cells of the rows of a page's tables of so many columns.
fn rows(page: &str, columns: usize) -> Vec<Vec<&str>> {
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == columns + 1);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn the_tests_that_the_security_pages_name_exist() {
    let sources: String = files("rs")
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let contracts: BTreeSet<String> = files("http")
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    for (page, columns, at_least) in [("docs/security.md", 3, 20), ("docs/asvs.md", 5, 60)] {
        let text = read(page);
        let cells = rows(&text, columns).into_iter().map(|row| row[columns - 1]);
        let mut named = 0;
        for test in cells.flat_map(quoted) {
            named += 1;
            let exists = sources.contains(&format!("fn {test}("))
                || sources.contains(&format!("fn {test}<"))
                || sources.contains(&format!("::{test}\""))
                || contracts.contains(test);
            assert!(exists, "{page}: there is no test {test}");
        }
        assert!(named > at_least, "{page}: only {named} tests were found");
    }
}

#[test]
fn the_page_of_the_asvs_judges_every_requirement_once() {
    let page = read("docs/asvs.md");
    let rows: Vec<_> = rows(&page, 5)
        .into_iter()
        .filter(|row| row[0].starts_with('V'))
        .collect();
    let requested: Vec<String> = ASVS
        .iter()
        .flat_map(|(section, numbers)| {
            numbers
                .iter()
                .map(move |number| format!("V{section}.{number}"))
        })
        .collect();
    let judged: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(judged, requested);
    for row in rows {
        let [id, gist, result, why, tests] = row[..] else {
            unreachable!("rows of five cells")
        };
        assert!(
            ["pass", "fail", "not applicable"].contains(&result) && !gist.is_empty(),
            "{id}: {result}"
        );
        assert!(
            !why.is_empty() || (result == "pass" && !tests.is_empty()),
            "{id} is judged without a reason or a test"
        );
    }
}
