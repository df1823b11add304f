//! What a store says of itself while it is being filled.

use serde::{Deserialize, Serialize};

/// From where, and how far it has come.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Checkpoint {
    /// The name of the store that is copied.
    pub(super) from: String,
    /// Everything before this place of it has been taken in; absent at the beginning.
    pub(super) place: Option<Vec<u8>>,
}

impl Checkpoint {
    /// `None` for what this command never wrote.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_as_it_was_written() {
        for place in [None, Some(vec![0, 255])] {
            let checkpoint = Checkpoint {
                from: "disk:/x".to_owned(),
                place,
            };
            assert_eq!(Checkpoint::read(&checkpoint.to_bytes()), Some(checkpoint));
        }
        assert_eq!(Checkpoint::read(b"else"), None);
    }
}
