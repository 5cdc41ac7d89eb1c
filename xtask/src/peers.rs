//! The mail software the tests talk to, and the messages they send: Debian's packages, and two crates.
//!
//! Programs are installed with apt, when they are missing and we are root; none is started, now or later:
//! the tests start what they need, in folders of their own. Packages that only bring messages are unpacked
//! under `target/corpus/` and never installed; so is Sendmail, which cannot be installed beside Postfix.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::run::{self, Failure, read, show};
use crate::tree;

/// A program that a test starts, and the package that brings it.
struct Peer {
    package: &'static str,
    /// What is there once the package is.
    proof: &'static str,
}

const PEERS: &[Peer] = &[
    Peer { package: "postfix", proof: "/usr/sbin/postfix" },
    Peer { package: "postfix-cdb", proof: "/usr/lib/postfix/postfix-cdb.so" },
    Peer { package: "postfix-lmdb", proof: "/usr/lib/postfix/postfix-lmdb.so" },
    Peer { package: "db5.3-util", proof: "/usr/bin/db5.3_load" },
    Peer { package: "postfix-pcre", proof: "/usr/lib/postfix/postfix-pcre.so" },
    Peer { package: "swaks", proof: "/usr/bin/swaks" },
    // Of swaks, for TLS.
    Peer { package: "libnet-ssleay-perl", proof: "/usr/share/doc/libnet-ssleay-perl/copyright" },
    Peer { package: "sslscan", proof: "/usr/bin/sslscan" },
    Peer { package: "openssl", proof: "/usr/bin/openssl" },
    Peer { package: "python3", proof: "/usr/bin/python3" },
    Peer { package: "python3-aiosmtpd", proof: "/usr/lib/python3/dist-packages/aiosmtpd/controller.py" },
    Peer { package: "python3-jsonschema", proof: "/usr/lib/python3/dist-packages/jsonschema/__init__.py" },
    Peer { package: "man-db", proof: "/usr/bin/man" },
    Peer { package: "dnsmasq-base", proof: "/usr/sbin/dnsmasq" },
    Peer { package: "knot", proof: "/usr/sbin/knotd" },
    Peer { package: "python3-dkim", proof: "/usr/bin/dkimverify" },
    Peer { package: "etcd-server", proof: "/usr/bin/etcd" },
    Peer { package: "chromium", proof: "/usr/bin/chromium" },
    Peer { package: "prometheus", proof: "/usr/bin/promtool" },
    Peer { package: "strace", proof: "/usr/bin/strace" },
    Peer { package: "e2fsprogs", proof: "/usr/sbin/mkfs.ext4" },
    Peer { package: "xfsprogs", proof: "/usr/sbin/mkfs.xfs" },
    Peer { package: "faketime", proof: "/usr/bin/faketime" },
    Peer { package: "mount", proof: "/usr/sbin/losetup" },
    Peer { package: "iproute2", proof: "/usr/bin/ss" },
    Peer { package: "util-linux", proof: "/usr/bin/nsenter" },
    Peer { package: "opendkim", proof: "/usr/sbin/opendkim" },
    Peer { package: "dmarc-cat", proof: "/usr/bin/dmarc-cat" },
    Peer { package: "opendmarc", proof: "/usr/sbin/opendmarc" },
    Peer { package: "rspamd", proof: "/usr/bin/rspamd" },
    Peer { package: "clamav-daemon", proof: "/usr/sbin/clamd" },
    Peer { package: "clamav-milter", proof: "/usr/sbin/clamav-milter" },
    Peer { package: "libmilter-dev", proof: "/usr/include/libmilter/mfapi.h" },
    Peer { package: "gcc", proof: "/usr/bin/gcc" },
    Peer { package: "python3-authres", proof: "/usr/lib/python3/dist-packages/authres/__init__.py" },
    Peer { package: "miltertest", proof: "/usr/bin/miltertest" },
    Peer { package: "procps", proof: "/usr/bin/ps" },
    Peer { package: "systemd", proof: "/usr/bin/systemd-analyze" },
];

/// Packages that carry real messages in their test data; and Sendmail with a library of its own.
const CORPUS: &[&str] = &[
    "golang-github-jhillyerd-enmime-dev",
    "libpython3.11-testsuite",
    "libwrap0",
    "mailman3",
    "python3-authheaders",
    "python3-django-hyperkitty",
    "python3-dkim",
    "python3-flufl.bounce",
    "sendmail-bin",
    "spamassassin",
];

/// Crates that carry messages, in versions whose packages hold their test data.
const CORPUS_CRATES: &[(&str, &str)] = &[("mail-auth", "0.15.1"), ("mail-parser", "1.0.1")];

/// Installs what is missing. Loud when it cannot: without its peers the suite proves nothing.
pub(crate) fn run() -> Result<(), Failure> {
    let wanted: Vec<&str> =
        PEERS.iter().filter(|peer| !Path::new(peer.proof).exists()).map(|peer| peer.package).collect();
    let corpus = tree::target().join("corpus");
    let unpacked: Vec<&str> =
        CORPUS.iter().copied().filter(|package| !corpus.join(package).is_dir()).collect();

    if !wanted.is_empty() || !unpacked.is_empty() {
        refresh()?;
    }
    if !wanted.is_empty() {
        install(&wanted)?;
    }
    fs::create_dir_all(&corpus).map_err(Failure::file(&corpus))?;
    for package in &unpacked {
        unpack(package, &corpus)?;
    }
    if !CORPUS_CRATES.iter().all(|(name, _)| corpus.join(name).is_dir()) {
        fetch_crates(&corpus)?;
    }

    let absent: BTreeSet<&str> =
        PEERS.iter().filter(|peer| !Path::new(peer.proof).exists()).map(|peer| peer.proof).collect();
    if absent.is_empty() {
        eprintln!("all {} peers are here; messages lie in {}", PEERS.len(), corpus.display());
        return Ok(());
    }
    Err(Failure::Answer(format!("still missing after installing: {absent:?}")))
}

/// Bring the package lists up to date, where we may.
fn refresh() -> Result<(), Failure> {
    let apt = apt(["update", "--quiet=2"]);
    if !is_root()? {
        return Ok(()); // An ordinary user downloads with the lists that are there.
    }
    show(&mut { apt })
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    eprintln!("installing {}", packages.join(" "));
    if !is_root()? {
        return Err(Failure::Answer(format!(
            "PEERS ARE MISSING and only root can install them. Run:\n  sudo apt-get install --no-install-recommends {}",
            packages.join(" ")
        )));
    }
    let policy = DoNotStart::new()?;
    let mut install = apt(["install", "--quiet=2", "--yes", "--no-install-recommends"]);
    let outcome = show(install.args(packages));
    drop(policy);
    outcome
}

fn apt<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = run::command("apt-get");
    // Postfix asks what it shall be; it shall be left alone.
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    command
}

/// Downloads a package and lays out its files, without installing it or what it depends on.
fn unpack(package: &str, corpus: &Path) -> Result<(), Failure> {
    eprintln!("unpacking {package}");
    let folder = corpus.join(format!("{package}.part"));
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    // Root's downloads go through an unprivileged user, who may not write here; apt then says so and does it as root.
    let mut download = apt(["download", "--quiet=2", "-o", "APT::Sandbox::User=root", package]);
    show(download.current_dir(&folder))?;
    let archive = only_entry(&folder)?;
    show(run::command("dpkg-deb").arg("--extract").arg(&archive).arg(&folder))?;
    fs::remove_file(&archive).map_err(Failure::file(&archive))?;
    rename(&folder, &corpus.join(package))
}

/// Lets cargo fetch the crates, and copies their messages.
fn fetch_crates(corpus: &Path) -> Result<(), Failure> {
    let project = corpus.join("fetch");
    fs::create_dir_all(project.join("src")).map_err(Failure::file(&project))?;
    let manifest = project.join("Cargo.toml");
    let mut text = "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n".to_owned();
    text.push_str("\n[workspace]\n\n[dependencies]\n");
    for (name, version) in CORPUS_CRATES {
        eprintln!("fetching {name} {version}");
        text.push_str(&format!("{name} = \"={version}\"\n"));
    }
    write(&manifest, &text)?;
    write(&project.join("src/lib.rs"), "")?;
    let mut metadata = run::cargo();
    metadata.args(["metadata", "--quiet", "--format-version", "1", "--manifest-path"]).arg(&manifest);
    let metadata = read(&mut metadata)?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| Failure::Answer(format!("cargo metadata: {error}")))?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, version) in CORPUS_CRATES {
        let package =
            packages.iter().find(|package| package["name"] == *name && package["version"] == *version);
        let manifest = package.and_then(|package| package["manifest_path"].as_str()).unwrap_or_default();
        let part = corpus.join(format!("{name}.part"));
        show(run::command("cp").arg("-rT").arg(Path::new(manifest).with_file_name("resources")).arg(&part))?;
        let whole = corpus.join(name);
        if whole.exists() {
            fs::remove_dir_all(&whole).map_err(Failure::file(&whole))?;
        }
        rename(&part, &whole)?;
    }
    Ok(())
}

fn only_entry(folder: &Path) -> Result<PathBuf, Failure> {
    let mut entries = fs::read_dir(folder).map_err(Failure::file(folder))?;
    match entries.next() {
        Some(entry) => Ok(entry.map_err(Failure::file(folder))?.path()),
        None => Err(Failure::Answer(format!("apt-get downloaded nothing into {}", folder.display()))),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = File::create(path).map_err(Failure::file(path))?;
    file.write_all(text.as_bytes()).map_err(Failure::file(path))
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(Failure::file(to))
}

fn is_root() -> Result<bool, Failure> {
    Ok(read(run::command("id").arg("--user"))?.trim() == "0")
}

/// While it lives, packages may not start services: Debian's own way to say so is a `policy-rc.d` that exits
/// with 101. One that is there already is left as it is.
struct DoNotStart {
    ours: bool,
}

impl DoNotStart {
    const PATH: &str = "/usr/sbin/policy-rc.d";

    fn new() -> Result<Self, Failure> {
        let path = Path::new(Self::PATH);
        if path.exists() {
            return Ok(Self { ours: false });
        }
        write(path, "#!/bin/sh\nexit 101\n")?;
        show(run::command("chmod").arg("755").arg(path))?;
        Ok(Self { ours: true })
    }
}

impl Drop for DoNotStart {
    fn drop(&mut self) {
        if self.ours {
            // Left behind it would only keep services from starting, and say so.
            let _ = fs::remove_file(Self::PATH);
        }
    }
}
