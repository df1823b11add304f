//! Where a login comes from, and which account it is for.

use std::net::IpAddr;

use logout_core::login::LoginAttempt;

/// The clients that are counted as one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AddressGroup {
    /// One IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of IPv6 addresses: a client has all of the rest.
    V6([u8; 8]),
    /// Clients whose address nobody knows.
    Unknown,
}

impl AddressGroup {
    /// The group that a client of this address is in.
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
            None => Self::Unknown,
        }
    }

    /// Different bytes for different groups.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
            Self::Unknown => &[],
        }
    }
}

/// Whose login it is: an address, and the name that was typed. Names are counted as they are
/// written, ASCII case aside, whether there is such an account or not, and whatever the realm: what
/// is counted tells nothing about accounts.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Origin {
    pub(crate) address: AddressGroup,
    pub(crate) name: String,
}

impl Origin {
    pub(crate) fn of(attempt: &LoginAttempt<'_>) -> Self {
        let name = attempt.or_name.unwrap_or(attempt.name).to_ascii_lowercase();
        Self {
            address: AddressGroup::of(attempt.address),
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(address: &str) -> AddressGroup {
        AddressGroup::of(Some(address.parse().unwrap()))
    }

    #[test]
    fn a_client_cannot_leave_its_group() {
        assert_eq!(
            group("2001:db8:1:2::1"),
            group("2001:db8:1:2:ffff:ffff:ffff:ffff")
        );
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
    }
}
