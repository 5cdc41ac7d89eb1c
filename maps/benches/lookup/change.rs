//! A map with one entry in a hundred changed: the merge, the difference found again, and the changes beside the map.

use std::time::Instant;

use switchyard_maps::artifact::exact::layered::{Moved, Since, Stretch};
use switchyard_maps::artifact::exact::{Op, diff, merge};
use switchyard_maps::artifact::{Container, Exact, Layered};

use crate::sample::Site;

/// Prints both times.
pub(crate) fn report(map: &Exact, site: &Site) {
    let ops: Vec<Op<'_>> = (0..site.keys.len()).step_by(100).map(|number| op(site, number)).collect();
    let start = Instant::now();
    let merged = merge(map, &ops, Some, std::io::Cursor::new(Vec::new())).unwrap().into_inner();
    println!("1 % delta           {:>10.3} s", start.elapsed().as_secs_f64());
    let merged = Exact::open(Container::open(merged.into()).unwrap()).unwrap();
    let start = Instant::now();
    let counts = diff::count(map, &merged).unwrap();
    assert_eq!(counts.added + counts.removed + counts.changed, ops.len() as u64);
    println!("its diff            {:>10.3} s", start.elapsed().as_secs_f64());
}

/// The same map with the changes beside it; every line stands where it stood.
pub(crate) fn beside(map: Exact, site: &Site) -> Layered {
    let map = Layered::from(map);
    let ops: Vec<Op<'_>> = (0..site.keys.len()).step_by(100).map(|number| op(site, number)).collect();
    let mut moved = Moved::default();
    moved.push(Stretch { start: 1, end: site.keys.len() as u32 + 1, new: 1 }).unwrap();
    let start = Instant::now();
    let keys = ops.iter().fold(map.len(), |keys, op| match op {
        Op::Delete { .. } => keys - 1,
        Op::Put { key, .. } => keys + u64::from(map.find(key).unwrap().is_none()),
    });
    let changes = Since { ops, moved, keys }.encode(map.base()).unwrap();
    println!("1 % beside          {:>10.3} s, {} octets", start.elapsed().as_secs_f64(), changes.len());
    Layered::with(map.into_base(), Container::open(changes.into()).unwrap()).unwrap()
}

/// Of three changes one is a new key, one a key gone, one another route.
fn op(site: &Site, number: usize) -> Op<'_> {
    let key = site.keys.get(number);
    let line = number as u32 + 1;
    match number / 100 % 3 {
        0 => Op::Put { key: format!("new.{key}").into(), value: site.route(number).into(), line },
        1 => Op::Delete { key: key.into() },
        _ => Op::Put { key: key.into(), value: "smtp:[elsewhere.example.net]".into(), line },
    }
}
