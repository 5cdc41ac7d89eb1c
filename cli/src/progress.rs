//! How far long work has come, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many steps, by a template of indicatif's.
pub(crate) fn bar(steps: u64, template: &str) -> ProgressBar {
    // Hidden by itself where standard error is no terminal.
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template(template);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
