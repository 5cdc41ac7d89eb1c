//! What is wrong with a site is told with file and line, and changes nothing.

use super::{Made, switchyard, write};

/// What stands in `site.toml` or a layer, and what is said of it.
const BAD: &[(&str, &str, &str, &str)] = &[
    (
        "a hole without its fact",
        "role/mx.toml",
        "[trust]\nproxy_networks = [\"${balancer}\"]\n",
        "role/mx.toml:2:19: no fact `balancer`: state it in site.toml",
    ),
    (
        "a role that does not exist",
        "site.toml",
        "[[host]]\nname = \"mx1.example.org\"\nrole = \"mxx\"\naddresses = [\"192.0.2.1\"]\n",
        "site.toml:3:8: `role`: unknown role \"mxx\"; did you mean `mx`?",
    ),
    (
        "two hosts of one name",
        "site.toml",
        "[[host]]\nname = \"mx1.example.org\"\nrole = \"mx\"\naddresses = [\"192.0.2.1\"]\n\
         [[host]]\nname = \"mx1.example.org\"\nrole = \"router\"\naddresses = [\"192.0.2.2\"]\n",
        "site.toml:5:1: two hosts are named `mx1.example.org`: the other stands in line 1",
    ),
    ("no TOML", "base.toml", "[limits\nhops = 60\n", "base.toml:1:8: "),
];

#[test]
fn bad_input_is_told_with_file_and_line_and_changes_nothing() {
    for (what, name, text, said) in BAD {
        let made = Made::new();
        made.edit(name, |_| (*text).into());
        let (code, data, speech) = switchyard(&["check", &made.site()]);
        assert_eq!((code, data.as_str()), (Some(2), ""), "{what}: {speech}");
        assert!(speech.contains(&format!("{}/{said}", made.site())), "{what}: {speech}");

        let out = made.path("mx.toml");
        write(&out, "before");
        let (code, data, speech) =
            switchyard(&["render", &made.site(), "--host", "mx1", "--out", out.to_str().unwrap()]);
        assert_eq!((code, data.as_str()), (Some(2), ""), "{what}: {speech}");
        assert!(speech.contains(&format!("{}/{said}", made.site())), "{what}: {speech}");
        assert_eq!(std::fs::read_to_string(out).unwrap(), "before", "{what}");
        let into = made.path("into");
        let (code, ..) = switchyard(&["render", &made.site(), "--into", into.to_str().unwrap()]);
        assert!(code == Some(2) && !into.exists(), "{what}");
    }
}

#[test]
fn a_key_nobody_knows_is_told_with_the_nearest_one() {
    let made = Made::new();
    made.edit("base.toml", |_| "[limits]\nsesions = 5\n".into());
    let said = format!(
        "{}/base.toml:2:1: unknown key `sesions` in [limits]; did you mean `sessions`?\n",
        made.site()
    );
    let (code, _, speech) = switchyard(&["check", &made.site()]);
    assert_eq!((code, speech.as_str()), (Some(1), said.as_str()));
    let (code, data, speech) = switchyard(&["render", &made.site(), "--host", "mx1"]);
    assert_eq!((code, data.as_str(), speech.as_str()), (Some(2), "", said.as_str()));
    let (code, _, speech) = switchyard(&["check", made.path("nowhere").to_str().unwrap()]);
    assert!(code == Some(2) && speech.contains("cannot be read"), "{speech}");
}
