//! A header as a list of fields, each kept as the octets that it came in.

use bytes::Bytes;

use crate::event::Field;

/// One field: whole lines, each ending in CR LF.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    octets: Bytes,
    /// Octets of the name.
    name: usize,
    /// We put it on top ourselves, and filters are not shown it.
    hidden: bool,
}

/// All fields, in their order.
#[derive(Debug, Clone, Default)]
pub struct Header {
    fields: Vec<Kept>,
}

impl Kept {
    fn name(&self) -> &[u8] {
        self.octets.get(..self.name).unwrap_or_default()
    }

    fn has_name(&self, name: &[u8]) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// As a filter is told it: line ends as LF alone.
    pub(super) fn told(&self) -> Field {
        let line = self.octets.get(self.name..).unwrap_or_default();
        // What stands between the name and its colon is obsolete and belongs to neither (RFC 5322 §4.5).
        let colon = memchr::memchr(b':', line).map_or(line.len(), |colon| colon + 1);
        let value = line.get(colon..).unwrap_or_default();
        let value = value.strip_suffix(b"\r\n").unwrap_or(value);
        let told = match memchr::memchr(b'\r', value) {
            None => self.octets.slice_ref(value),
            Some(_) => value.split(|octet| *octet == b'\r').collect::<Vec<_>>().concat().into(),
        };
        Field { name: self.octets.slice(..self.name), value: told }
    }

    /// A field that a filter gave; its value was checked when it came.
    fn given(field: &Field, hidden: bool) -> Self {
        let mut octets = Vec::with_capacity(field.name.len() + field.value.len() + 8);
        octets.extend_from_slice(&field.name);
        octets.push(b':');
        for (number, line) in field.value.split(|octet| *octet == b'\n').enumerate() {
            if number > 0 {
                octets.extend_from_slice(b"\r\n");
            }
            octets.extend_from_slice(line);
        }
        octets.extend_from_slice(b"\r\n");
        Self { octets: octets.into(), name: field.name.len(), hidden }
    }
}

impl Header {
    /// Parts the fields of `added` and of `plain`; also whether an empty line follows them, and the body.
    pub(super) fn split(added: &Bytes, plain: &Bytes) -> (Self, bool, Bytes) {
        let mut fields = Vec::new();
        let _ = take_fields(added, true, &mut fields);
        let rest = take_fields(plain, false, &mut fields);
        let parted = rest.starts_with(b"\r\n");
        let body = if parted { rest.slice(2..) } else { rest };
        (Self { fields }, parted, body)
    }

    /// What filters are shown.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Kept> {
        self.fields.iter().filter(|field| !field.hidden)
    }

    /// ADDHEADER: at the end.
    pub(super) fn add(&mut self, field: &Field) {
        self.fields.push(Kept::given(field, false));
    }

    /// INSHEADER: at a place among all fields, or at the end where there are fewer.
    pub(super) fn insert(&mut self, index: u32, field: &Field) {
        let place = usize::try_from(index).unwrap_or(usize::MAX).min(self.fields.len());
        self.fields.insert(place, Kept::given(field, false));
    }

    /// CHGHEADER: the `index`th of that name, from 1. No value deletes it. One that is not there is added.
    pub(super) fn change(&mut self, index: u32, field: &Field) {
        let wanted = usize::try_from(index.max(1)).unwrap_or(usize::MAX);
        let named = self.fields.iter().enumerate();
        let mut named = named.filter(|(_, kept)| !kept.hidden && kept.has_name(&field.name));
        let place = named.nth(wanted - 1).map(|(place, _)| place);
        let deletes = field.value.is_empty();
        match place {
            Some(place) if deletes => {
                self.fields.remove(place);
            }
            Some(place) => {
                if let Some(kept) = self.fields.get_mut(place) {
                    *kept = Kept::given(field, kept.hidden);
                }
            }
            None if deletes => {}
            None => self.add(field),
        }
    }

    /// The octets of each field: down to the last of those that we added, and the rest.
    pub(super) fn octets(&self) -> (impl Iterator<Item = &Bytes>, impl Iterator<Item = &Bytes>) {
        let added = self.fields.iter().rposition(|field| field.hidden).map_or(0, |last| last + 1);
        let (added, rest) = self.fields.split_at_checked(added).unwrap_or((&[], &self.fields));
        (added.iter().map(|field| &field.octets), rest.iter().map(|field| &field.octets))
    }
}

/// Parts fields from the front of `octets`; what is left begins with no field.
fn take_fields(octets: &Bytes, hidden: bool, fields: &mut Vec<Kept>) -> Bytes {
    let mut rest = octets.clone();
    while let Some(name) = field_name(&rest) {
        let mut end = line_end(&rest, 0);
        // RFC 5322 §2.2.3: a line that begins with a space or a tab belongs to the one before.
        while matches!(rest.get(end), Some(b' ' | b'\t')) {
            end = line_end(&rest, end);
        }
        fields.push(Kept { octets: ended(&rest.split_to(end)), name, hidden });
    }
    rest
}

/// Octets of the name, where a line is a field's first.
fn field_name(line: &[u8]) -> Option<usize> {
    let name = line.iter().take_while(|octet| octet.is_ascii_graphic() && **octet != b':').count();
    let behind = line.get(name..)?;
    let blanks = behind.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    (name > 0 && behind.get(blanks) == Some(&b':')).then_some(name)
}

/// Behind the line that begins at `from`: behind the next CR LF.
fn line_end(octets: &[u8], from: usize) -> usize {
    let rest = octets.get(from..).unwrap_or_default();
    let mut ends = memchr::memchr_iter(b'\n', rest);
    let end = ends.find(|end| end.checked_sub(1).and_then(|cr| rest.get(cr)) == Some(&b'\r'));
    end.map_or(octets.len(), |end| from + end + 1)
}

/// A last line may lack its end.
fn ended(field: &Bytes) -> Bytes {
    if field.ends_with(b"\r\n") { field.clone() } else { [field, &b"\r\n"[..]].concat().into() }
}
