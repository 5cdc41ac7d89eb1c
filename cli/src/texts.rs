//! A host's maps as the texts of its site's folder: not where the host itself keeps them.

pub(crate) use switchyard_behaviour::texts::{of_host, options};
