//! Who somebody is: the environment, the role and the name in a certificate.
//!
//! They stand in the one URI `spiffe://ENVIRONMENT/ROLE/NAME` among the certificate's alternative names, where a
//! common name or a host name cannot be taken for them. An authority that several environments share is no harm:
//! the environment is part of it. Only a hub has several: one for each environment that it serves.

use std::fmt;
use std::str::FromStr;

use switchyard_mapsync_protocol::Environment;
use switchyard_mapsync_protocol::release::HOST;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What somebody may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A host that takes what is released.
    Agent,
    /// Another hub.
    Hub,
    /// Someone who pushes generations.
    Push,
    /// Someone who also changes whose keys count.
    Admin,
    /// Someone who looks: monitoring, a page of the fleet.
    Read,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Agent, Self::Hub, Self::Push, Self::Admin, Self::Read];

    /// The word in a certificate.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Hub => "hub",
            Self::Push => "push",
            Self::Admin => "admin",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Where it counts.
    pub environment: Environment,
    /// What may be asked for.
    pub role: Role,
    /// The host, or the person.
    pub name: String,
}

/// A certificate that says of nobody who it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoIdentity {
    /// It cannot be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// It has no URI of ours, or several.
    #[error(
        "the certificate names {0} identities and needs one: a URI spiffe://ENVIRONMENT/ROLE/NAME among its \
         alternative names"
    )]
    Count(usize),
    /// The URI is of another form.
    #[error(
        "`{0}` is not of the form spiffe://ENVIRONMENT/ROLE/NAME, with a role agent, hub, push, admin or read"
    )]
    Form(String),
}

const SCHEME: &str = "spiffe://";

impl Identity {
    /// Reads a certificate, DER: its one identity, or those of a hub that serves several environments.
    ///
    /// # Errors
    /// When it says not who it is, or says it twice.
    pub fn of_certificate(der: &[u8]) -> Result<Vec<Self>, NoIdentity> {
        let identities = Self::all_of_certificate(der)?;
        let is_hub = identities.iter().all(|identity| identity.role == Role::Hub);
        if is_hub || identities.len() == 1 {
            Ok(identities)
        } else {
            Err(NoIdentity::Count(identities.len()))
        }
    }

    /// All that a certificate names, whatever they are.
    ///
    /// # Errors
    /// When it says not who it is.
    pub fn all_of_certificate(der: &[u8]) -> Result<Vec<Self>, NoIdentity> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NoIdentity::Certificate)?;
        let names = certificate.subject_alternative_name().map_err(|_| NoIdentity::Certificate)?;
        let names = names.map_or(&[][..], |names| &names.value.general_names);
        let uris: Vec<&str> = names
            .iter()
            .filter_map(|name| match name {
                GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some(*uri),
                _ => None,
            })
            .collect();
        if uris.is_empty() { Err(NoIdentity::Count(0)) } else { uris.into_iter().map(str::parse).collect() }
    }
}

impl FromStr for Identity {
    type Err = NoIdentity;

    fn from_str(uri: &str) -> Result<Self, NoIdentity> {
        let form = || NoIdentity::Form(uri.chars().take(200).collect());
        let parts: Vec<&str> = uri.strip_prefix(SCHEME).ok_or_else(form)?.splitn(4, '/').collect();
        let [environment, role, name] = parts[..] else { return Err(form()) };
        let role = Role::ALL.into_iter().find(|known| known.as_str() == role).ok_or_else(form)?;
        let environment = Environment::try_from(environment.to_owned()).map_err(|_| form())?;
        if !is_name(name) {
            return Err(form());
        }
        Ok(Self { environment, role, name: name.to_owned() })
    }
}

/// A name of a host or a person: plain letters, so that it may stand in a path and in a log.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._@-".contains(&octet);
    (1..=HOST).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain)
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { environment, role, name } = self;
        write!(formatter, "{SCHEME}{environment}/{role}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: &str, names: &[SanType]) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        parameters.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    #[test]
    fn y8_only_the_one_uri_says_who_somebody_is() {
        let push = "spiffe://live/push/ann";
        let [known] = &Identity::of_certificate(&certificate("x", &[uri(push)])).unwrap()[..] else {
            panic!()
        };
        assert_eq!((known.role, known.name.as_str(), known.to_string().as_str()), (Role::Push, "ann", push));

        // Neither a common name nor a host name is looked at, and two identities are none.
        assert_eq!(Identity::of_certificate(&certificate(push, &[])), Err(NoIdentity::Count(0)));
        let host = SanType::DnsName("push.live".try_into().unwrap());
        let agent = Identity::of_certificate(&certificate(push, &[host, uri("spiffe://live/agent/mx1")]));
        assert_eq!(agent.unwrap()[0].role, Role::Agent);
        let both = certificate("x", &[uri("spiffe://live/agent/mx1"), uri(push)]);
        assert_eq!(Identity::of_certificate(&both), Err(NoIdentity::Count(2)));
        // A hub serves several environments, and is nothing else beside.
        let hub = ["spiffe://live/hub/hub1", "spiffe://test/hub/hub1"].map(uri);
        assert_eq!(Identity::of_certificate(&certificate("x", &hub)).unwrap().len(), 2);
        let mixed = certificate("x", &[hub[0].clone(), uri("spiffe://test/admin/hub1")]);
        assert_eq!(Identity::of_certificate(&mixed), Err(NoIdentity::Count(2)));
        assert_eq!(Identity::of_certificate(b"no certificate"), Err(NoIdentity::Certificate));
    }

    #[test]
    fn an_identity_has_one_form() {
        assert!("spiffe://live/agent/mx1.example.org".parse::<Identity>().is_ok());
        for bad in [
            "spiffe://live/root/ann",
            "spiffe://live/Agent/mx1",
            "spiffe://live/agent",
            "spiffe://live/agent/",
            "spiffe://live/agent/..",
            "spiffe://live/agent/a/b",
            "spiffe://live/agent/a b",
            "spiffe://Live/agent/a",
            "spiffe:///agent/a",
            "https://live/agent/a",
        ] {
            assert_eq!(bad.parse::<Identity>(), Err(NoIdentity::Form(bad.to_owned())), "{bad}");
        }
    }
}
