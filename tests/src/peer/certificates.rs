//! Certificates for a scenario, made by openssl: an authority of its own, and a host and a client by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::require;

const PROGRAM: &str = "/usr/bin/openssl";

/// PEM files in a folder.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes an authority, and certificates by it under these names: `NAME.pem` and `NAME.key`.
    ///
    /// # Panics
    /// When openssl is not installed.
    #[must_use]
    pub fn make(folder: &Path, names: &[&str]) -> Self {
        require(PROGRAM);
        let made = Self { folder: folder.to_owned() };
        made.request("authority", &["-addext", "basicConstraints=critical,CA:TRUE"], None);
        names.iter().for_each(|name| made.add(name, &format!("DNS:{name}")));
        made
    }

    /// One more by the same authority, with other names in it than the one it lies under: `URI:…,IP:…`.
    pub fn add(&self, name: &str, names: &str) {
        let names = format!("subjectAltName={names}");
        self.request(name, &["-addext", "basicConstraints=CA:FALSE", "-addext", &names], Some("authority"));
    }

    /// The certificate under a name.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// Its key.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn request(&self, name: &str, more: &[&str], by: Option<&str>) {
        let mut command = Command::new(PROGRAM);
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        command.args(["-days", "2", "-subj", &format!("/CN={name}")]).args(more);
        command.arg("-out").arg(self.certificate(name)).arg("-keyout").arg(self.key(name));
        if let Some(by) = by {
            command.arg("-CA").arg(self.certificate(by)).arg("-CAkey").arg(self.key(by));
        }
        let output = command.output().expect("openssl starts");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    }
}
