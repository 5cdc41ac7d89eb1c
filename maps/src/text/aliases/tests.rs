//! What postalias(1) reads of a file, and what is refused of it here.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Files by their names, the first called `etc/aliases`.
fn read(text: &str, files: &[(&str, &str)]) -> Vec<Result<Alias, String>> {
    let file = |name: &Path, text: &str| Source {
        map: None,
        file: name.into(),
        bytes: text.as_bytes().to_vec().into(),
        hash: None,
    };
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let mut open = |name: &Path| match files.get(&name.display().to_string().as_str()) {
        Some(text) => Ok(file(name, text)),
        None => {
            let message = "is not there".to_owned();
            Err(Fault { map: None, file: name.into(), line: 0, column: 0, message })
        }
    };
    let source = file(Path::new("etc/aliases"), text);
    Aliases::new(&source, &mut open).map(|alias| alias.map_err(|fault| fault.to_string())).collect()
}

fn shown(text: &str, files: &[(&str, &str)]) -> Vec<String> {
    let show = |alias: Result<Alias, String>| match alias {
        Ok(alias) => format!("{} {} => {}", alias.line, alias.key, alias.value),
        Err(fault) => fault,
    };
    read(text, files).into_iter().map(show).collect()
}

#[test]
fn entries_are_postalias_own() {
    let text = "# comment
plain: a@x.example, b
\"quoted name\": c, \"d, e\"@x.example
Upper: U@x
nospace:a,b
spaced : a , b
cont: a,
  b,
# between
  c
angle: <a@x.example>
full: Joe User <joe@x.example>, \"Joe, Jr.\" <jr@x.example>
comment: a (the (very) person), (nobody) b
\"q@d\": z
owner-list: o
escaped: \\root
empty: a,, b,
";
    let expected = [
        "2 plain => a@x.example, b",
        "3 \"quoted name\" => c, \"d, e\"@x.example",
        "4 Upper => U@x",
        "5 nospace => a, b",
        "6 spaced => a, b",
        "7 cont => a, b, c",
        "11 angle => a@x.example",
        "12 full => joe@x.example, jr@x.example",
        "13 comment => a, b",
        "14 \"q@d\" => z",
        "15 owner-list => o",
        "16 escaped => root",
        "17 empty => a, b",
    ];
    assert_eq!(shown(text, &[]), expected);
}

#[test]
fn what_is_no_alias_is_refused_at_its_place() {
    for (text, fault) in [
        ("a b\n", "1:1: `name: target` is expected"),
        (": b\n", "1:1: a name is expected before the colon"),
        ("a@x.example: b\n", "1:1: `a@x.example`: a name without a domain is expected"),
        ("a b: c\n", "1:1: `a b`: a name with blanks stands in double quotes"),
        ("a\"b: c\n", "1:2: a double quote that nothing closes"),
        ("a:\n", "1:3: `a`: a target is expected"),
        ("a: (nobody), ,\n", "1:15: `a`: a target is expected"),
        ("a: b,\n  \"c\n", "2:3: a double quote that nothing closes"),
        ("a: b (c\n", "1:6: a `(` that nothing closes"),
        ("a: b <c\n", "1:6: a `<` that nothing closes"),
        ("a: <b> c\n", "1:4: `<b> c`: one address in angle brackets is expected, and a comma after it"),
        (
            "a: é,  |/bin/x -y\n",
            "1:8: `|/bin/x -y`: no commands are run here; deliver to a server that runs them",
        ),
        ("a: \"| x, y\"\n", "1:4: `| x, y`: no commands are run here; deliver to a server that runs them"),
        (
            "a: /dev/null\n",
            "1:4: `/dev/null`: no files are written here; deliver to a server that keeps mailboxes",
        ),
        ("a: :fail:x\n", "1:4: `:fail:x`: an address or `:include:` is expected"),
        ("a: :include:\n", "1:4: the name of a file is expected after `:include:`"),
        ("a: b, \\\n", "1:7: an address is expected after the backslash"),
        ("a: :include:none\n", "1:4: `:include:none`: is not there"),
    ] {
        assert_eq!(shown(text, &[]), [format!("etc/aliases:{fault}")], "{text}");
    }
    let nested = format!("a: {}\n", "(".repeat(40));
    assert_eq!(shown(&nested, &[]), ["etc/aliases:1:20: too many comments in comments"]);
}

#[test]
fn files_of_the_site_are_included() {
    let files = [
        ("etc/lists/team", "# the team\nann@x.example,\n  bob\n\nJoe <joe@x.example>, :include:lists/more\n"),
        ("etc/lists/more", "zoe\n"),
    ];
    for name in
        [":include:lists/team", "\":include:lists/team\"", ":include:./lists/team", ":include:etc/lists/team"]
    {
        let text = format!("team: {name}, end\n");
        assert_eq!(shown(&text, &files), ["1 team => ann@x.example, bob, joe@x.example, zoe, end"], "{name}");
    }
    for name in ["/etc/passwd", "../x", "lists/../../x", "/"] {
        let fault = format!(
            "etc/aliases:1:4: `:include:{name}`: only files below the folder of this one are included"
        );
        assert_eq!(shown(&format!("a: :include:{name}\n"), &files), [fault]);
    }
}

#[test]
fn a_fault_of_an_included_file_names_it() {
    let files = [("etc/bad", "ok\n\nx, |cmd\n"), ("etc/self", ":include:self\n"), ("etc/list", "b@x\nq@y\n")];
    let command = "etc/bad:3:4: `|cmd`: no commands are run here; deliver to a server that runs them";
    assert_eq!(shown("a: :include:bad\n", &files), [command]);
    let deep = "etc/self:1:1: `:include:self`: files that include files more than 8 deep";
    assert_eq!(shown("a: :include:self\n", &files), [deep]);

    // So does what the grammar of the map finds later.
    let aliases = read("a: first, :include:list, last\n", &files);
    let alias = aliases.into_iter().next().unwrap().unwrap();
    assert_eq!(alias.value, "first, b@x, q@y, last");
    for (part, place) in [("first", "etc/aliases:1:4"), ("q@y", "etc/list:2:1"), ("last", "etc/aliases:1:26")]
    {
        let wrong = Wrong::at(alias.value.find(part).unwrap(), "no");
        assert_eq!(alias.value_fault(wrong).to_string(), format!("{place}: no"));
    }
    assert_eq!(alias.key_fault(Wrong::new("no")).to_string(), "etc/aliases:1:1: no");
}

#[test]
fn targets_are_bounded() {
    let many = format!("a: {}\n", "b,".repeat(MAX_TARGETS + 1));
    assert_eq!(shown(&many, &[]), ["etc/aliases:1:1: `a` has more than 10000 targets"]);
    let list = "b\n".repeat(MAX_TARGETS + 2);
    let faults = shown("a: :include:list\n", &[("etc/list", &list)]);
    assert_eq!(faults, ["etc/list:10002:1: more than 10000 targets for one name"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a:,\"<>()|/\\\\ @\n#é]{0,40}", any in "\\PC{0,40}") {
        for text in [text, any] {
            for alias in read(&text, &[("etc/a", &text)]).into_iter().flatten() {
                prop_assert!(!alias.key.is_empty() && !alias.value.is_empty());
                let _ = alias.value_fault(Wrong::at(alias.value.len(), "end"));
            }
        }
    }
}
