//! Mail filters that the world runs, each behind a unix socket in a folder of its own: OpenDKIM, rspamd, OpenDMARC,
//! ClamAV with a signature made for the test, and a program over Sendmail's libmilter for what those never say.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::{Group, Process};
use super::require;
use crate::expect;

const LIBMILTER: &str = include_str!("libmilter.c");
const VERIFY: &str = include_str!("dkim.py");

/// What ClamAV takes for a virus here.
pub const VIRUS: &str = "SWITCHYARD-TEST-VIRUS";

/// What rspamd takes for spam everywhere.
pub const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

/// A running filter.
#[derive(Debug)]
pub struct Filter {
    folder: TempDir,
    _processes: Vec<Process>,
}

impl Filter {
    /// OpenDKIM, which signs mail from `example.org` with the selector `test`.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn opendkim() -> Self {
        let folder = folder();
        let key = folder.path().join("key");
        run(Command::new("/usr/bin/openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"));
        let settings = [
            "Syslog no",
            "UMask 000",
            "Mode s",
            "Domain example.org",
            "Selector test",
            "Canonicalization relaxed/relaxed",
            // The folder's parent is everybody's.
            "RequireSafeKeys no",
            "KeyFile {folder}/key",
            "PidFile {folder}/pid",
            "Socket local:{folder}/socket",
        ];
        let file = written(&folder, "opendkim.conf", &settings);
        let command = ["/usr/sbin/opendkim", "-f", "-x", &file];
        let process = started(&folder, &command, "socket");
        Self { folder, _processes: vec![process] }
    }

    /// rspamd as a milter, with its test pattern and the fields that it marks mail with.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn rspamd() -> Self {
        let folder = folder();
        let settings = [
            "options { pidfile = \"{folder}/pid\"; filters = \"\"; temp_dir = \"{folder}\"; gtube_patterns = \"all\";",
            "  control_socket = \"{folder}/control mode=0600\";",
            "  dns { nameserver = [\"127.0.0.1:9\"]; timeout = 0.1s; retransmits = 1; } }",
            "logging { type = \"file\"; filename = \"{folder}/log\"; level = \"info\"; }",
            "actions { reject = 15; \"add header\" = 6; greylist = 4; }",
            "modules { path = \"/usr/share/rspamd/plugins/milter_headers.lua\"; }",
            "milter_headers { use = [\"x-spamd-bar\", \"x-spam-status\", \"x-spamd-result\"];",
            "  skip_local = false; skip_authenticated = false; }",
            "worker \"rspamd_proxy\" { bind_socket = \"{folder}/socket mode=0666\"; milter = yes; count = 1;",
            "  timeout = 30s; upstream \"local\" { default = yes; self_scan = yes; } }",
        ];
        let file = written(&folder, "rspamd.conf", &settings);
        let command = ["/usr/bin/rspamd", "-i", "-u", "root", "-g", "root", "-f", "-c", &file];
        let process = started(&folder, &command, "socket");
        Self { folder, _processes: vec![process] }
    }

    /// OpenDMARC, which also refuses mail without the fields that RFC 5322 asks for. It believes what a verifier of
    /// this name found, and knows these domains' policies.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn opendmarc(verifier: &str, policies: &[(&str, &str)]) -> Self {
        let folder = folder();
        let records = policies.iter().map(|(domain, policy)| format!("_dmarc.{domain} v=DMARC1; {policy}\n"));
        put(&folder.path().join("records"), records.collect::<String>());
        let trusted = format!("TrustedAuthservIDs {verifier}");
        let settings = [
            "AuthservID mx.example",
            &trusted,
            "TestDNSData {folder}/records",
            "Syslog false",
            "UMask 000",
            "RequiredHeaders true",
            "RejectFailures true",
            "IgnoreHosts /dev/null",
            "DNSTimeout 1",
            "Socket local:{folder}/socket",
        ];
        let file = written(&folder, "opendmarc.conf", &settings);
        let process = started(&folder, &["/usr/sbin/opendmarc", "-f", "-c", &file], "socket");
        Self { folder, _processes: vec![process] }
    }

    /// clamav-milter with clamd, which knows one virus: [`VIRUS`].
    ///
    /// # Panics
    /// When they are not installed or do not start.
    #[must_use]
    pub fn clamav() -> Self {
        let folder = folder();
        let database = folder.path().join("database");
        fs::create_dir(&database).expect("a folder for the signature");
        let hex: String = VIRUS.bytes().map(|octet| format!("{octet:02x}")).collect();
        put(&database.join("test.ndb"), format!("Switchyard-Test:0:*:{hex}\n"));
        let scanner = [
            "Foreground yes",
            "DatabaseDirectory {folder}/database",
            "LocalSocket {folder}/clamd",
            "TemporaryDirectory {folder}",
            "MaxThreads 2",
            "User root",
        ];
        let milter = [
            "Foreground yes",
            "MilterSocket unix:{folder}/socket",
            "ClamdSocket unix:{folder}/clamd",
            "TemporaryDirectory {folder}",
            "OnInfected Reject",
            "RejectMsg Infected with %v",
            "AddHeader Replace",
            "User root",
            "LogFile {folder}/scans",
            "LogVerbose yes",
        ];
        let file = written(&folder, "clamd.conf", &scanner);
        let clamd = started(&folder, &["/usr/sbin/clamd", "-c", &file], "clamd");
        let file = written(&folder, "milter.conf", &milter);
        let process = started(&folder, &["/usr/sbin/clamav-milter", "-c", &file], "socket");
        // It listens before it has looked for clamd, and puts off whatever comes until it has.
        let scans = folder.path().join("scans");
        expect::holds("clamav-milter to find clamd", || {
            fs::read_to_string(&scans).is_ok_and(|said| said.contains("returned: success"))
        });
        Self { folder, _processes: vec![process, clamd] }
    }

    /// The program over libmilter; `libmilter.c` says what it does when.
    ///
    /// # Panics
    /// When it cannot be compiled or does not start.
    #[must_use]
    pub fn libmilter() -> Self {
        require("/usr/include/libmilter/mfapi.h");
        let folder = folder();
        let (source, program) = (folder.path().join("libmilter.c"), folder.path().join("libmilter"));
        put(&source, LIBMILTER);
        let mut compile = Command::new("/usr/bin/gcc");
        run(compile
            .arg("-Wall")
            .arg("-Werror")
            .arg("-o")
            .arg(&program)
            .arg(&source)
            .args(["-lmilter", "-lpthread"]));
        let socket = format!("local:{}/socket", folder.path().display());
        let process = started(&folder, &[&program.display().to_string(), &socket], "socket");
        Self { folder, _processes: vec![process] }
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What it has written so far: the events that the program over libmilter was told.
    ///
    /// # Panics
    /// When its output cannot be read.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("output")).expect("what the filter wrote");
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The public half of this OpenDKIM's key, as DER in a file.
    fn public(&self) -> PathBuf {
        let public = self.folder.path().join("public");
        let mut openssl = Command::new("/usr/bin/openssl");
        openssl.args(["rsa", "-pubout", "-outform", "DER", "-in"]).arg(self.folder.path().join("key"));
        run(openssl.arg("-out").arg(&public));
        public
    }

    /// The DNS record of this OpenDKIM's key, for `test._domainkey.example.org`.
    ///
    /// # Panics
    /// When OpenSSL cannot be asked.
    #[must_use]
    pub fn dkim_record(&self) -> String {
        let output = Command::new("/usr/bin/base64").arg("-w0").arg(self.public()).output().expect("base64");
        format!("v=DKIM1; k=rsa; p={}", String::from_utf8_lossy(&output.stdout))
    }

    /// Whether dkimpy takes the signature of a message for one by this OpenDKIM's key.
    ///
    /// # Panics
    /// When Python cannot be asked.
    #[must_use]
    pub fn dkimpy_agrees(&self, message: &[u8]) -> bool {
        let public = self.public();
        let mail = self.folder.path().join("message");
        put(&mail, message);
        let mut python = Command::new("/usr/bin/python3");
        let output = python.args(["-c", VERIFY]).arg(&mail).arg(&public).output().expect("python3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout == b"True\n"
    }
}

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder for a filter");
    // Some of them change their user.
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("our own folder");
    folder
}

/// Writes a settings file, with the folder's path where it says `{folder}`.
fn written(folder: &TempDir, name: &str, lines: &[&str]) -> String {
    let path = folder.path().join(name);
    let text = lines.join("\n").replace("{folder}", &folder.path().display().to_string());
    put(&path, text + "\n");
    path.display().to_string()
}

#[expect(clippy::disallowed_methods, reason = "a peer's settings need not survive a power cut")]
fn put(path: &Path, octets: impl AsRef<[u8]>) {
    fs::write(path, octets).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Starts a program and waits until it listens at the socket.
fn started(folder: &TempDir, command: &[&str], socket: &str) -> Process {
    let program = command.first().expect("a program");
    require(program);
    let output = fs::File::create(folder.path().join("output")).expect("a file for its output");
    let errors = output.try_clone().expect("the same file");
    let mut child = Command::new(program);
    child.args(command.get(1..).unwrap_or_default()).stdin(Stdio::null()).stdout(output).stderr(errors);
    let mut process = Process::start(&mut child, Group::Ours);
    let path = folder.path().join(socket);
    expect::holds(&format!("{program} at {}", path.display()), || {
        let said = || fs::read_to_string(folder.path().join("output")).unwrap_or_default();
        assert!(process.runs(), "{program} ended: {}", said());
        UnixStream::connect(&path).is_ok()
    });
    process
}
