//! CPU time of a whole process tree, counted by the kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A control group for one program and all it starts.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The `cpuacct` controller of the first version.
    First,
    /// The unified hierarchy.
    Second,
}

impl Cgroup {
    /// A new group, where the system lets us make one.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let places = [("/sys/fs/cgroup/cpuacct", Kind::First), ("/sys/fs/cgroup", Kind::Second)];
        places.into_iter().find_map(|(root, kind)| {
            let known = match kind {
                Kind::First => "cpuacct.usage",
                Kind::Second => "cgroup.controllers",
            };
            if !Path::new(root).join(known).exists() {
                return None;
            }
            let folder = Path::new(root).join(format!("switchyard-{}-{name}", std::process::id()));
            fs::create_dir(&folder).ok()?;
            Some(Self { folder, kind })
        })
    }

    /// Who writes its process id here is in the group.
    #[must_use]
    pub fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// What the group has used so far.
    #[must_use]
    pub fn used(&self) -> Duration {
        let read = |file: &str| fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        match self.kind {
            Kind::First => Duration::from_nanos(read("cpuacct.usage").trim().parse().unwrap_or_default()),
            Kind::Second => {
                let text = read("cpu.stat");
                let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
                Duration::from_micros(line.and_then(|digits| digits.parse().ok()).unwrap_or_default())
            }
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Fails while somebody is in it; an empty group left behind costs nothing.
        let _ = fs::remove_dir(&self.folder);
    }
}
