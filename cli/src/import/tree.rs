//! Where the files stand that main.cf names: the folder is most often a copy, taken from another machine.

use std::path::{Path, PathBuf};

/// The imported folder, and what lies around it.
#[derive(Debug)]
pub(super) struct Tree {
    /// Where main.cf stands.
    pub(super) folder: PathBuf,
    /// Where the machine's root was copied to, if it was.
    root: Option<PathBuf>,
    /// What the folder was called there.
    home: PathBuf,
}

impl Tree {
    pub(super) fn new(folder: &Path, root: Option<&Path>) -> Self {
        Self { folder: folder.to_owned(), root: root.map(Path::to_owned), home: "/etc/postfix".into() }
    }

    /// What `config_directory` says.
    pub(super) fn set_home(&mut self, home: &str) {
        self.home = home.into();
    }

    /// A file that main.cf names: in the folder, if it was named as one of it; then under the given root; then in
    /// the folder under its bare name, where a copy keeps what stood elsewhere; then as it stands.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(name);
        let within = path.strip_prefix(&self.home).ok().map(|rest| self.folder.join(rest));
        let rooted = self.root.as_ref().zip(path.strip_prefix("/").ok()).map(|(root, rest)| root.join(rest));
        let relative = path.is_relative().then(|| self.folder.join(path));
        let bare = path.file_name().map(|name| self.folder.join(name));
        // Where the folder is the machine's own, nothing in it stands for a file elsewhere.
        let bare = bare.filter(|_| self.folder != self.home);
        let stands = path.is_absolute().then(|| path.to_owned());
        let ways = [within, rooted, relative, bare, stands];
        ways.into_iter().flatten().find(|path| path.is_file())
    }

    /// How a found file is called in what is told: seen from the folder, where it stands in it.
    pub(super) fn called(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_looked_at_before_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        let etc = folder.path().join("root/etc");
        for (path, name) in [(&copy, "hosts"), (&copy, "virtual"), (&etc, "aliases")] {
            std::fs::create_dir_all(path).unwrap();
            std::fs::File::create(path.join(name)).unwrap();
        }
        let alone = Tree::new(&copy, None);
        assert_eq!(alone.find("/etc/postfix/hosts"), Some(copy.join("hosts")));
        assert_eq!(alone.find("/elsewhere/virtual"), Some(copy.join("virtual")), "under its bare name");
        assert_eq!(alone.find("virtual"), Some(copy.join("virtual")));
        assert_eq!(alone.find("/etc/hosts"), Some(copy.join("hosts")), "before this machine's own");
        assert_eq!(alone.find("/etc/passwd"), Some("/etc/passwd".into()), "as it stands");
        assert_eq!(alone.find("/nowhere/x"), None);
        let rooted = Tree::new(&copy, Some(&folder.path().join("root")));
        assert_eq!(rooted.find("/etc/aliases"), Some(etc.join("aliases")));
        assert_eq!(rooted.called(&copy.join("virtual")), "virtual");
    }
}
