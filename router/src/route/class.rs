//! What kind of recipient an address is (Postfix's ADDRESS_CLASS_README), by its domain.

use switchyard_maps::{Answer, Snapshot, Unavailable};
use switchyard_smtp::address::{Domain, Host};

/// Kinds of recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// Our own mail domain.
    Local,
    /// A domain that is nothing but aliases: what no alias names, does not exist.
    VirtualAlias,
    /// A domain that we take mail for and pass it on.
    Relay,
    /// The rest of the world.
    Default,
}

impl AddressClass {
    /// The word for it, in Postfix's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::VirtualAlias => "virtual alias",
            Self::Relay => "relay",
            Self::Default => "default",
        }
    }
}

/// The class of an address at `host`.
///
/// # Errors
/// When a map cannot be asked: then nobody knows.
pub fn classify(snapshot: &Snapshot, origin: &Domain, host: &Host) -> Result<AddressClass, Unavailable> {
    let Host::Domain(domain) = host else { return Ok(AddressClass::Default) };
    match snapshot.is_alias_domain(domain) {
        Answer::Found(_) => return Ok(AddressClass::VirtualAlias),
        Answer::Unavailable(unavailable) => return Err(unavailable),
        Answer::NotFound => {}
    }
    match snapshot.is_relay_domain(domain) {
        Answer::Found(_) => Ok(AddressClass::Relay),
        Answer::Unavailable(unavailable) => Err(unavailable),
        Answer::NotFound if domain == origin => Ok(AddressClass::Local),
        Answer::NotFound => Ok(AddressClass::Default),
    }
}
