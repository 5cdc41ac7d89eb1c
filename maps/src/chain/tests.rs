//! Which table answers, and which ends the question.

use super::*;

fn exact(lines: &[(&str, &str)]) -> Member {
    Chain::of_lines(lines).members.remove(0)
}

fn member(table: Table) -> Member {
    Member { table, ..exact(&[]) }
}

fn say(chain: &Chain, key: &str) -> String {
    match chain.asking().whole(key, key) {
        Ok(Some(hit)) => format!("{} ({}.{})", hit.text, hit.member, hit.line),
        Ok(None) => "no".to_owned(),
        Err(Why::Unavailable(why)) => why.to_string(),
        Err(Why::Unknown(pending)) => format!("{}?", pending.key),
    }
}

#[test]
fn the_first_table_that_knows_a_key_answers() {
    let chain = Chain { members: vec![exact(&[("a", "1")]), exact(&[("a", "2"), ("b", "3")])] };
    assert_eq!((say(&chain, "a"), say(&chain, "b")), ("1 (0.1)".into(), "3 (1.2)".into()));
    assert_eq!(say(&chain, "c"), "no");
}

#[test]
fn a_table_that_fails_ends_the_question() {
    let chain = Chain {
        members: vec![exact(&[("a", "1")]), member(Table::Fail("closed".into())), exact(&[("b", "2")])],
    };
    assert_eq!(say(&chain, "a"), "1 (0.1)");
    assert_eq!(say(&chain, "b"), "test: closed");
}

#[test]
fn a_union_asks_all() {
    let union =
        vec![exact(&[("a", "1")]), exact(&[("a", "2"), ("b", "3")]), member(Table::Static("x".into()))];
    let chain = Chain { members: vec![member(Table::Union(union))] };
    assert_eq!(say(&chain, "a"), "1,2,x (0.1)");
    assert_eq!(say(&chain, "b"), "3,x (0.2)");
}
