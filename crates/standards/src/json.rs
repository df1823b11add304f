//! JSON in which no object names a member twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value in which no object, however deep, names a member twice. Parsers must refuse such an
/// object or take the last of the members (RFC 7515, section 4; RFC 7517, sections 4 and 5;
/// RFC 7519, section 4). It is refused here, because a reader in front of us may have taken the
/// first.
struct Unique(Value);

/// The members of an object in which no object names a member twice; `None` for anything else.
pub(crate) fn unique_object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(bytes) {
        Ok(Unique(Value::Object(members))) => Some(members),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_json_is_read_as_ever() {
        let text = r#"{"a":[null,true,-1,2,0.5,1e3,"\u0061b"],"b":{"a":{}}}"#;
        let expected: Map<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(unique_object(text.as_bytes()), Some(expected));
    }

    #[test]
    fn a_member_that_is_named_twice_is_refused_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":{},"b":{}}]}"#,
        ] {
            assert_eq!(unique_object(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_a_whole_object_counts() {
        for text in ["", "[]", "null", "{", "{}x", r#"{"a":1e999}"#, "\u{feff}{}"] {
            assert_eq!(unique_object(text.as_bytes()), None, "{text}");
        }
        assert_eq!(unique_object(b"{\"a\":\"\xff\"}"), None);
        let deep = "[".repeat(10_000);
        assert_eq!(unique_object(format!("{{\"a\":{deep}").as_bytes()), None);
    }
}
