//! The medians as bars, one panel a job. Called by `main`.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::contestant::OURS;
use crate::report::{COLUMNS, Report, Row};

const WIDTH: u32 = 900;
const PANEL: u32 = 190;
/// Rows of the report that are drawn.
const PANELS: [&str; 4] = ["run, hot", "run, idle", "create+start+state+delete, hot", "exec, hot"];

const INK: RGBColor = RGBColor(0x33, 0x38, 0x40);
const OURS_BAR: RGBColor = RGBColor(0x1b, 0x6c, 0xa8);
const FLOOR_BAR: RGBColor = RGBColor(0x9a, 0xa1, 0xab);
const OTHER_BAR: RGBColor = RGBColor(0xe0, 0xa4, 0x58);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the chart into a file.
pub(crate) fn write(path: &Path, report: &Report) -> Result<(), String> {
    draw(path, report).map_err(|e| format!("{}: {e}", path.display()))
}

fn draw(path: &Path, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (WIDTH, 2 * PANEL + 40)).into_drawing_area();
    root.fill(&WHITE)?;
    let (panels, foot) = root.split_vertically(2 * PANEL);
    for (area, name) in panels.split_evenly((2, 2)).iter().zip(PANELS) {
        if let Some(row) = report.rows.iter().find(|row| row.label == name) {
            panel(area, row)?;
        }
    }
    let line = format!("Medians in ms, less is better. {}.", report.host.line());
    foot.draw(&Text::new(line, (20, 12), ("sans-serif", 13).into_font().color(&INK)))?;
    root.present()?;
    Ok(())
}

fn panel(area: &Area<'_>, row: &Row) -> Result<(), Box<dyn std::error::Error>> {
    area.draw(&Text::new(row.label.clone(), (20, 14), ("sans-serif", 17).into_font().color(&INK)))?;
    let bars: Vec<(&str, f64)> =
        COLUMNS.iter().filter_map(|who| Some((*who, *row.figures.get(who)?))).collect();
    let most = bars.iter().map(|(_, figure)| *figure).fold(0.0, f64::max);
    let font = ("sans-serif", 14).into_font().color(&INK);
    let right = font.pos(Pos::new(HPos::Right, VPos::Center));
    let left = font.pos(Pos::new(HPos::Left, VPos::Center));
    let mut top = 46;
    for (who, figure) in bars {
        let end = 105 + pixels(270.0 * figure / most);
        let colour = match who {
            "floor" => FLOOR_BAR,
            OURS => OURS_BAR,
            _ => OTHER_BAR,
        };
        area.draw(&Text::new(who.to_owned(), (97, top + 11), right.clone()))?;
        area.draw(&Rectangle::new([(105, top), (end, top + 22)], colour.filled()))?;
        area.draw(&Text::new(format!("{figure:.1}"), (end + 7, top + 11), left.clone()))?;
        top += 32;
    }
    Ok(())
}

/// The whole part of a length that is known to be on the drawing; there is no checked conversion.
#[allow(clippy::cast_possible_truncation)]
fn pixels(length: f64) -> i32 {
    length.clamp(0.0, f64::from(WIDTH)) as i32
}
