//! What changes make of a map, and what lies between two maps.

use super::*;

fn merged(base: &Exact, ops: &[Op<'_>]) -> Result<Vec<u8>, MergeError> {
    merge(base, ops, Some, std::io::Cursor::new(Vec::new())).map(std::io::Cursor::into_inner)
}

fn put(key: &str, value: &str, line: u32) -> Op<'static> {
    Op::Put { key: key.to_owned().into(), value: value.to_owned().into(), line }
}

fn delete(key: &str) -> Op<'static> {
    Op::Delete { key: key.to_owned().into() }
}

/// The changes that lead from one model to the other, and the other's file.
fn ops_between(old: &Model, new: &Model) -> Vec<Op<'static>> {
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| delete(key));
    let put_in = new.iter().filter(|(key, entry)| old.get(*key) != Some(entry));
    gone.chain(put_in.map(|(key, (value, line))| put(key, value, *line))).collect()
}

#[test]
fn changes_that_do_not_fit_the_map_are_refused() {
    let base = open(&octets_of(&users(3))).unwrap();
    let key = "user1@example.org";
    assert!(matches!(merged(&base, &[delete("nobody")]), Err(MergeError::Missing(key)) if key == "nobody"));
    assert!(
        matches!(merged(&base, &[delete(key), put(key, "v", 1)]), Err(MergeError::Twice(twice)) if twice == key)
    );
    let long = "k".repeat(MOST_KEY + 1);
    assert!(matches!(merged(&base, &[put(&long, "v", 1)]), Err(MergeError::TooLarge(TooLarge::Key(_)))));
    let long = "v".repeat(MOST_VALUE + 1);
    assert!(matches!(merged(&base, &[put("k", &long, 1)]), Err(MergeError::TooLarge(TooLarge::Value(_)))));
}

#[test]
fn a_merge_that_crowds_a_bucket_or_relieves_one_is_what_a_builder_makes() {
    let keys = crowd(hash::MOST_IN_BUCKET + 1);
    let crowded: Model =
        keys.iter().zip(1..).map(|(key, line)| (key.clone(), (format!("v{line}"), line))).collect();
    let fewer: Model = crowded.clone().into_iter().skip(1).collect();
    for (old, new) in [(&fewer, &crowded), (&crowded, &fewer)] {
        let base = open(&octets_of(old)).unwrap();
        assert!(merged(&base, &ops_between(old, new)).unwrap() == octets_of(new));
        // Two seeds: each key of one is asked of the other.
        let other = open(&octets_of(new)).unwrap();
        assert_ne!(base.seed(), other.seed());
        assert_eq!(told(&base, &other), differences(old, new));
    }
}

type Told = BTreeMap<String, (Option<String>, Option<String>)>;

/// What `diff` says of two maps: for each key the value before and after.
fn told(old: &Exact, new: &Exact) -> Told {
    let mut told = Told::new();
    let mut counts = diff::Counts::default();
    for difference in diff(old, new) {
        let (key, values) = match difference.unwrap() {
            diff::Difference::Added(new) => {
                counts.added += 1;
                (new.key, (None, Some(new.value.to_owned())))
            }
            diff::Difference::Removed(old) => {
                counts.removed += 1;
                (old.key, (Some(old.value.to_owned()), None))
            }
            diff::Difference::Changed(old, new) => {
                assert_eq!(old.key, new.key);
                counts.changed += 1;
                (old.key, (Some(old.value.to_owned()), Some(new.value.to_owned())))
            }
        };
        assert!(told.insert(key.to_owned(), values).is_none(), "{key} is told twice");
    }
    assert_eq!(diff::count(old, new).unwrap(), counts);
    told
}

fn differences(old: &Model, new: &Model) -> Told {
    let value = |model: &Model, key: &String| model.get(key).map(|(value, _)| value.clone());
    let keys = old.keys().chain(new.keys());
    let values = keys.map(|key| (key.clone(), (value(old, key), value(new, key))));
    values.filter(|(_, (old, new))| old != new).collect()
}

proptest! {
    #[test]
    fn a_merge_is_what_a_builder_makes_of_the_merged_content(old in model(), new in model(), all_new in any::<bool>()) {
        // Either anything else, or the old one with changes.
        let mut new = new;
        if !all_new {
            old.iter().skip(3).for_each(|(key, entry)| {
                new.entry(key.clone()).or_insert(entry.clone());
            });
        }
        let base = open(&octets_of(&old)).unwrap();
        let octets = merged(&base, &ops_between(&old, &new)).unwrap();
        prop_assert!(octets == octets_of(&new));
        let merged = open(&octets).unwrap();
        assert_says(&merged, &new);
        prop_assert_eq!(told(&base, &merged), differences(&old, &new));
    }
}
