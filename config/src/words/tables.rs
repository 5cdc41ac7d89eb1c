//! The tables of a map: one, or a list in the order they are asked.

use switchyard_maps::TableSpec;

use super::{Word, quoted, text};
use crate::document::Node;
use crate::reference::Form;

/// Tables of one map, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables(pub Vec<TableSpec>);

impl Word for Tables {
    const KIND: &'static str = "table, or list of tables";
    const FORM: Form = Form::Texts;

    fn read(node: &Node) -> Result<Self, String> {
        match node {
            Node::List(items) => {
                items.iter().map(|item| table(&item.node)).collect::<Result<_, _>>().map(Self)
            }
            one => Ok(Self(vec![table(one)?])),
        }
    }

    fn write(&self) -> String {
        let written: Vec<String> = self.0.iter().map(|table| quoted(&table.to_string())).collect();
        match &*written {
            [one] => one.clone(),
            _ => format!("[{}]", written.join(", ")),
        }
    }

    fn blank() -> Self {
        Self::default()
    }
}

fn table(node: &Node) -> Result<TableSpec, String> {
    let word = text(node)?;
    TableSpec::parse(word).map_err(|bad| format!("\"{word}\": {bad}"))
}
