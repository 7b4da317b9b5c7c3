//! Files that a configuration refers to: certificates and keys.
//!
//! What they hold becomes part of the checked configuration when it is compiled, so a certificate that was renewed on
//! disk comes into force with the next compiling. [`Files`] tells when that is due.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// The files that compiling has read, and those that it would have read if it could, as they were then.
///
/// Equal values mean the same content. To follow a rotation, compare with [`Files::reread`] now and then, and compile
/// the same configuration again when it differs; two readings in a row that are equal tell that nobody is still
/// writing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// What each held, by path.
    seen: BTreeMap<PathBuf, Content>,
}

/// What a file held: the digest of its text, or nothing if it could not be read. The text itself may be a key.
type Content = Option<u64>;

impl Files {
    /// The files, as they were named.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.seen.keys().map(PathBuf::as_path)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// The same files as they are now. Waits for the disk.
    pub fn reread(&self) -> Self {
        let reread = |path: &PathBuf| (path.clone(), digest(&text(path)));
        Self { seen: self.seen.keys().map(reread).collect() }
    }

    /// What a setting stands for: the text of the file if it names one, else the setting itself (Traefik
    /// `types.FileOrContent`). A file that is there and cannot be read is an error; Traefik takes its name for the text.
    pub(crate) fn text_or_content(&mut self, setting: &str) -> io::Result<String> {
        if setting.contains('\n') {
            return Ok(setting.to_owned());
        }
        let path = Path::new(setting);
        let text = text(path);
        let missing = text.as_ref().is_err_and(is_missing);
        if !missing || looks_like_a_path(setting) {
            self.saw(path, digest(&text));
        }
        if missing { Ok(setting.to_owned()) } else { text }
    }

    /// Takes over what was seen elsewhere.
    pub(crate) fn extend(&mut self, more: Self) {
        for (path, content) in more.seen {
            self.saw(&path, content);
        }
    }

    /// What was seen first counts: if the file has changed since, it differs from now too.
    fn saw(&mut self, path: &Path, content: Content) {
        self.seen.entry(path.to_owned()).or_insert(content);
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.paths()).finish()
    }
}

fn text(path: &Path) -> io::Result<String> {
    let file = std::fs::metadata(path)?;
    if !file.is_file() || file.len() > SIZE_MAX {
        // A device or a pipe may never end.
        return Err(io::Error::other("not a file of certificates or keys"));
    }
    let bytes = std::fs::read(path)?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text, so not PEM"))
}

/// More than any bundle of authorities has.
const SIZE_MAX: u64 = 4 << 20;

fn digest(text: &io::Result<String>) -> Content {
    let text = text.as_ref().ok()?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Some(hasher.finish())
}

/// Whether no file has this name.
fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

/// Whether a setting that names no file was probably meant to. What is not is not kept: it may be a key.
pub(crate) fn looks_like_a_path(setting: &str) -> bool {
    let extension = Path::new(setting).extension().and_then(|extension| extension.to_str());
    !setting.contains("-----")
        && setting.len() <= PATH_MAX
        && (setting.starts_with(['/', '.']) || matches!(extension, Some("pem" | "crt" | "cer" | "key")))
}

/// Longer paths are none on Linux.
const PATH_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_key_is_not_kept_as_a_path() {
        let mut files = Files::default();
        for setting in ["MIIEvQIBADANBgkq/hkiG9w0", "-----BEGIN PRIVATE KEY----- /x.key", "text\n/etc/x.pem", ""] {
            assert_eq!(files.text_or_content(setting).unwrap(), setting);
        }
        assert!(files.is_empty(), "{files:?}");
        for setting in ["/no/such/file", "./no", "no/such/ca.pem"] {
            assert_eq!(files.text_or_content(setting).unwrap(), setting);
        }
        assert_eq!(files.paths().count(), 3, "{files:?}");
    }
}
