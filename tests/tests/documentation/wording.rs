//! The wording of the documents: plain words, the subject first, short lines and short cells of
//! tables.

use std::fs;

use super::{files, links, prose, read, root};

/// Words that the documents do without, in lower case.
const REFUSED: &[&str] = &[
    "first plan",
    "house",
    "landing",
    "landings",
    "nobody",
    "room",
    "rooms",
    "somebody",
    "whoever",
];

/// Names of things that have a refused word in them: Assets has a `landing_page`.
const EXCEPTIONS: &[&str] = &["landing page"];

/// Columns of a line of prose. The target of a link does not count, since it cannot be broken.
const LONGEST_LINE: usize = 100;

/// Characters of a cell of a table that operators or newcomers read.
const LONGEST_CELL: usize = 200;

/// Lines of a decision.
const LONGEST_DECISION: usize = 60;

/// Documents in the present tense, by path and without blocks of code. The changelog tells of the
/// past.
fn pages() -> Vec<(String, String)> {
    let paths = files("md")
        .into_iter()
        .map(|file| file.strip_prefix(root()).unwrap().display().to_string());
    let current = paths.filter(|path| path != "CHANGELOG.md");
    current
        .map(|path| (path.clone(), prose(&format!("\n{}", read(&path)))))
        .collect()
}

/// The text without the targets of links.
fn visible(text: &str) -> String {
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |seen, part| {
        seen + "]" + part.split_once(')').map_or(part, |(_, rest)| rest)
    })
}

/// The text with a letter in place of code, whose names are not prose.
fn without_code(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 0 { part } else { "X" })
        .collect()
}

fn cells(row: &str) -> impl Iterator<Item = &str> {
    row.trim_matches('|').split('|').map(str::trim)
}

/// Paragraphs, items of lists and cells of tables, each as one line. Headings are left out.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in page.lines() {
        let text = line.trim_start();
        if text.starts_with('|') {
            blocks.extend(cells(text).map(str::to_owned));
            blocks.push(String::new());
            continue;
        }
        let numbered = text
            .split_once(". ")
            .is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        if text.is_empty() || text.starts_with('#') || text.starts_with("- ") || numbered {
            blocks.push(String::new());
        }
        if !text.starts_with('#') {
            let item = if numbered {
                text.split_once(". ").map_or(text, |(_, rest)| rest)
            } else {
                text
            };
            let block = blocks.last_mut().unwrap();
            *block += item.strip_prefix("- ").unwrap_or(item);
            block.push(' ');
        }
    }
    blocks
}

/// The sentences of a block, each with the mark that ends it.
fn sentences(block: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut rest = block.trim();
    while !rest.is_empty() {
        let ends = rest
            .match_indices(['.', '!', '?'])
            .map(|(at, mark)| at + mark.len());
        let end = ends.map(|end| {
            end + rest[end..].len() - rest[end..].trim_start_matches(['*', '"', ')']).len()
        });
        let end = end
            .into_iter()
            .find(|end| rest[*end..].is_empty() || rest[*end..].starts_with(' '))
            .unwrap_or(rest.len());
        sentences.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    sentences
}

fn is_noun_clause(sentence: &str) -> bool {
    let sentence = sentence.trim_matches(['*', '"', '(', ')', '[', ' ']);
    (sentence.starts_with("Who ") || sentence.starts_with("What ")) && !sentence.ends_with('?')
}

#[test]
fn the_documents_do_without_the_refused_words() {
    let mut found = Vec::new();
    for (path, page) in pages() {
        for line in page.lines() {
            let plain = without_code(&visible(line)).to_lowercase();
            let words: Vec<&str> = plain
                .split(|each: char| !each.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .collect();
            let words = format!(" {} ", words.join(" "));
            let words = EXCEPTIONS.iter().fold(words, |words, exception| {
                words.replace(&format!(" {exception} "), " ")
            });
            let refused = REFUSED
                .iter()
                .filter(|word| words.contains(&format!(" {word} ")));
            found.extend(refused.map(|word| format!("{path}: {word}: {line}")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_sentence_of_the_documents_begins_with_who_or_what_but_a_question() {
    let mut found = Vec::new();
    for (path, page) in pages() {
        for block in blocks(&page) {
            let block = without_code(&visible(&block));
            found.extend(
                sentences(&block)
                    .into_iter()
                    .filter(|sentence| is_noun_clause(sentence))
                    .map(|sentence| format!("{path}: {sentence}")),
            );
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn lines_of_the_documents_are_short() {
    let mut found = Vec::new();
    for (path, page) in pages() {
        let long = page
            .lines()
            .filter(|line| !line.starts_with('|') && visible(line).chars().count() > LONGEST_LINE);
        found.extend(long.map(|line| format!("{path}: {line}")));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn cells_of_the_operations_pages_and_of_the_architecture_are_short() {
    let mut checked = 0;
    for (path, page) in pages() {
        if !path.starts_with("docs/operations/") && path != "docs/architecture.md" {
            continue;
        }
        for row in page.lines().filter(|line| line.starts_with('|')) {
            checked += 1;
            for cell in cells(row) {
                assert!(
                    visible(cell).chars().count() <= LONGEST_CELL,
                    "{path}: {cell}"
                );
            }
        }
    }
    assert!(checked > 200, "only {checked} rows were found");
}

#[test]
fn decisions_are_numbered_one_page_long_and_listed_in_their_index() {
    let folder = root().join("docs/decisions");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    let mut listed = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let number = format!("{:03}", index + 1);
        assert!(
            name.starts_with(&format!("{number}-")),
            "{name} should have the number {number}"
        );
        let text = read(&format!("docs/decisions/{name}"));
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let [title, sections @ ..] = &headings[..] else {
            panic!("{name} has no title")
        };
        let title = title
            .strip_prefix(&format!("# {number}. "))
            .unwrap_or_else(|| panic!("{name}: {title}"));
        assert_eq!(
            sections,
            ["## Context", "## Decision", "## Consequences"],
            "{name}"
        );
        assert!(
            text.lines().count() <= LONGEST_DECISION,
            "{name} is longer than {LONGEST_DECISION} lines"
        );
        listed.push(format!("| {number} | [{title}]({name}) |"));
    }
    let index = read("docs/decisions/README.md");
    let rows: Vec<&str> = index
        .lines()
        .filter(|line| line.starts_with("| 0"))
        .collect();
    assert_eq!(rows, listed);
}

#[test]
fn the_index_of_the_operations_pages_lists_every_page() {
    let index = read("docs/operations/README.md");
    let listed = links(&index);
    let pages = pages()
        .into_iter()
        .filter_map(|(path, _)| path.strip_prefix("docs/operations/").map(str::to_owned));
    for page in pages.filter(|page| page != "README.md") {
        assert!(listed.contains(&page), "{page} is not listed");
    }
}

#[test]
fn a_noun_clause_is_told_from_a_question() {
    let said = |text: &str| {
        blocks(text)
            .iter()
            .flat_map(|block| sentences(block))
            .filter(|each| is_noun_clause(each))
            .count()
    };
    assert_eq!(said("The hub ends it. What ended\nleaves a receipt."), 1);
    assert_eq!(said("- **What ended** stays so.\n- Who signs out?"), 1);
    assert_eq!(said("| a cell | Who asks is told. |\n|---|---|"), 1);
    assert_eq!(
        said("# What is kept\n\nWhat does a login look like? A store keeps what ended."),
        0
    );
}
