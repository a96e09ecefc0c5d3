//! Columns for people. Called by `list`, `stats` and others; knows nothing of what is in them.

/// The least width of a column, and the least distance to the next: those of runc's `list`.
const WIDTH: usize = 12;
const PADDING: usize = 3;

/// Where the cells of all columns but the first stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// For words.
    Left,
    /// For numbers.
    Right,
}

/// Lines with columns as wide as their widest cell; the last column has no trailing spaces.
pub(crate) fn render<const N: usize>(rows: &[[String; N]]) -> String {
    render_aligned(rows, Align::Left)
}

/// As [`render`]; numbers end below each other.
pub(crate) fn render_aligned<const N: usize>(rows: &[[String; N]], align: Align) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = WIDTH.max(cell.chars().count() + PADDING).max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        for (index, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = std::iter::repeat_n(' ', width - cell.chars().count());
            let right = align == Align::Right && index > 0;
            if right {
                text.extend(gap);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.extend(gap.take(if index + 1 < N { width } else { 0 }));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["ID".to_owned(), "PID".to_owned(), "OWNER".to_owned()],
            ["a-rather-long-name".to_owned(), "1".to_owned(), "root".to_owned()],
        ];
        assert_eq!(
            render(&rows),
            "ID                   PID         OWNER\na-rather-long-name   1           root\n"
        );
    }
}
