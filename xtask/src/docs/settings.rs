//! docs/settings.md and docs/schema/*.json: every setting there is, made of the declarations.

use std::fmt::Write as _;

use switchyard_config::reference::Setting;
use switchyard_config::schema::{File, schema};
use switchyard_config::{
    AdminSettings, AgentSettings, HubSettings, MilterSettings, MxSettings, RouterSettings, Settings, Site,
};

const HEAD: &str = "\
# Settings

Made from the declarations by `cargo xtask docs`. A daemon reads one TOML file; `switchyard render` writes it for a host, of
the suite's templates and the site's own layers ([operating.md](operating.md)). An unknown key, a number without its unit and a
value out of bounds are faults, with file and line, and with any of them nothing is taken.

`change` says when a new value holds: *live* ones are taken by a running daemon at a reload, the others by the next start.
`switchyard render SITE --host NAME --diff OLD` says it of what differs. Where there is no default, nothing holds until the
setting is given; `(needed)` ones must be, where their table is.

| kind | is written |
|---|---|
| time | `\"250ms\"`, `\"30s\"`, `\"5m\"`, `\"4h\"`, `\"5d\"`, `\"1w\"` |
| size | `\"500B\"`, `\"64KiB\"`, `\"50MB\"`, `\"2GiB\"` |
| count | `100` |
| address, address:port, host:port | `\"192.0.2.1\"`, `\"[2001:db8::1]:53\"`, `\"[192.0.2.1]:25\"`, `\"router1.example.org:25\"` |
| network | `\"192.0.2.0/24\"`, `\"2001:db8::/32\"`, or an address |
| socket | `\"0.0.0.0:25\"`, or `\"systemd:NAME\"` for one that systemd holds |
| table | a file in the map folder, `\"hash:transport\"`, `\"cidr:clients\"` … ([map-kinds.md](map-kinds.md)) |
| next hop | `\"[host]:port\"`, `\"host\"`, `\"domain\"` for its MX hosts, `\"@pool\"` |

Editors that know JSON Schema check a file while it is typed: `switchyard schema` writes [these](schema/).
";

/// The reference.
pub(super) fn document() -> String {
    let (mx, router) = (MxSettings::reference(), RouterSettings::reference());
    let (both, of_mx): (Vec<_>, Vec<_>) = mx.into_iter().partition(|setting| router.contains(setting));
    let of_router: Vec<Setting> = router.into_iter().filter(|setting| !both.contains(setting)).collect();
    let mut text = HEAD.to_owned();
    let parts = [
        ("switchyard-mx and switchyard-router", both),
        ("switchyard-mx", of_mx),
        ("switchyard-router", of_router),
        ("switchyard-milter", MilterSettings::reference()),
        ("switchyard-mapsync hub", HubSettings::reference()),
        ("switchyard-mapsync agent", AgentSettings::reference()),
        ("push.toml, of an admin", AdminSettings::reference()),
        ("site.toml", Site::reference()),
    ];
    for (title, settings) in parts {
        let _ = write!(text, "\n## {title}\n");
        part(&settings, &mut text);
    }
    text.push_str(
        "\nBeside these, `[facts]` and a host's `facts` hold facts under names of the site's choice; the suite's own \
         templates\nask for ",
    );
    let facts: Vec<String> = Site::known_facts().iter().map(|fact| format!("`{fact}`")).collect();
    let _ = writeln!(text, "{}.", facts.join(", "));
    text
}

/// A table of Markdown for each table of settings, in the order in which they are read.
fn part(settings: &[Setting], text: &mut String) {
    let mut heads: Vec<&str> = Vec::new();
    for setting in settings {
        if !heads.contains(&table_of(setting)) {
            heads.push(table_of(setting));
        }
    }
    for head in heads {
        let title = match head {
            "" => String::new(),
            list if list.ends_with("[]") => format!("\n### `[[{}]]`\n", list.trim_end_matches("[]")),
            table => format!("\n### `[{table}]`\n"),
        };
        let _ = write!(
            text,
            "{title}\n| key | what is written | default | change | what it is for |\n|---|---|---|---|---|\n"
        );
        for setting in settings.iter().filter(|setting| table_of(setting) == head) {
            let _ = writeln!(text, "{}", row(setting));
        }
    }
}

fn table_of(setting: &Setting) -> &str {
    setting.path.rsplit_once('.').map_or("", |(table, _)| table)
}

fn row(setting: &Setting) -> String {
    let name = setting.path.rsplit_once('.').map_or(&*setting.path, |(_, name)| name);
    let default = match &setting.default {
        Some(default) => format!("`{default}`"),
        None if setting.needed => "(needed)".to_owned(),
        None => String::new(),
    };
    let cells =
        [&format!("`{name}`"), &setting.kind_in_words(), &default, &setting.change.to_string(), setting.doc];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

/// Each schema under its file's path.
pub(super) fn schemas() -> [(&'static str, String); 8] {
    File::ALL.map(|file| {
        let path = match file {
            File::Site => "docs/schema/site.json",
            File::Base => "docs/schema/base.json",
            File::Mx => "docs/schema/mx.json",
            File::Router => "docs/schema/router.json",
            File::Milter => "docs/schema/milter.json",
            File::Hub => "docs/schema/hub.json",
            File::Agent => "docs/schema/agent.json",
            File::Push => "docs/schema/push.json",
        };
        (path, format!("{:#}\n", schema(file)))
    })
}
