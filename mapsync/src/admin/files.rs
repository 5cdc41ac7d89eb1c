//! Files to a hub, and from it.

use std::fs::{self, File};
use std::path::Path;

use switchyard_mapsync_protocol::head::{self, Head};

use super::{Admin, AdminError, Brought};
use crate::site::SiteFile;

impl Admin {
    /// Brings what the hub has not, and says of each file whether it was there.
    ///
    /// # Errors
    /// When a file cannot be read, or the hub does not take it.
    pub async fn bring(
        &mut self,
        files: &[SiteFile],
        mut done: impl FnMut(&head::File, Brought),
    ) -> Result<(), AdminError> {
        for SiteFile { file, at } in files {
            let was_there = self.hub.has(file.hash).await?;
            if !was_there {
                self.hub.bring(file, at).await?;
            }
            done(file, if was_there { Brought::WasThere } else { Brought::Now });
        }
        Ok(())
    }

    /// Lays a generation's files down in a folder: those that `files` has here are taken from there, the rest comes
    /// from the hub.
    ///
    /// # Errors
    /// When the hub has not what it shows, or there is no room.
    pub async fn lay_down(
        &mut self,
        head: &Head,
        files: &[SiteFile],
        folder: &Path,
    ) -> Result<(), AdminError> {
        for file in &head.files {
            let at = folder.join(file.path.as_str());
            let no_room = |error| AdminError::Disk { at: at.clone(), error };
            if let Some(folder) = at.parent() {
                fs::create_dir_all(folder).map_err(no_room)?;
            }
            match files.iter().find(|own| own.file.hash == file.hash) {
                Some(own) => drop(fs::copy(&own.at, &at).map_err(no_room)?),
                None => {
                    let mut open = File::create_new(&at).map_err(no_room)?;
                    self.hub.file(file, &mut open).await?;
                }
            }
        }
        Ok(())
    }
}
