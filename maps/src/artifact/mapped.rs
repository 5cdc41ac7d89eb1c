//! A file in memory: the one place of the tree with `unsafe`.
//!
//! The danger of a mapped file is that it changes below the reader: a shorter file is SIGBUS at the next
//! touch, other octets break what Rust believes of a `&[u8]`. What keeps both away is how our files live:
//! - [`super::Install`] writes them under another name and puts them in place by rename. Replacing or removing
//!   a file takes its name only; the octets stay until the last map of them is gone.
//! - Texts of a set are written under another name, put in place in the same way and never written again: whoever
//!   names a base, or says what the hash of a file is ([`crate::installed::Over`]), vouches for that.
//! - They are mode 0444 from before their name exists, and no code here opens one for writing. [`super::Bytes`]
//!   maps no file that any mode bit lets somebody write to.
//! - What is left is root, or the owner after a chmod, writing into a file by force. Whoever can do that can
//!   as well write into the process.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps the whole file for reading; the caller has seen that nobody may write to it.
#[expect(unsafe_code, reason = "a ten-million-entry map must open in constant time")]
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the file is never written to while it is mapped, for the reasons at the head of this file.
    unsafe { Mmap::map(file) }
}
