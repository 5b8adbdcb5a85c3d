//! Stamps of single files, for who keeps what he made of their bytes himself.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::fs::{FileKind, Fs};
use crate::scan::row::Row;
use crate::stat_cache::{SECOND, WINDOW_S};

/// Stamps files below a folder. A file whose stamp is what it was before holds what it held then.
///
/// The stamp of a file that is not there is empty. None is given where nothing is proved: the file is young, a link or
/// no file, lies on another device than the folder, or the file system is not one whose times show each change. Those
/// that do go by the machine's own clock, which says that it is `now`.
pub fn stamps<P: AsRef<Path>>(fs: &dyn Fs, folder: &Path, names: &[P], now: SystemTime) -> Vec<Option<Vec<u8>>> {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let trusted_before = i64::try_from(now).unwrap_or(0).saturating_sub(WINDOW_S * SECOND);
    let open = fs.open_folder(folder).ok().filter(|open| fs.keeps_times(open.as_fd()));
    let Some(device) = open.and_then(|open| fs.stat_open(open.as_fd()).ok()).map(|stat| stat.device) else {
        return vec![None; names.len()];
    };
    let stamp = |name: &P| match fs.stat(&folder.join(name)) {
        Ok(stat) => {
            let row = Row::from(&stat);
            let is_proof = stat.kind == FileKind::File && stat.device == device && row.is_older_than(trusted_before);
            is_proof.then(|| row.encode().to_vec())
        }
        Err(error) => (error.kind() == ErrorKind::NotFound).then(Vec::new),
    };
    names.iter().map(stamp).collect()
}
