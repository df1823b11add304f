//! Rate and p99 over the number of live sessions, as a drawing that can be read on light and on
//! dark pages.

use std::path::Path;

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange as _;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{Circle, Text};
use plotters::prelude::SVGBackend;
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, IntoTextStyle as _, RGBColor, TextStyle};

use super::finding::Finding;
use super::tables::grouped;
use crate::process::BoxError;

const SIZE: (u32, u32) = (960, 420);
const LEGEND: u32 = 40;

const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const RULE: RGBColor = RGBColor(0xd8, 0xde, 0xe4);

/// Where a page is dark, other paper and ink. What does not know of that shows dark ink on its own
/// white paper.
const DARK: &str = "<style>@media (prefers-color-scheme: dark) { [fill=\"#FFFFFF\"] { fill: #0d1117 } [fill=\"#1F2328\"] { fill: #e6edf3 } \
                    [stroke=\"#1F2328\"] { stroke: #8b949e } [stroke=\"#D8DEE4\"] { stroke: #30363d } }</style>";

/// A colour for each store, the same in every drawing; with enough contrast on both papers.
const STORES: [(&str, RGBColor); 4] = [
    ("memory", RGBColor(0x82, 0x50, 0xdf)),
    ("fjall", RGBColor(0x2d, 0xa4, 0x4e)),
    ("postgres", RGBColor(0x2f, 0x81, 0xf7)),
    ("redis", RGBColor(0xe1, 0x4d, 0x2a)),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One of the two panels.
struct Panel {
    title: String,
    of: fn(&Finding) -> f64,
    unit: fn(f64) -> String,
}

/// Writes the drawing of these findings into a file.
pub(super) fn draw(findings: &[Finding], file: &Path) -> Result<(), BoxError> {
    Ok(std::fs::write(file, drawing(findings)?)?)
}

fn drawing(findings: &[Finding]) -> Result<String, BoxError> {
    let first = findings.first().ok_or("there is nothing to draw")?;
    let panels = [
        Panel {
            title: format!("sign-outs a second, {} connections", first.connections),
            of: |finding| finding.hub.rate,
            unit: |rate| grouped(whole(rate)),
        },
        Panel {
            title: "p99 of a sign-out".to_owned(),
            of: |finding| finding.hub.p99_ms,
            unit: |millis| format!("{millis:.0} ms"),
        },
    ];
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    root.fill(&PAPER)?;
    let (top, below) = root.split_vertically(LEGEND);
    legend(&top, findings)?;
    for (area, panel) in below.split_evenly((1, 2)).iter().zip(&panels) {
        draw_panel(area, panel, findings)?;
    }
    root.present()?;
    drop((top, below, root));
    Ok(text.replacen(
        "xmlns=\"http://www.w3.org/2000/svg\">",
        &format!("xmlns=\"http://www.w3.org/2000/svg\">\n{DARK}"),
        1,
    ))
}

/// Those that something is known of.
fn stores(findings: &[Finding]) -> impl Iterator<Item = (&'static str, RGBColor)> {
    STORES
        .into_iter()
        .filter(|(store, _)| findings.iter().any(|finding| finding.store == *store))
}

fn legend(area: &Area<'_>, findings: &[Finding]) -> Result<(), BoxError> {
    let written = font(17).pos(Pos::new(HPos::Left, VPos::Center));
    let mut left = 80;
    for (store, colour) in stores(findings) {
        area.draw(&Circle::new((left, 20), 5, colour.filled()))?;
        area.draw(&Text::new(store, (left + 12, 20), written.clone()))?;
        left += 120;
    }
    Ok(())
}

fn draw_panel(area: &Area<'_>, panel: &Panel, findings: &[Finding]) -> Result<(), BoxError> {
    let sizes = || findings.iter().map(|finding| float(finding.sessions));
    let (least, most) = (
        sizes().fold(f64::INFINITY, f64::min),
        sizes().fold(1.0, f64::max),
    );
    let highest = findings.iter().map(panel.of).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, font(18))
        .margin(8)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(66)
        .build_cartesian_2d((least / 1.5..most * 1.5).log_scale(), 0.0..highest * 1.1)?;
    chart
        .configure_mesh()
        .x_desc("live sessions")
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|sessions| short(*sessions))
        .y_label_formatter(&|figure| (panel.unit)(*figure))
        .label_style(font(15))
        .axis_desc_style(font(15))
        .axis_style(INK)
        .bold_line_style(RULE)
        .max_light_lines(0)
        .draw()?;
    for (store, colour) in stores(findings) {
        let of_store = findings.iter().filter(|finding| finding.store == store);
        let points: Vec<(f64, f64)> = of_store
            .map(|finding| (float(finding.sessions), (panel.of)(finding)))
            .collect();
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
        chart.draw_series(
            points
                .into_iter()
                .map(|point| Circle::new(point, 4, colour.filled())),
        )?;
    }
    Ok(())
}

fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&INK)
        .into_text_style(&SIZE)
}

/// As short as it is still exact for round numbers.
fn short(sessions: f64) -> String {
    match whole(sessions) {
        many if many >= 1_000_000 => format!("{} million", grouped(many / 1_000_000)),
        some => grouped(some),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for a label, never negative"
)]
fn whole(figure: f64) -> u64 {
    figure.round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[path = "plot_tests.rs"]
mod tests;
