//! JSON Schemas for editors, made of the declarations: what a key is for, shown where it is typed, and a slip marked
//! before `switchyard check` sees it.
//!
//! There is one for each kind of file in a site's folder. A layer may leave out anything and hold `${…}` holes where
//! values stand, so nothing is required but in `site.toml`, and a text with a hole fits everywhere. How settings fit
//! together is beyond a schema: that is `switchyard check`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::admin::AdminSettings;
use crate::agent::AgentSettings;
use crate::hub::HubSettings;
use crate::milter::MilterSettings;
use crate::mx::MxSettings;
use crate::reference::{Form, Setting, Shape};
use crate::router::RouterSettings;
use crate::settings::Settings;
use crate::site::Site;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// `site.toml`.
    Site,
    /// `base.toml`: what mx and router know.
    Base,
    /// `role/mx.toml`, `host/NAME.toml` of an mx, and the settings of one.
    Mx,
    /// The same of a router or an outbound.
    Router,
    /// `daemon/milter.toml` and its like, and the settings of a milter.
    Milter,
    /// `role/hub.toml`, `host/NAME.toml` of a hub, and the settings of one.
    Hub,
    /// `daemon/agent.toml` and its like, and the settings of an agent.
    Agent,
    /// The settings of an admin who pushes.
    Push,
}

impl File {
    /// Every kind.
    pub const ALL: [Self; 8] =
        [Self::Site, Self::Base, Self::Mx, Self::Router, Self::Milter, Self::Hub, Self::Agent, Self::Push];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Base => "base",
            Self::Mx => "mx",
            Self::Router => "router",
            Self::Milter => "milter",
            Self::Hub => "hub",
            Self::Agent => "agent",
            Self::Push => "push",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Site => "site.toml: the facts and the hosts of a site",
            Self::Base => "base.toml: what holds for every host of a site that mail passes",
            Self::Mx => "Settings of switchyard-mx, or a layer of them",
            Self::Router => "Settings of switchyard-router, or a layer of them",
            Self::Milter => "Settings of switchyard-milter, or a layer of them",
            Self::Hub => "Settings of switchyard-mapsync hub, or a layer of them",
            Self::Agent => "Settings of switchyard-mapsync agent, or a layer of them",
            Self::Push => "Settings of an admin who pushes: push.toml",
        }
    }
}

/// The schema of a kind of file.
#[must_use]
pub fn schema(file: File) -> Value {
    let mut root = Node::default();
    match file {
        File::Site => Site::reference().iter().for_each(|setting| root.insert(setting, Holes::Refused)),
        File::Base => {
            let router = RouterSettings::reference();
            let both = MxSettings::reference();
            let both = both.iter().filter(|setting| router.iter().any(|other| other.path == setting.path));
            both.for_each(|setting| root.insert(setting, Holes::Taken));
        }
        File::Mx => MxSettings::reference().iter().for_each(|setting| root.insert(setting, Holes::Taken)),
        File::Router => {
            RouterSettings::reference().iter().for_each(|setting| root.insert(setting, Holes::Taken));
        }
        File::Milter => {
            MilterSettings::reference().iter().for_each(|setting| root.insert(setting, Holes::Taken));
        }
        File::Hub => HubSettings::reference().iter().for_each(|setting| root.insert(setting, Holes::Taken)),
        File::Agent => {
            AgentSettings::reference().iter().for_each(|setting| root.insert(setting, Holes::Taken));
        }
        File::Push => {
            AdminSettings::reference().iter().for_each(|setting| root.insert(setting, Holes::Refused));
        }
    }
    let mut schema = root.schema();
    if file == File::Site {
        schema["properties"]["facts"] = facts();
        schema["properties"]["host"]["items"]["properties"]["facts"] = facts();
        schema["properties"]["host"]["items"]["required"] = json!(["name", "role", "addresses"]);
        schema["required"] = json!(["host"]);
    }
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(file.title());
    schema
}

/// Facts have names of the site's choice; those of the suite's own templates are offered.
fn facts() -> Value {
    let plain = json!({ "type": ["string", "integer", "boolean"] });
    let fact = json!({ "anyOf": [plain, { "type": "array", "items": plain }] });
    let known = Site::known_facts().into_iter().map(|name| {
        let mut fact = fact.clone();
        fact["description"] = json!(format!("Fills ${{{name}}} of the suite's own templates."));
        (name, fact)
    });
    json!({
        "type": "object",
        "description": "What fills the holes of templates.",
        "properties": known.collect::<Map<_, _>>(),
        "patternProperties": { "^[a-z0-9_]{1,64}$": fact },
        "additionalProperties": false,
    })
}

// ---------------------------------------------------------------------------------------------------------

/// Whether a text with a hole may stand in a value's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holes {
    Taken,
    Refused,
}

/// A table of the tree that the settings' paths make.
#[derive(Debug, Default)]
struct Node {
    values: BTreeMap<String, Value>,
    tables: BTreeMap<String, Node>,
    /// Lists of tables: `[[listen.smtp]]`.
    lists: BTreeMap<String, Node>,
    /// Tables under names of the site's choice: `[pools.NAME]`.
    named: Option<Box<Node>>,
}

impl Node {
    fn insert(&mut self, setting: &Setting, holes: Holes) {
        let (tables, name) = setting.path.rsplit_once('.').unwrap_or(("", &setting.path));
        let mut node = self;
        for table in tables.split('.').filter(|table| !table.is_empty()) {
            node = match (table, table.strip_suffix("[]")) {
                ("NAME", _) => node.named.get_or_insert_default(),
                (_, Some(list)) => node.lists.entry(list.to_owned()).or_default(),
                (_, None) => node.tables.entry(table.to_owned()).or_default(),
            };
        }
        node.values.insert(name.to_owned(), value(setting, holes));
    }

    fn schema(&self) -> Value {
        let mut properties: Map<String, Value> =
            self.values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        properties.extend(self.tables.iter().map(|(name, table)| (name.clone(), table.schema())));
        let list = |table: &Self| json!({ "type": "array", "items": table.schema() });
        properties.extend(self.lists.iter().map(|(name, table)| (name.clone(), list(table))));
        let mut schema = json!({ "type": "object", "properties": properties });
        schema["additionalProperties"] = self.named.as_ref().map_or(json!(false), |table| table.schema());
        schema
    }
}

/// What fits a setting.
fn value(setting: &Setting, holes: Holes) -> Value {
    let one = one(setting, holes);
    let mut value = match setting.shape {
        Shape::One => one,
        Shape::List => json!({ "type": "array", "items": one }),
        Shape::ByName => json!({ "type": "object", "additionalProperties": one }),
    };
    let words = format!("{} {} ({})", setting.doc, setting.kind_in_words(), setting.change);
    value["description"] = json!(words);
    if let Some(default) = setting.default.as_deref().and_then(parsed) {
        value["default"] = default;
    }
    value
}

fn one(setting: &Setting, holes: Holes) -> Value {
    let mut own = match setting.form {
        Form::Text(None) => json!({ "type": "string" }),
        Form::Text(Some(pattern)) => json!({ "type": "string", "pattern": pattern }),
        Form::Texts => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
        Form::Number(most) => json!({ "type": "integer", "minimum": 0, "maximum": most }),
        Form::Flag => json!({ "type": "boolean" }),
    };
    if !setting.choices.is_empty() {
        own["enum"] = json!(setting.choices);
    }
    if let Form::Number(_) = setting.form {
        for (name, bound) in [("minimum", &setting.least), ("maximum", &setting.most)] {
            if let Some(bound) = bound.as_deref().and_then(parsed) {
                own[name] = bound;
            }
        }
    }
    let any_text_fits = matches!(setting.form, Form::Text(None) | Form::Texts) && setting.choices.is_empty();
    if any_text_fits || holes == Holes::Refused {
        return own;
    }
    json!({ "anyOf": [own, { "type": "string", "pattern": "\\$\\{" }] })
}

/// A value written as TOML.
fn parsed(text: &str) -> Option<Value> {
    let mut table: Map<String, Value> = toml::from_str(&format!("v = {text}")).ok()?;
    table.remove("v")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_where_a_file_has_it_with_what_fits_it() {
        let mx = schema(File::Mx);
        let hops = &mx["properties"]["limits"]["properties"]["hops"];
        assert_eq!((&hops["default"], &hops["anyOf"][0]["minimum"]), (&json!(100), &json!(50)));
        assert!(hops["description"].as_str().unwrap().ends_with("(live)"), "{hops}");
        let listener = &mx["properties"]["listen"]["properties"]["smtp"]["items"];
        assert_eq!(listener["properties"]["socket"]["type"], "string");
        assert_eq!(listener["additionalProperties"], false);
        let router = schema(File::Router);
        let pool = &router["properties"]["pools"]["additionalProperties"];
        assert_eq!(pool["properties"]["members"]["type"], "array");
        let base = schema(File::Base);
        assert!(base["properties"]["limits"].is_object() && base["properties"]["routers"].is_null());
    }

    #[test]
    fn a_site_needs_hosts_and_is_offered_the_facts_of_the_templates() {
        let site = schema(File::Site);
        assert_eq!(site["required"], json!(["host"]));
        let host = &site["properties"]["host"]["items"];
        assert_eq!(host["properties"]["role"]["enum"], json!(["mx", "router", "outbound", "hub"]));
        assert!(site["properties"]["facts"]["properties"]["relayhost"].is_object());
        assert!(host["properties"]["facts"]["properties"]["resolvers"].is_object());
    }
}
