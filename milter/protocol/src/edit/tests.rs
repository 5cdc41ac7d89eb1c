//! Edits that would change more than they say.

use super::*;

fn value(value: &'static str) -> Result<Bytes, EditError> {
    let field = Field { name: "X".into(), value: value.into() };
    match Edit::AddHeader(field).check()? {
        Edit::AddHeader(field) => Ok(field.value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn m4_a_value_folds_or_is_refused() {
    for (sent, expected) in [
        ("plain", Ok("plain")),
        ("", Ok("")),
        ("a\n\tb", Ok("a\n\tb")),
        ("a\r\n b\r\n\tc", Ok("a\n b\n\tc")),
        ("a\n", Ok("a")),
        ("a\r\n", Ok("a")),
        ("\n a", Ok("\n a")),
        ("a\nb", Err(EditError::Value)),
        ("a\r\nBcc: all@example.org", Err(EditError::Value)),
        ("a\n.\n", Err(EditError::Value)),
        ("a\r b", Err(EditError::Value)),
        ("a\r", Ok("a")),
        ("a\r\r\n b", Err(EditError::Value)),
        ("a\n\n", Err(EditError::Value)),
        ("a\n\n b", Err(EditError::Value)),
        ("a\0b", Err(EditError::Value)),
    ] {
        assert_eq!(value(sent), expected.map(Bytes::from), "{sent:?}");
    }
}

#[test]
fn m4_names_indexes_paths_and_reasons() {
    let field = |name: &'static str| Field { name: name.into(), value: "v".into() };
    for name in ["", "a b", "a:", "a\r\nb", "\u{e4}", "a\0"] {
        assert_eq!(Edit::AddHeader(field(name)).check(), Err(EditError::Name), "{name:?}");
    }
    for (index, sound) in [(0, true), (1, true), (1_000_000_000, true), (1 << 31, false), (u32::MAX, false)] {
        assert_eq!(Edit::ChgHeader { index, field: field("X") }.check().is_ok(), sound, "{index}");
        assert_eq!(Edit::InsHeader { index, field: field("X") }.check().is_ok(), sound, "{index}");
    }
    for path in ["a\r\nDATA", "a\nb", "a\0"] {
        assert_eq!(Edit::AddRcpt(Path::new(path)).check(), Err(EditError::Path), "{path:?}");
        assert_eq!(Edit::DelRcpt(path.into()).check(), Err(EditError::Path), "{path:?}");
    }
    let arguments = vec!["RET=HDRS\r\nDATA".into()];
    let from = Path { path: "<>".into(), arguments };
    assert_eq!(Edit::ChgFrom(from).check(), Err(EditError::Path));
    assert_eq!(Edit::Quarantine("a\nb".into()).check(), Err(EditError::Reason));
    assert!(Edit::Quarantine("spam".into()).check().is_ok());
}
