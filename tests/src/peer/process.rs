//! A child process that does not outlive its handle.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::cgroup::Cgroup;

/// A running program and whatever it started itself: both end with the handle.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

/// Who puts a child into a process group of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// We do.
    Ours,
    /// The program does, and would fail if it had one already (Postfix's master).
    Its,
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command, group: Group) -> Self {
        if group == Group::Ours {
            command.process_group(0);
        }
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child }
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory now, in octets.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Octets that the system tells of it under this name.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn status(&self, name: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is told");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
    }

    /// CPU time that it has used, in all its threads.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // proc_pid_stat(5): the second field may hold anything, up to the last bracket.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |index: usize| fields[index].parse::<u64>().expect("a number of ticks");
        // Of USER_HZ, which has been 100 for ever.
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.id())).expect("a running process")
    }

    /// Asks it to end, as a service manager would, and waits until it has.
    ///
    /// # Panics
    /// When the system does not know the child.
    pub fn terminate(mut self) -> ExitStatus {
        let _ = kill_process(self.pid(), Signal::TERM);
        self.wait()
    }

    /// Kills it, and only it, without a word.
    ///
    /// # Panics
    /// When the system does not know the child.
    pub fn kill(mut self) -> ExitStatus {
        let _ = kill_process(self.pid(), Signal::KILL);
        self.wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When the system does not know the child.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap_or_else(|error| panic!("waiting for {}: {error}", self.name))
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group first, and even if the child itself is gone: it may have left others behind.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that starts inside a control group, so that not one of its children escapes the counting.
#[must_use]
pub fn command(program: impl AsRef<OsStr>, cgroup: Option<&Cgroup>) -> Command {
    let Some(cgroup) = cgroup else { return Command::new(program) };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo $$ > \"$0\"; exec \"$@\""]).arg(cgroup.door()).arg(program);
    command
}
