//! master.cf: the services, with the parameters that `-o` sets for each.

use switchyard_maps::spec::words;

use super::lines::Line;

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) line: u32,
    /// `smtp`, `127.0.0.1:10025`, `private/x`…
    pub(super) name: String,
    /// `inet`, `unix`, `unix-dgram`, `fifo`, `pass`.
    pub(super) kind: String,
    /// The program.
    pub(super) command: String,
    /// `-o name=value`.
    pub(super) overrides: Vec<(String, String)>,
}

/// Reads the services; a line that is none is told of.
pub(super) fn read(lines: &[Line]) -> (Vec<Service>, Vec<(u32, String)>) {
    let (mut services, mut odd) = (Vec::new(), Vec::new());
    for line in lines {
        match service(line) {
            Some(service) => services.push(service),
            None => odd.push((line.number, "eight columns are expected here: no service".to_owned())),
        }
    }
    (services, odd)
}

fn service(line: &Line) -> Option<Service> {
    let mut columns = line.text.split_ascii_whitespace();
    let name = columns.next()?.to_owned();
    let kind = columns.next()?.to_owned();
    // private, unpriv, chroot, wakeup, maxproc.
    let command = columns.nth(5)?.to_owned();
    let rest = line.text.split_once(command.as_str()).map_or("", |(_, rest)| rest);
    let mut arguments = blank_parted(rest).into_iter();
    let mut overrides = Vec::new();
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.strip_prefix("-o") else { continue };
        let option = if option.is_empty() { arguments.next().unwrap_or_default() } else { option };
        // Postfix 3.0: `-o { name = value }`.
        let option = option.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(option);
        if let Some((name, value)) = option.split_once('=') {
            overrides.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Some(Service { line: line.number, name, kind, command, overrides })
}

/// Like the words of a list, but a comma belongs to its word.
fn blank_parted(text: &str) -> Vec<&str> {
    let mut joined: Vec<&str> = Vec::new();
    for word in words(text) {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        match joined.last_mut() {
            Some(last) if start > 0 && !text[..start].ends_with([' ', '\t']) => {
                let from = last.as_ptr() as usize - text.as_ptr() as usize;
                *last = &text[from..start + word.len()];
            }
            _ => joined.push(word),
        }
    }
    joined
}

impl Service {
    /// What it sets for itself.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.overrides.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Host, empty for all, and port of an `inet` service.
    pub(super) fn endpoint(&self) -> (&str, &str) {
        match self.name.rsplit_once(':') {
            Some((host, port)) => (host.trim_matches(['[', ']']), port),
            None => ("", &self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::parse;
    use super::*;

    #[test]
    fn services_and_their_own_settings() {
        let text = "\
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       y       -       -       smtpd
127.0.0.1:10025 inet n - n - 10 smtpd
    -o mynetworks=127.0.0.0/8,[::1]/128 -o { smtpd_banner = a b }
  -ocontent_filter=
slow unix - - n - - smtp -o syslog_name=postfix/$service_name -v
too few columns
";
        let (services, odd) = read(&parse(text));
        assert_eq!(services.len(), 3);
        assert_eq!((odd.len(), odd[0].0), (1, 7));
        assert_eq!(services[0].endpoint(), ("", "smtp"));
        let inner = &services[1];
        assert_eq!(inner.endpoint(), ("127.0.0.1", "10025"));
        assert_eq!(inner.get("mynetworks"), Some("127.0.0.0/8,[::1]/128"));
        assert_eq!(inner.get("smtpd_banner"), Some("a b"));
        assert_eq!(inner.get("content_filter"), Some(""));
        assert_eq!(services[2].command, "smtp");
        assert_eq!(services[2].overrides.len(), 1);
    }
}
