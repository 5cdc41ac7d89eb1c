//! `[control]`: where the operator's tool finds a running daemon.

use std::path::PathBuf;

use crate::reader::Section;

/// The socket's file; none for a daemon that answers no tool.
pub(crate) fn control(section: &mut Section<'_>) -> Option<PathBuf> {
    section
        .live(
            "socket",
            "Unix socket where `switchyard explain` and `switchyard map` ask this daemon; its user and root only.",
        )
        .optional()
}
