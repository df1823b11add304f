//! The results: rows of a CSV file, and the tables and the plot that are made of them.

mod plot;
mod row;
mod tables;

use std::path::{Path, PathBuf};

use clap::Args;

pub(crate) use row::{BARE, Mode, Row, Rows};

use crate::process::BoxError;

/// Tables and plot of an earlier measurement, without measuring.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plot {
    /// The CSV file of that measurement.
    rows: PathBuf,
    /// A file for the plot.
    #[arg(long)]
    plot: Option<PathBuf>,
}

impl Plot {
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        show(&Rows::read(&self.rows)?, self.plot.as_deref())
    }
}

/// Prints the tables, and writes the plot into a file.
pub(crate) fn show(rows: &[Row], svg: Option<&Path>) -> Result<(), BoxError> {
    print!("{}", tables::of(rows));
    svg.map_or(Ok(()), |svg| plot::draw(rows, svg))
}

/// The middle one, the upper of two; not a number where there are none.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the most; not numbers where there are none.
fn range(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    figures.fold((f64::NAN, f64::NAN), |(least, most), figure| {
        (figure.min(least), figure.max(most))
    })
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let ends = (1..=digits.len()).filter(|end| (digits.len() - end).is_multiple_of(3));
    let mut begin = 0;
    let groups = ends.map(|end| &digits[std::mem::replace(&mut begin, end)..end]);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_median_and_a_range_are_of_numbers_only() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
        assert_eq!(range([3.0, 1.0, 2.0].into_iter()), (1.0, 3.0));
    }
}
