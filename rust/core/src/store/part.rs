//! A part of a tree, kept as a tree of its own.

use crate::digest::Digest;
use crate::error::Result;
use crate::manifest::Manifest;
use crate::scan::{Cost, Options, Scan, Sources};
use crate::store::Store;

impl Store {
    /// Keeps some entries of a tree as a tree of their own, its files linked from there.
    ///
    /// # Errors
    /// [`crate::Error::Missing`] where there is no such tree; [`crate::Error::Damaged`], naming the file, where the tree
    /// does not hold what the part lists: it is then set aside.
    pub fn save_part(&self, whole: Digest, part: &Manifest, options: &Options) -> Result<()> {
        if self.is_there(part.digest(), options)? {
            return Ok(());
        }
        let content = self.content_path(whole)?;
        let found = Scan {
            manifest: part.clone(),
            warnings: Vec::new(),
            left_out: Vec::new(),
            cost: Cost::default(),
            sources: Sources { root: content.clone(), ..Sources::default() },
        };
        self.copy_in(&found, Some(whole), options)
            .map_err(|error| self.damage_behind(whole, &content, &error).unwrap_or(error))
    }
}
