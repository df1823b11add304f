//! The description of the listener, for clients that are generated or checked. A test compares it
//! with the routes, another one with the answers.

mod schemas;

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};

use self::schemas::{page, schemas};
use crate::answer::Answer as _;

pub(super) async fn show() -> HttpResponse {
    HttpResponse::Ok().json_line(&document())
}

const METHODS: [&str; 8] = [
    "delete", "get", "head", "options", "patch", "post", "put", "trace",
];

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Logout Hub: admin listener",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Wherever GET is answered, HEAD is too. Any other method of an address below is answered 405 with Allow.",
        },
        "security": [{ "admin": [] }],
        "paths": paths(),
        "components": {
            "securitySchemes": {
                "admin": { "type": "http", "scheme": "bearer", "description": "The token in admin.token_file." },
                "check": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Logout-Check-Token",
                    "description": "The token in admin.check_token_file, or the admin token.",
                },
            },
            "responses": { "Problem": {
                "description": "What went wrong (RFC 9457).",
                "content": { "application/problem+json": { "schema": reference("Problem") } },
            } },
            "schemas": schemas(),
        },
    })
}

fn paths() -> Value {
    let health = |summary: &str| {
        open(operation(
            summary,
            &[],
            200,
            content("application/json", reference("Health")),
            &[503],
        ))
    };
    let any: Map<String, Value> = METHODS
        .map(|method| (method.to_owned(), check()))
        .into_iter()
        .collect();
    json!({
        "/healthz": { "get": open(operation("The process answers", &[], 200, content("application/json", reference("Health")), &[])) },
        "/readyz": { "get": health("The store answers too") },
        "/metrics": {
            "get": open(operation("Figures for Prometheus", &[], 200, content("text/plain", json!({ "type": "string" })), &[])),
        },
        "/openapi.json": {
            "get": open(operation("This document", &[], 200, content("application/json", json!({ "type": "object" })), &[])),
        },
        "/.well-known/jwks.json": {
            "get": open(operation("The keys that signed receipts verify with", &[], 200, content("application/json", reference("Keys")), &[])),
        },
        "/check/{platform}{tail}": any,
        "/api/sessions": {
            "get": operation(
                "Live sessions. A page may be short, even empty, though more follow",
                &[
                    query("person", "Of this person"),
                    query("platform", "At this platform"),
                    query("realm", "Of subjects in this realm"),
                    query("subject", "Of subjects with this name"),
                    query("after", "Behind this id: what next said"),
                    page_limit(),
                ],
                200,
                content("application/json", page("sessions", "Session")),
                &[401, 421, 422, 503],
            ),
            "post": register(),
        },
        "/api/sessions/{id}": {
            "delete": operation(
                "Ends a session",
                &[path("id", "The session")],
                202,
                content("application/json", reference("Ended")),
                &[401, 404, 421, 503],
            ),
        },
        "/api/logouts": {
            "post": with_body(
                operation(
                    "Signs out a person everywhere, a subject or everybody at a platform, or one session",
                    &[],
                    202,
                    content("application/json", reference("Ended")),
                    &[400, 401, 408, 413, 415, 421, 422, 503],
                ),
                "Order",
            ),
        },
        "/api/receipts": {
            "get": operation(
                "Receipts, newest first",
                &[query("before", "Older than this id: what next said"), page_limit()],
                200,
                content("application/json", page("receipts", "Receipt")),
                &[401, 421, 422, 503],
            ),
        },
        "/api/receipts/{id}": {
            "get": operation(
                "One receipt; as a signed token where Accept names application/jwt",
                &[path("id", "The receipt"), wait()],
                200,
                json!({
                    "application/json": { "schema": reference("Receipt") },
                    "application/jwt": { "schema": { "type": "string" } },
                }),
                &[401, 404, 421, 422, 503],
            ),
        },
        "/api/receipts/{id}.jwt": {
            "get": operation(
                "One receipt as a signed token: iss, jti, iat, receipt",
                &[path("id", "The receipt"), wait()],
                200,
                content("application/jwt", json!({ "type": "string" })),
                &[401, 404, 421, 422, 503],
            ),
        },
        "/api/deliveries": {
            "get": operation(
                "What is or was to be told to upstreams",
                &[
                    query("platform", "To the upstream of this platform"),
                    query("state", "pending, confirmed or given-up"),
                    query("after", "Behind this id: what next said"),
                    page_limit(),
                ],
                200,
                content("application/json", page("deliveries", "Delivery")),
                &[401, 421, 422, 503],
            ),
        },
        "/api/deliveries/{id}/retry": {
            "post": operation(
                "Has a delivery tried now that waits or was given up",
                &[path("id", "The delivery, which has the id of its session")],
                202,
                content("application/json", reference("Delivery")),
                &[401, 404, 409, 421, 503],
            ),
        },
    })
}

fn check() -> Value {
    let mut operation = operation(
        "Whether the credentials of this request have been signed out: its own Cookie and Authorization are looked at, its body is not",
        &[
            path("platform", "The platform"),
            path("tail", "The path that was asked for, or nothing"),
        ],
        204,
        Value::Null,
        &[401, 403, 404, 503],
    );
    operation["responses"]["200"] = json!({
        "description": "Done, to a request with `Prefer: return=representation`",
        "content": content("application/json", json!({ "type": "object", "required": ["status"], "properties": { "status": { "const": "passes" } } })),
    });
    operation["security"] = json!([{ "check": [] }]);
    operation
}

fn register() -> Value {
    let answer = || content("application/json", reference("Session"));
    let failures = &[400, 401, 408, 409, 413, 415, 421, 422, 503];
    let mut operation = operation(
        "Registers a session that was opened at an upstream",
        &[],
        201,
        answer(),
        failures,
    );
    operation["responses"]["200"] =
        json!({ "description": "It was registered before", "content": answer() });
    with_body(operation, "Registration")
}

fn operation(
    summary: &str,
    parameters: &[Value],
    status: u16,
    content: Value,
    failures: &[u16],
) -> Value {
    let mut responses = Map::new();
    let mut success = json!({ "description": "Done" });
    if !content.is_null() {
        success["content"] = content;
    }
    responses.insert(status.to_string(), success);
    for failure in failures {
        responses.insert(
            failure.to_string(),
            json!({ "$ref": "#/components/responses/Problem" }),
        );
    }
    json!({ "summary": summary, "parameters": parameters, "responses": responses })
}

fn open(mut operation: Value) -> Value {
    operation["security"] = json!([]);
    operation
}

fn with_body(mut operation: Value, schema: &str) -> Value {
    operation["requestBody"] =
        json!({ "required": true, "content": content("application/json", reference(schema)) });
    operation
}

fn content(media_type: &str, schema: Value) -> Value {
    json!({ media_type: { "schema": schema } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn query(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } })
}

fn page_limit() -> Value {
    json!({
        "name": "limit",
        "in": "query",
        "description": "How many at most; brought within bounds",
        "schema": { "type": "integer", "minimum": 0, "default": super::PAGE, "maximum": super::LARGEST_PAGE },
    })
}

fn wait() -> Value {
    query(
        "wait",
        "Until nothing is pending, but no longer than this, and than a minute: 5s",
    )
}

fn path(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_document_describes_every_route_and_no_other() {
        let operations = |methods: &Value| methods.as_object().unwrap().keys().cloned().collect();
        let document = document();
        let described: BTreeMap<String, Vec<String>> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, methods)| (path.clone(), operations(methods)))
            .collect();
        assert_eq!(described, super::super::addresses());
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn look(value: &Value, document: &Value, found: &mut usize) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(to)) = members.get("$ref") {
                        assert!(
                            document.pointer(to.strip_prefix('#').unwrap()).is_some(),
                            "{to}"
                        );
                        *found += 1;
                    }
                    members
                        .values()
                        .for_each(|value| look(value, document, found));
                }
                Value::Array(items) => items.iter().for_each(|value| look(value, document, found)),
                _ => {}
            }
        }
        let (document, mut found) = (document(), 0);
        look(&document, &document, &mut found);
        assert!(found > 30, "only {found} references were found");
    }
}
