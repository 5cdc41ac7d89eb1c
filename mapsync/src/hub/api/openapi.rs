//! The description of all this for programs: OpenAPI 3.1, made of the table of rights, so that a route that is not
//! answered cannot stand in it and none that is answered can be left out.

use axum::response::Response;
use serde_json::{Map, Value, json};
use switchyard_daemon::control;
use switchyard_mapsync_protocol::{Environment, question};

use super::Asks;
use super::conditional::LONGEST_WAIT;
use super::guard::{Gives, RIGHTS, Right, Takes};
use crate::hub::sharing::PAGE;

/// The document, at `/v1/openapi.json`.
pub(crate) async fn openapi(Asks(caller): Asks) -> Response {
    control::answer(&document(&caller.environment))
}

/// For one who asks of this environment: there is no other for them.
pub(crate) fn document(environment: &Environment) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for right in RIGHTS {
        let path = paths.entry(right.path).or_insert_with(|| json!({}));
        path[right.method.as_str().to_ascii_lowercase()] = operation(right, environment);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Switchyard hub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Asked over TLS 1.3 with a certificate on both sides. Who asks stands in the \
                certificate's URI spiffe://ENVIRONMENT/ROLE/NAME; `x-roles` says which roles may use an operation.",
        },
        "security": [{ "certificate": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "certificate": { "type": "mutualTLS" } },
            "schemas": schemas(),
        },
    })
}

fn operation(right: &Right, environment: &Environment) -> Value {
    let roles: Vec<&str> = right.roles.iter().map(|role| role.as_str()).collect();
    let mut operation = json!({
        "summary": right.about,
        "x-roles": roles,
        "parameters": parameters(right, environment),
        "responses": responses(right),
    });
    let body = match right.takes {
        Takes::Nothing => return operation,
        Takes::Message => json!({ "application/json": { "schema": reference("Envelope") } }),
        Takes::Plan => json!({ "application/json": { "schema": reference("Plan") } }),
        Takes::Status => json!({ "application/json": { "schema": reference("Status") } }),
        Takes::Question => json!({ "application/json": { "schema": reference("Question") } }),
        Takes::Answer => json!({ "application/json": { "schema": reference("Answer") } }),
        Takes::Words => json!({ "application/json": { "schema": reference("Words") } }),
        Takes::File => json!({ "application/octet-stream": {} }),
    };
    operation["requestBody"] = json!({ "required": true, "content": body });
    operation
}

fn parameters(right: &Right, environment: &Environment) -> Vec<Value> {
    let holes = right.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> =
        holes.map(|name| parameter("path", name, true, &hole(name, environment))).collect();
    let tag = json!({ "type": "string", "pattern": "^\"[0-9]+\"$" });
    // What every reader of JSON has whole.
    let count = json!({ "type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1 });
    match (right.gives, right.takes) {
        (Gives::Newest, _) => {
            all.push(parameter("header", "If-None-Match", false, &tag));
            let prefer = json!({
                "type": "string",
                "examples": [format!("wait={}", LONGEST_WAIT.as_secs())],
            });
            all.push(parameter("header", "Prefer", false, &prefer));
            all.push(parameter("header", "Switchyard-Question", false, &count));
        }
        (Gives::Events, _) => {
            let id = json!({ "type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$" });
            all.push(parameter("header", "Last-Event-ID", false, &id));
        }
        (Gives::File, _) => all.push(parameter("header", "Range", false, &json!({ "type": "string" }))),
        (Gives::Generations, _) => {
            all.push(parameter("query", "before", false, &count));
            all.push(parameter("query", "limit", false, &count));
        }
        (Gives::Words, _) => {
            all.extend(["run", "after", "without"].map(|name| parameter("query", name, false, &count)));
        }
        (Gives::Number, Takes::Message) if right.path.starts_with("/v1/generations") => {
            all.push(parameter("header", "If-Match", true, &tag));
        }
        _ => {}
    }
    all
}

fn parameter(place: &str, name: &str, required: bool, schema: &Value) -> Value {
    json!({ "in": place, "name": name, "required": required, "schema": schema })
}

/// What may stand in a path.
fn hole(name: &str, environment: &Environment) -> Value {
    match name {
        "hash" | "from" | "to" => reference("Hash"),
        "generation" | "version" => json!({ "type": "integer", "minimum": 1 }),
        "environment" => json!({ "type": "string", "enum": [environment.to_string()] }),
        _ => json!({ "type": "string", "pattern": "^[A-Za-z0-9_@-][A-Za-z0-9._@-]{0,252}$" }),
    }
}

fn responses(right: &Right) -> Value {
    let json = |schema: Value| json!({ "application/json": { "schema": schema } });
    let octets = |kind: &str| json!({ kind: {} });
    let said = |what: &str, content: Value| json!({ "description": what, "content": content });
    let empty = |what: &str| json!({ "description": what });
    let message = if right.path.starts_with("/v1/plans") { "Plan" } else { "Envelope" };
    let mut all = match right.gives {
        Gives::Newest => json!({
            "200": said("The message, octet for octet as it was brought; ETag is its number.", json(reference(message))),
            "304": empty("There is nothing newer."),
        }),
        Gives::Message => json!({ "200": said("The message.", json(reference("Envelope"))) }),
        Gives::Events => {
            json!({ "200": said("Events `root`, `head` and `release`.", octets("text/event-stream")) })
        }
        Gives::Generations => json!({
            "200": said("Newest first.", json(json!({ "type": "array", "items": reference("Generation") }))),
        }),
        Gives::Number => json!({
            "200": said("It was here before.", json(reference("Kept"))),
            "201": said("It is kept, and durable.", json(reference("Kept"))),
        }),
        Gives::Presence => {
            json!({ "200": empty("It was here before."), "201": empty("It is kept, and durable.") })
        }
        Gives::File => json!({
            "200": said("The file.", octets("application/octet-stream")),
            "206": said("A part of it.", octets("application/octet-stream")),
        }),
        Gives::Delta => json!({ "200": said("The delta, packed.", octets(super::deltas::KIND)) }),
        Gives::Fleet => json!({ "200": said("Every host.", json(reference("Fleet"))) }),
        Gives::Rollout => json!({ "200": said("The last rollout.", json(reference("Rollout"))) }),
        Gives::Live => {
            json!({ "200": said("Events `fleet`: all hosts first, then those that changed.", octets("text/event-stream")) })
        }
        Gives::Answers => {
            json!({ "200": said("Events `asked`, `answers` and `end`.", octets("text/event-stream")) })
        }
        Gives::Asked => json!({
            "200": said("What is open.", json(json!({ "type": "array", "items": reference("Asked") }))),
        }),
        Gives::Words => json!({ "200": said("Some of them.", json(reference("Words"))) }),
        Gives::Page(kind) => json!({ "200": said("For a browser.", octets(kind)) }),
        Gives::Nothing => json!({ "204": empty("It is kept.") }),
        Gives::Document => json!({ "200": said("This document.", json(json!({ "type": "object" }))) }),
    };
    all["default"] = said("A no.", json!({ "application/problem+json": { "schema": reference("Problem") } }));
    all
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with all of these.
fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

/// What hosts can be asked.
fn checks() -> Value {
    let plain = ["generation", "age", "version", "state", "disk", "deaths", "behaviours"];
    let text = json!({ "type": "string" });
    json!([
        object(&json!({ "check": { "enum": plain } })),
        object(&json!({ "check": { "const": "file" }, "path": text })),
        {
            "type": "object", "required": ["check", "to"],
            "properties": { "check": { "const": "mail" }, "to": text, "from": text },
        },
    ])
}

fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let or_null = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let head = || or_null(reference("HeadRef"));
    let progress = object(&json!({
        "release": count(), "wanted": head(), "staged": head(), "active": head(), "previous": head(),
        "state": { "enum": ["settled", "fetching", "staging", "staged", "refused", "returned"] },
        "reason": or_null(text()),
    }));
    let counters = object(&json!({
        "taken": count(), "rejected": count(), "deferred": count(), "bounced": count(), "differing": count(),
        "deaths": count(),
    }));
    let status = json!({
        "environment": text(), "host": text(), "role": text(), "site": text(), "version": text(),
        "nonce": count(), "at": count(), "progress": progress, "counters": counters, "disk_free": count(),
    });
    let mut host = status.clone();
    host["age"] = count();
    let signature = object(&json!({ "keyid": text(), "sig": text() }));
    json!({
        "Hash": { "type": "string", "pattern": "^blake3-[0-9a-f]{64}$" },
        "HeadRef": object(&json!({ "generation": count(), "hash": reference("Hash") })),
        "Envelope": object(&json!({
            "payload": text(), "payloadType": text(), "signatures": { "type": "array", "items": signature },
        })),
        "Kept": object(&json!({ "number": count(), "hash": reference("Hash") })),
        "Generation": object(&json!({
            "generation": count(), "hash": reference("Hash"), "created": count(), "expires": count(),
            "author": text(), "note": text(), "files": count(), "bytes": count(),
        })),
        "Status": object(&status),
        "Fleet": object(&json!({
            "environment": text(), "now": count(), "generation": count(), "release": count(),
            "hosts": { "type": "array", "items": object(&host) },
        })),
        "Words": object(&json!({
            "run": count(), "place": count(), "more": { "type": "boolean" },
            "words": {
                "type": "array", "maxItems": PAGE,
                "items": object(&json!({ "age": count(), "status": reference("Status") })),
            },
        })),
        "Plan": {
            "type": "object", "required": ["steps", "halt", "undo"],
            "properties": {
                "steps": { "type": "array", "minItems": 1, "maxItems": 16, "items": reference("Envelope") },
                "halt": reference("Envelope"), "undo": reference("Envelope"), "express": { "type": "boolean" },
            },
        },
        "Rollout": object(&json!({
            "plan": count(), "generation": count(), "step": count(), "steps": count(),
            "state": { "enum": ["goes", "complete", "halted", "undone", "overtaken"] }, "why": text(),
            "held": { "type": "boolean" }, "since": or_null(count()),
        })),
        "Check": { "oneOf": checks() },
        "Question": {
            "type": "object", "required": ["checks", "wait"],
            "properties": {
                "checks": { "type": "array", "minItems": 1, "maxItems": question::CHECKS, "items": reference("Check") },
                "hosts": { "type": "array", "maxItems": question::HOSTS, "items": text() },
                "wait": { "type": "integer", "minimum": 1, "maximum": question::LONGEST_WAIT },
            },
        },
        "Asked": object(&json!({
            "number": count(), "checks": { "type": "array", "items": reference("Check") },
        })),
        "Finding": object(&json!({ "outcome": { "enum": ["fine", "wrong", "unknown"] }, "says": text() })),
        "Answer": object(&json!({
            "environment": text(), "host": text(), "role": text(), "question": count(),
            "findings": { "type": "array", "maxItems": question::CHECKS, "items": reference("Finding") },
        })),
        "Problem": object(&json!({ "type": text(), "title": text(), "status": count(), "detail": text() })),
    })
}
