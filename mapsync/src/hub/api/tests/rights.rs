//! Who may ask what, and how it is described.

use super::*;
use crate::client::{Course, Standing};
use crate::hub::api::guard::RIGHTS;
use crate::hub::api::openapi::document;

/// Every role at every route: what the table does not give is refused, and what it gives is there.
#[tokio::test]
async fn y8_y11_each_role_has_its_routes_and_no_others() {
    let bench = Bench::new();
    let fill = |path: &str| {
        path.replace("{environment}", "live")
            .replace("{hash}", &Hash::of(b"nothing").to_string())
            .replace("{version}", "1")
            .replace("{generation}", "1")
            .replace("{host}", "x")
            .replace("{from}", &Hash::of(b"nothing").to_string())
            .replace("{to}", &Hash::of(b"nothing").to_string())
    };
    for right in RIGHTS {
        for role in crate::identity::Role::ALL {
            let who = format!("spiffe://live/{role}/x");
            let answer = bench.ask(&who, right.method.clone(), &fill(right.path), &[], b"").await;
            let (method, path) = (&right.method, right.path);
            let is_refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(!is_refused, right.roles.contains(&role), "{role}: {method} {path}");
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
        // The same authority, another environment; and a certificate without an identity.
        let other = "spiffe://test/admin/x";
        let answer = bench.ask(other, right.method.clone(), &fill(right.path), &[], b"").await;
        assert_eq!(answer.problem(), "forbidden");
        let nobody = bench.ask("https://x", right.method.clone(), &fill(right.path), &[], b"").await;
        assert_eq!(nobody.problem(), "forbidden");
    }
    assert_eq!(bench.get(MX1, "/v1/none", &[]).await.problem(), "not-found");
    assert_eq!(bench.ask(ANN, Method::DELETE, "/v1/heads/live", &[], b"").await.problem(), "method");
}

/// A hub of several environments speaks in each with what its certificate says of it.
#[tokio::test]
async fn y8_a_hub_of_several_environments_is_one_in_each() {
    let bench = Bench::new();
    let blob = format!("/v1/blobs/{}", Hash::of(b"x"));
    for both in
        ["spiffe://live/hub/hub2 spiffe://test/hub/hub2", "spiffe://test/hub/hub2 spiffe://live/hub/hub2"]
    {
        assert_eq!(bench.get(both, "/v1/roots/live", &[]).await.status, StatusCode::OK);
        assert_eq!(bench.get(both, "/v1/roots/test", &[]).await.problem(), "forbidden");
        assert_eq!(bench.get(both, "/v1/roots/other", &[]).await.problem(), "forbidden");
        let answer = bench.ask(both, Method::PUT, &blob, &[], b"x").await;
        assert!(answer.status.is_success(), "{}", answer.status);
        assert_eq!(bench.get(both, &blob, &[]).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_description_names_every_route_and_nothing_else() {
    let bench = Bench::new();
    let document = bench.get(EVE, "/v1/openapi.json", &[]).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let count = |path: &Value| path.as_object().unwrap().len();
    let operations: usize = document["paths"].as_object().unwrap().values().map(count).sum();
    assert_eq!(operations, RIGHTS.len());
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
    let one = signed(&head(1, None, &[]), &[PUSH]);
    fits("Kept", &bench.push(&one, "\"0\"").await.json());
    fits("Envelope", &bench.get(EVE, "/v1/heads/live", &[]).await.json());
    fits("Generation", &bench.get(EVE, "/v1/generations/live", &[]).await.json()[0]);
    let (state, why) = (Course::Goes, "no word of mx1".to_owned());
    let since = Some(Timestamp(100));
    let standing = Standing { plan: 4, generation: 1, step: 1, steps: 2, state, held: true, why, since };
    bench.shared.boards["live"].standing.send_replace(Some(standing.clone()));
    let told = bench.get(EVE, "/v1/rollouts/live", &[]).await.json();
    fits("Rollout", &told);
    assert_eq!(serde_json::from_value::<Standing>(told).unwrap(), standing);
    fits("Problem", &bench.get(EVE, "/v1/releases/live", &[]).await.json());
}

/// What is answered has the fields that the description names, and no others.
pub(super) fn fits(schema: &str, value: &Value) {
    let document = document(&live());
    let schema = &document["components"]["schemas"][schema];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(value), keys(&schema["properties"]));
    for (name, inner) in schema["properties"].as_object().unwrap() {
        if let (Some(items), Some(first)) =
            (inner.get("items"), value[name].as_array().and_then(|all| all.first()))
            && items.get("properties").is_some()
        {
            assert_eq!(keys(first), keys(&items["properties"]), "{name}");
        }
    }
}
