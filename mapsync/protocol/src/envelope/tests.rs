use super::*;
use crate::head::Head;
use crate::head::tests::head;
use crate::release::Release;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32]).unwrap()
}

#[test]
fn an_envelope_comes_back_as_it_was_signed() {
    let mut signed = Signed::new(&head(1, None)).unwrap();
    signed.sign(&key(1));
    let back = Signed::from_json(&signed.to_json().unwrap()).unwrap();
    assert_eq!(back, signed);
    assert_eq!(back.read::<Head>().unwrap(), head(1, None));
    assert_eq!(back.signers(&[key(1).public(), key(2).public()]), 1);
}

#[test]
fn the_signature_is_over_type_and_lengths() {
    let signed = Signed { kind: Type::Head, payload: b"{}".to_vec(), signatures: Vec::new() };
    assert_eq!(signed.signed_octets(), b"DSSEv1 39 application/vnd.switchyard.head.v1+json 2 {}");
    for kind in [Type::Root, Type::Head, Type::Release] {
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
    }
}

#[test]
fn a_changed_octet_or_type_has_no_signers() {
    let mut signed = Signed::new(&head(1, None)).unwrap();
    signed.sign(&key(1));
    let keys = [key(1).public()];
    let other_type = Signed { kind: Type::Release, ..signed.clone() };
    assert_eq!(other_type.signers(&keys), 0);
    for at in 0..signed.payload.len() {
        let mut changed = signed.clone();
        changed.payload[at] ^= 1;
        assert_eq!(changed.signers(&keys), 0, "octet {at}");
    }
    let mut renamed = signed;
    renamed.signatures[0].0 = key(2).public().id();
    assert_eq!(renamed.signers(&[key(1).public(), key(2).public()]), 0);
}

#[test]
fn y4_one_key_counts_once_however_often_it_signed() {
    let mut signed = Signed::new(&head(1, None)).unwrap();
    for _ in 0..3 {
        signed.sign(&key(1));
    }
    assert_eq!(signed.signers(&[key(1).public(), key(1).public(), key(2).public()]), 1);
    signed.sign(&key(2));
    assert_eq!(signed.signers(&[key(1).public(), key(2).public()]), 2);
}

#[test]
fn y12_only_the_fixed_fields_are_read() {
    let plain = String::from_utf8(Signed::new(&head(1, None)).unwrap().to_json().unwrap()).unwrap();
    let bad = [
        plain.replacen('{', "{\"!!python/object\":1,", 1),
        plain.replace("head.v1", "head.v2"),
        plain.replace("\"signatures\":[]", "\"signatures\":{}"),
        plain.replace("\"signatures\":[]", "\"signatures\":[],\"signatures\":[]"),
        "[".repeat(100_000),
        String::new(),
        plain.clone() + "x",
    ];
    for text in bad {
        assert!(Signed::from_json(text.as_bytes()).is_err(), "{:.100}", text);
    }
    let long = " ".repeat(LONGEST + 1);
    assert!(matches!(Signed::from_json(long.as_bytes()), Err(Malformed::TooLong(_))));

    let payload = serde_json::to_string(&head(1, None)).unwrap();
    let read = |payload: String| {
        Signed { kind: Type::Head, payload: payload.into_bytes(), signatures: Vec::new() }.read::<Head>()
    };
    assert!(read(payload.clone()).is_ok());
    for (old, new) in [
        ("{\"environment\"", "{\"exec\":\"id\",\"environment\""),
        ("\"generation\":1", "\"generation\":\"1\""),
        ("\"generation\":1", "\"generation\":-1"),
        ("\"generation\":1", "\"generation\":18446744073709551616"),
        ("\"previous\":null,", ""),
        ("maps/transport", "../transport"),
        ("\"kind\":\"text\"", "\"kind\":\"program\""),
    ] {
        let changed = payload.replacen(old, new, 1);
        assert_ne!(changed, payload, "{old}");
        assert!(read(changed).is_err(), "{new}");
    }
    let as_release = Signed::from_json(plain.as_bytes()).unwrap().read::<Release>();
    assert!(matches!(as_release, Err(Malformed::Type { want: Type::Release, have: Type::Head })));
}

proptest::proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = Signed::from_json(&octets);
    }
}
