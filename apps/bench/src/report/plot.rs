//! The ratios of rates as a drawing that can be read on light and on dark pages: a panel for each
//! vendor, a point for each store and setting, and a line over the range of its turns.

use std::path::Path;

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, IntoTextStyle as _, RGBColor, TextStyle};

use super::row::{BARE, Mode, Row};
use super::{median, range};
use crate::process::BoxError;
use crate::stores::{EMBEDDED, MEMORY};

const WIDTH: u32 = 960;
const PANEL: u32 = 300;
const LEGEND: u32 = 64;

const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const RULE: RGBColor = RGBColor(0xd8, 0xde, 0xe4);

/// Where a page is dark, other paper and ink. A viewer that does not know of that shows dark ink on
/// white paper.
const DARK: &str = "<style>@media (prefers-color-scheme: dark) { \
                    [fill=\"#FFFFFF\"] { fill: #0d1117 } [fill=\"#1F2328\"] { fill: #e6edf3 } \
                    [stroke=\"#1F2328\"] { stroke: #8b949e } \
                    [stroke=\"#D8DEE4\"] { stroke: #30363d } }</style>";

/// A colour for each store, with enough contrast on both papers.
const STORES: [(&str, RGBColor); 4] = [
    (MEMORY, RGBColor(0x82, 0x50, 0xdf)),
    (EMBEDDED, RGBColor(0x2d, 0xa4, 0x4e)),
    ("postgres", RGBColor(0x2f, 0x81, 0xf7)),
    ("redis", RGBColor(0xe1, 0x4d, 0x2a)),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The setting of a turn: sessions, workers, connections.
type Setting = (u64, usize, usize);

fn setting(row: &Row) -> Setting {
    (
        row.sessions,
        row.workers,
        row.connections.unwrap_or_default(),
    )
}

/// Writes the drawing of these rows into a file.
pub(super) fn draw(rows: &[Row], file: &Path) -> Result<(), BoxError> {
    Ok(std::fs::write(file, drawing(rows)?)?)
}

fn drawing(rows: &[Row]) -> Result<String, BoxError> {
    let rows: Vec<&Row> = rows
        .iter()
        .filter(|row| row.mode == Mode::Closed && row.store != BARE)
        .collect();
    let mut vendors: Vec<&str> = Vec::new();
    for row in &rows {
        if !vendors.contains(&row.vendor.as_str()) {
            vendors.push(&row.vendor);
        }
    }
    let mut settings: Vec<Setting> = rows.iter().map(|row| setting(row)).collect();
    settings.sort_unstable();
    settings.dedup();
    let (columns, lines) = (vendors.len().min(2), vendors.len().div_ceil(2));
    if vendors.is_empty() {
        return Err("there is no ratio to draw".into());
    }
    let size = (WIDTH, LEGEND + PANEL * u32::try_from(lines)?);
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
    root.fill(&PAPER)?;
    let (top, below) = root.split_vertically(LEGEND);
    legend(&top, &rows)?;
    for (area, vendor) in below.split_evenly((lines, columns)).iter().zip(&vendors) {
        let own: Vec<&Row> = rows
            .iter()
            .filter(|row| row.vendor == *vendor)
            .copied()
            .collect();
        panel(area, vendor, &settings, &own)?;
    }
    root.present()?;
    drop((top, below, root));
    Ok(text.replacen(
        "xmlns=\"http://www.w3.org/2000/svg\">",
        &format!("xmlns=\"http://www.w3.org/2000/svg\">\n{DARK}"),
        1,
    ))
}

fn legend(area: &Area<'_>, rows: &[&Row]) -> Result<(), BoxError> {
    let title = "sign-outs a second, as a share of the bare app's: median and range of the turns";
    area.draw(&Text::new(title, (24, 18), font(17, HPos::Left)))?;
    let mut left = 30;
    for (store, colour) in STORES {
        if rows.iter().any(|row| row.store == store) {
            area.draw(&Circle::new((left, 46), 5, colour.filled()))?;
            area.draw(&Text::new(store, (left + 12, 46), font(15, HPos::Left)))?;
            left += 110;
        }
    }
    let axis = "below: sessions, workers (w), connections (c)";
    area.draw(&Text::new(axis, (left + 12, 46), font(15, HPos::Left)))?;
    Ok(())
}

fn panel(
    area: &Area<'_>,
    vendor: &str,
    settings: &[Setting],
    rows: &[&Row],
) -> Result<(), BoxError> {
    let last = place(settings.len()) - 0.5;
    let mut chart = ChartBuilder::on(area)
        .caption(vendor, font(16, HPos::Left))
        .margin(8)
        .margin_bottom(44)
        .margin_right(16)
        .y_label_area_size(40)
        .build_cartesian_2d(-0.5..last, 0.0..1.1)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .y_labels(6)
        .axis_style(INK)
        .bold_line_style(RULE)
        .light_line_style(PAPER)
        .label_style(font(13, HPos::Left))
        .draw()?;
    chart.draw_series([PathElement::new([(-0.5, 1.0), (last, 1.0)], INK)])?;
    for (index, wanted) in settings.iter().enumerate() {
        for (nth, (store, colour)) in STORES.into_iter().enumerate() {
            let turns = rows
                .iter()
                .filter(|row| row.store == store && setting(row) == *wanted);
            let ratios: Vec<f64> = turns.filter_map(|row| row.ratio).collect();
            if ratios.is_empty() {
                continue;
            }
            let x = place(index) + (place(nth) - 1.5) * 0.16;
            let (least, most) = range(ratios.iter().copied());
            let middle = median(ratios.into_iter());
            chart.draw_series([PathElement::new([(x, least), (x, most)], colour)])?;
            chart.draw_series([Circle::new((x, middle), 4, colour.filled())])?;
        }
        // Under the axis, where the chart itself would put figures only.
        let (left, bottom) = chart.backend_coord(&(place(index), 0.0));
        let (x0, y0) = area.get_base_pixel();
        let (sessions, workers, connections) = wanted;
        for (line, label) in [short(*sessions), format!("{workers}w {connections}c")]
            .into_iter()
            .enumerate()
        {
            let below = bottom - y0 + 14 + 15 * i32::try_from(line)?;
            area.draw(&Text::new(
                label,
                (left - x0, below),
                font(12, HPos::Center),
            ))?;
        }
    }
    Ok(())
}

fn font(size: i32, across: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&INK)
        .into_text_style(&(WIDTH, PANEL))
        .pos(Pos::new(across, VPos::Center))
}

/// As short as it is still exact for round numbers.
fn short(sessions: u64) -> String {
    match sessions {
        many if many >= 1_000_000 => format!("{} M", many / 1_000_000),
        some if some >= 1_000 => format!("{} k", some / 1_000),
        few => few.to_string(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn place(index: usize) -> f64 {
    index as f64
}

#[cfg(test)]
#[path = "plot_tests.rs"]
mod tests;
