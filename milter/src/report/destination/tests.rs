//! Who may get a domain's reports, by what the DNS says.

use super::*;
use crate::dns::zone::Zone;

/// The addresses, of those that a policy at `domain` names, that get its reports.
async fn told(zone: Zone, domain: &str, named: &[&str]) -> Result<Vec<String>, Unknown> {
    let named: Vec<String> = named.iter().map(|&address| address.to_owned()).collect();
    let allowed = allowed(&zone.serve().await, domain, &named).await?;
    Ok(allowed.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn an_organization_gets_its_own_reports_without_asking_for_them() {
    let zone = Zone::default()
        .text("_dmarc.example.net", "v=DMARC1; p=none")
        .text("_dmarc.shop.example.net", "v=DMARC1; p=none; rua=mailto:a@example.net");
    let own = ["a@shop.example.net", "a@mail.shop.example.net", "a@example.net", "a@other.example.net"];
    assert_eq!(told(zone, "shop.example.net", &own).await.unwrap(), own);
}

#[tokio::test]
async fn a_name_that_ends_alike_is_a_stranger() {
    let zone = Zone::default().text("_dmarc.example.org", "v=DMARC1; p=none");
    let named = ["a@badexample.org", "a@example.com"];
    assert!(told(zone, "example.org", &named).await.unwrap().is_empty());
}

#[tokio::test]
async fn customers_of_a_registry_are_strangers_to_one_another() {
    // RFC 9989 §4.10.2: `psd=y` says that each name below is an organization of its own.
    let zone = Zone::default()
        .text("_dmarc.registry", "v=DMARC1; psd=y")
        .text("_dmarc.one.registry", "v=DMARC1; p=none");
    let named = ["a@two.registry", "a@mail.one.registry"];
    assert_eq!(told(zone, "one.registry", &named).await.unwrap(), ["a@mail.one.registry"]);
}

#[tokio::test]
async fn a_stranger_gets_them_who_says_so_and_at_its_own_host_only() {
    let zone = Zone::default()
        .text("_dmarc.example.org", "v=DMARC1; p=reject")
        .text("example.org._report._dmarc.willing.example", "v=DMARC1")
        .text("example.org._report._dmarc.moved.example", "v=DMARC1; rua=mailto:new@moved.example")
        .text("example.org._report._dmarc.sly.example", "v=DMARC1; rua=mailto:boss@victim.example")
        .text("example.com._report._dmarc.picky.example", "v=DMARC1");
    let named =
        ["a@willing.example", "a@moved.example", "a@sly.example", "a@picky.example", "a@silent.example"];
    assert_eq!(told(zone, "example.org", &named).await.unwrap(), ["a@willing.example", "new@moved.example"]);
}

#[tokio::test]
async fn nobody_gets_one_twice_and_what_is_no_address_gets_none() {
    let zone = Zone::default()
        .text("example.org._report._dmarc.moved.example", "v=DMARC1; rua=mailto:new@moved.example");
    let named =
        ["a@example.org", "a@example.org", "b@moved.example", "c@moved.example", "nobody", "x@[192.0.2.1]"];
    assert_eq!(told(zone, "example.org", &named).await.unwrap(), ["a@example.org", "new@moved.example"]);
}

#[tokio::test]
async fn what_the_dns_cannot_say_now_is_no_answer() {
    let unwilling = Zone::default().failing("example.org._report._dmarc.consumer.example");
    assert!(told(unwilling, "example.org", &["a@consumer.example"]).await.is_err());
    let unknown = Zone::default().failing("_dmarc.example.org");
    assert!(told(unknown, "example.org", &["a@consumer.example"]).await.is_err());
}
