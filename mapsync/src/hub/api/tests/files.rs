//! Files and what changed in them.

use std::io::Write as _;

use switchyard_mapsync_protocol::{delta, packed};

use super::*;

#[tokio::test]
async fn y6_a_file_is_what_its_name_says_and_no_longer_than_may_be() {
    let bench = Bench::new();
    let path = format!("/v1/blobs/{}", Hash::of(b"one"));
    let wrong = bench.ask(ANN, Method::PUT, &path, &[], b"two").await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "wrong-hash"));
    assert_eq!(bench.put(&[0; 100_001]).await.problem(), "too-long");
    for bad in ["x", "blake3-00", "..%2f..%2fetc%2fpasswd"] {
        let answer = bench.get(MX1, &format!("/v1/blobs/{bad}"), &[]).await;
        assert_eq!(answer.problem(), "bad-request", "{bad}");
    }
    for _ in 0..2 {
        bench.put(&vec![7; 100_000]).await;
    }
    bench.put(&vec![8; 100_000]).await;
    assert_eq!(bench.put(&vec![9; 100_000]).await.problem(), "full");
    assert_eq!(bench.shared.blobs.octets(), 200_000);
}

#[tokio::test]
async fn a_delta_is_what_changed_between_two_tables() {
    let bench = Bench::new();
    let table = |value: &str| {
        let lines =
            (0..2000).map(|n| format!("user{n:05}@example.org\t{}\n", if n == 7 { value } else { "a" }));
        lines.collect::<String>().into_bytes()
    };
    let (old, new) = (table("a"), table("b"));
    let path = format!("/v1/deltas/{}/{}", Hash::of(&old), Hash::of(&new));
    assert_eq!(bench.get(MX1, &path, &[]).await.problem(), "not-found");
    bench.put(&old).await;
    bench.put(&new).await;
    let found = bench.get(MX1, &path, &[]).await;
    assert_eq!(found.status, StatusCode::OK);
    assert!(found.body.len() < 400, "{} octets", found.body.len());
    let file = |octets: &[u8]| {
        let head = head(1, None, &[("maps/recipients", octets)]);
        File { kind: Kind::Records, records: 2000, ..head.files[0].clone() }
    };
    let applied = delta::apply(&old[..], &found.body[..], &file(&old), &file(&new), Vec::new()).unwrap();
    assert_eq!(applied, new);
    assert_eq!(bench.get(MX1, &path, &[]).await.body, found.body, "from what is kept");

    // Too much has changed, and what is no table.
    let other = old.iter().map(|octet| if *octet == b'a' { b'z' } else { *octet }).collect::<Vec<_>>();
    bench.put(&other).await;
    let path = format!("/v1/deltas/{}/{}", Hash::of(&old), Hash::of(&other));
    assert_eq!(bench.get(MX1, &path, &[]).await.problem(), "not-found");
    bench.put(b"[no table]").await;
    let path = format!("/v1/deltas/{}/{}", Hash::of(&old), Hash::of(b"[no table]"));
    assert_eq!(bench.get(MX1, &path, &[]).await.problem(), "not-found");
}

#[tokio::test]
async fn a_file_travels_packed_to_who_can_unpack_it() {
    let bench = Bench::new();
    let text = "user@example.org\tsmtp:[192.0.2.1]\n".repeat(2500);
    assert_eq!(bench.put(text.as_bytes()).await.status, StatusCode::CREATED);
    let path = format!("/v1/blobs/{}", Hash::of(text.as_bytes()));
    let packed = bench.get(MX1, &path, &[("accept-encoding", "gzip, zstd")]).await;
    assert_eq!(packed.headers[header::CONTENT_ENCODING], "zstd");
    assert!(packed.body.len() < text.len() / 10, "{} octets", packed.body.len());
    let mut unpacked = Vec::new();
    let mut pourer = packed::Pourer::new(&mut unpacked).unwrap();
    pourer.write_all(&packed.body).unwrap();
    pourer.flush().unwrap();
    drop(pourer);
    assert_eq!(unpacked, text.as_bytes());
    for as_it_is in
        [&[][..], &[("accept-encoding", "zstd;q=0")], &[("accept-encoding", "zstd"), ("range", "bytes=0-3")]]
    {
        let answer = bench.get(MX1, &path, as_it_is).await;
        assert!(!answer.headers.contains_key(header::CONTENT_ENCODING), "{as_it_is:?}");
        assert!(text.as_bytes().starts_with(&answer.body), "{as_it_is:?}");
    }
    let asked = bench.ask(MX1, Method::HEAD, &path, &[("accept-encoding", "zstd")], b"").await;
    assert_eq!(asked.headers[header::CONTENT_LENGTH], text.len().to_string().as_str());
}
