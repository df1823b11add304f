//! JSON objects whose members may be named twice, and such as must not be.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The members of an object in the order they were sent, with those that are named twice. A reader
/// in front of other readers must decide which of two counts, or refuse both: the next one may
/// decide otherwise. It has no `Debug`: passwords are among the members.
#[derive(PartialEq)]
pub struct Members<V>(pub Vec<(String, V)>);

impl<V> Default for Members<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Members<V> {
    /// By name; of members of one name the first counts.
    pub fn first_of_each(self) -> BTreeMap<String, V> {
        let mut members = BTreeMap::new();
        for (name, value) in self.0 {
            members.entry(name).or_insert(value);
        }
        members
    }

    /// By name; `None` where one is named twice.
    pub fn unique(self) -> Option<BTreeMap<String, V>> {
        let count = self.0.len();
        let members: BTreeMap<_, _> = self.0.into_iter().collect();
        (members.len() == count).then_some(members)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

struct Reader<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
    type Value = Members<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<V>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// A value in which no object, however deep, names a member twice. Parsers must refuse such an
/// object or take the last of the members (RFC 7515, section 4; RFC 7517, sections 4 and 5;
/// RFC 7519, section 4). It is refused here, because a reader in front of us may have taken the
/// first.
struct Unique(Value);

/// The members of an object in which no object names a member twice; `None` for anything else.
pub fn unique_object(bytes: &[u8]) -> Option<Map<String, Value>> {
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
    fn members_keep_their_order_and_their_duplicates() {
        let read = || serde_json::from_str::<Members<u8>>(r#"{"b":1,"a":2,"b":3}"#).unwrap();
        let pairs = [("b", 1), ("a", 2), ("b", 3)].map(|(name, value)| (name.to_owned(), value));
        assert!(read() == Members(pairs.into()));
        assert_eq!(read().first_of_each()["b"], 1);
        assert_eq!(read().unique(), None);
        let unique = serde_json::from_str::<Members<u8>>(r#"{"b":1,"a":2}"#).unwrap();
        assert_eq!(unique.unique().unwrap().len(), 2);
    }

    #[test]
    fn other_values_have_no_members() {
        for text in ["[]", "null", "1", r#""a""#, r#"{"a":1"#, r#"{"a":1}x"#] {
            assert!(serde_json::from_str::<Members<u8>>(text).is_err(), "{text}");
        }
    }

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
