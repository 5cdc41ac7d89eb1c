//! What is left of files that cannot be linked.

use std::fs::File;

use super::*;
use crate::artifact::exact::layered::{Moved, Since, Stretch};
use crate::installed::install_over;
use crate::options::MapOptions;

/// Users of a table that is large enough to keep its file.
const USERS: u32 = 20_000;

fn users(from: u32) -> String {
    (from..USERS).map(|number| format!("user{number:05}@example.org smtp:[box.example]\n")).collect()
}

/// Two sets, the second one with changes beside the first one's table.
fn sets(folder: &Path) -> PathBuf {
    let mut base = None;
    for (number, text) in (0..).zip([users(0), users(1)]) {
        let (texts, set) = (folder.join(format!("text{number}")), folder.join(format!("set{number}")));
        fs::create_dir(&texts).unwrap();
        File::create(texts.join("routes")).unwrap().write_all(text.as_bytes()).unwrap();
        let options = MapOptions { folder: texts, ..MapOptions::default() };
        let over = Over { base, ..Over::default() };
        install_over(&options.with_file(MapName::Transport, "routes"), &set, &over).unwrap();
        base = Some(set);
    }
    base.unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

const TABLE: &str = "0.swm";
const CHANGES: &str = "0.swm.changes";

#[test]
fn a_table_is_there_with_its_changes_or_not_at_all() {
    let place = tempfile::tempdir().unwrap();
    let base = sets(place.path());
    let source = blake3::hash(users(1).as_bytes());
    // What stands under a name already is no link.
    let trial = |number: u32, in_the_way: Option<&str>, keeps: &dyn Fn(&mut Folder<'_>) -> bool| {
        let folder = place.path().join(format!("trial{number}"));
        fs::create_dir(&folder).unwrap();
        in_the_way.map(|name| File::create(folder.join(name)).unwrap());
        let kept = keeps(&mut Folder::new(
            &folder,
            Base::open(&Over { base: Some(base.clone()), ..Over::default() }),
        ));
        assert_eq!(kept, in_the_way.is_none());
        let want = in_the_way.map_or(BTreeSet::from([TABLE, CHANGES]), |name| BTreeSet::from([name]));
        assert_eq!(names(&folder), want.into_iter().map(str::to_owned).collect());
    };
    let again = |folder: &mut Folder<'_>| {
        let rules = folder.base.as_ref().unwrap().tables[0].artifact.origin.clone().unwrap().rules;
        folder.again(&source, &rules).is_some()
    };
    trial(0, None, &again);
    trial(1, Some(TABLE), &again);
    trial(2, Some(CHANGES), &again);
    let beside = |folder: &mut Folder<'_>| {
        let base = folder.base.as_mut().unwrap();
        let artifact = base.tables[0].artifact.clone();
        let Some(Table::Exact(table)) = base.sound(&artifact) else { panic!("of whole keys") };
        let mut moved = Moved::default();
        moved.push(Stretch { start: 1, end: USERS, new: 1 }).unwrap();
        let nothing = Since { ops: Vec::new(), moved, keys: table.len() };
        let changes = table.since_base(nothing).unwrap().encode(table.base()).unwrap();
        let made = Made { origin: None, way: Way::Layered };
        folder.beside(made, table.base(), &changes).is_ok()
    };
    trial(3, None, &beside);
    trial(4, Some(TABLE), &beside);
}
