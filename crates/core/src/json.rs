//! JSON objects whose members may be named twice.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

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
}
