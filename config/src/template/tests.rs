//! Layers and holes, as tables of what goes in and what comes out.

use super::*;
use crate::document::Document;
use crate::render::{Origins, render};

fn facts() -> Facts {
    let document = Document::parse(
        "site.toml",
        "name = 'mx1'\nport = 25\nfew = ['a', 'b']\nnone = []\nmore = [1, 2]\nyes = true\n",
    );
    let mut facts = Facts::default();
    for entry in document.unwrap().root.entries {
        facts.state(entry.key, &entry.place, entry.item.node);
    }
    facts
}

fn fill_text(text: &str) -> Result<String, String> {
    let mut document = Document::parse("t.toml", text).unwrap();
    let mut faults = Faults::new();
    fill(&mut document.root, &facts(), &mut faults);
    let filled = render(&document, Origins::Hidden).trim_end().to_owned();
    faults.or(filled).map_err(|faults| faults.to_string())
}

#[test]
fn a_later_layer_wins_key_by_key() {
    let mut base = Document::parse("base", "a = 1\nlist = [1, 2]\n[t]\nx = 1\ny = 1\n").unwrap();
    let role = Document::parse("role", "list = [3]\nb = 2\n[t]\ny = 2\n").unwrap();
    lay(&mut base.root, role.root);
    assert_eq!(render(&base, Origins::Hidden), "a = 1\nlist = [3]\nb = 2\n\n[t]\nx = 1\ny = 2\n");
    let shown = render(&base, Origins::Shown);
    assert!(shown.lines().any(|line| line.starts_with("y = 2") && line.ends_with("# role:4")), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("x = 1") && line.ends_with("# base:4")), "{shown}");
}

#[test]
fn holes_are_filled() {
    for (text, filled) in [
        ("k = '${name}.example.org'", "k = \"mx1.example.org\""),
        ("k = '${port}'", "k = 25"),
        ("k = '${yes}'", "k = true"),
        ("k = ':${port}'", "k = \":25\""),
        ("k = ['${few}', 'c']", "k = [\"a\", \"b\", \"c\"]"),
        ("k = ['[${few}]:${port}']", "k = [\"[a]:25\", \"[b]:25\"]"),
        ("k = ['${few}-${few}']", "k = [\"a-a\", \"b-b\"]"),
        ("k = ['${none}']", "k = []"),
        ("k = ['x${none}']", "k = []"),
        ("k = '${absent?}'\nl = 1", "l = 1"),
        ("['t-${name}']\nk = 1", "[t-mx1]\nk = 1"),
        ("l = 1\n['${absent?}']\nk = 1", "l = 1"),
        ("['${name}']\nk = 1\nl = 2\n[mx1]\nk = 3", "[mx1]\nk = 3\nl = 2"),
        ("k = ['x', '${absent?}']", "k = [\"x\"]"),
        ("k = 'cost $5 $${name}'", "k = \"cost $5 ${name}\""),
        ("[[t]]\nk = '${name}'", "[[t]]\nk = \"mx1\""),
        ("k = ''", "k = \"\""),
    ] {
        assert_eq!(fill_text(text).as_deref(), Ok(filled), "{text}");
    }
}

#[test]
fn a_hole_that_cannot_be_filled_is_a_fault_at_its_place() {
    for (text, fault) in [
        ("k = '${nme}'", "t.toml:1:5: no fact `nme`: state it in site.toml; did you mean `name`?"),
        ("k = '${few}'", "t.toml:1:5: the fact `few` is a list: it fits a list, or a text inside one"),
        (
            "k = ['${few}${more}']",
            "t.toml:1:6: \"${few}${more}\" holds two facts that are lists: one at most",
        ),
        ("k = '${name'", "t.toml:1:5: \"${name\" opens a hole that nothing closes"),
        (
            "k = '${No}'",
            "t.toml:1:5: `${No}` is no hole: a fact's name is lower-case letters, digits, `_` and `.`",
        ),
    ] {
        assert_eq!(fill_text(text), Err(fault.to_owned()), "{text}");
    }
}

#[test]
fn a_fault_in_a_fact_is_one_of_where_it_is_stated() {
    let mut document = Document::parse("t.toml", "a = '${port}'\nb = ['${few}']").unwrap();
    fill(&mut document.root, &facts(), &mut Faults::new());
    assert_eq!(document.root.get("a").unwrap().item.place.to_string(), "site.toml:2:1");
    let Node::List(items) = &document.root.get("b").unwrap().item.node else { panic!("a list") };
    assert_eq!(items[1].place.to_string(), "site.toml:3:13");
}

#[test]
fn a_text_does_not_grow_without_bound() {
    let mut facts = facts();
    facts.state("long", &Place::whole("site.toml"), Node::Text("x".repeat(MAX_TEXT)));
    let mut document = Document::parse("t.toml", "k = '${long}${long}'").unwrap();
    let mut faults = Faults::new();
    fill(&mut document.root, &facts, &mut faults);
    assert!(faults.or(()).unwrap_err().to_string().contains("longer than"));
}
