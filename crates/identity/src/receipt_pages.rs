//! The secret address of a receipt's public page.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::credential::random_bytes;
use logout_core::ports::ReceiptPages;
use logout_core::receipt::ReceiptId;
use logout_core::redirect::{ApprovedUrl, RedirectError};
use logout_core::store::{SessionStore, StoreUnavailable};
use zeroize::Zeroizing;

/// The name under which a store keeps the key.
const KEY_NAME: &str = "receipt-page-key";

const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 16;

/// A 128-bit secret for every receipt, which nobody has to store: the receipt's id, encrypted as
/// one block of AES-256 with a key that all hubs on one store share.
///
/// - Two receipts never have the same secret, and every secret names its receipt: a block cipher is
///   a bijection, so neither a row nor an index is needed.
/// - A receipt's id opens nothing, although it is no secret and partly a date: without the key, the
///   secret of one id cannot be told from random, even by somebody who knows the secrets of many
///   others.
/// - One block without nonce or mode is right here and only here: ids are unique, there is one
///   block each, and that the same id always has the same secret is the purpose.
/// - Not authenticated, and it need not be: one made-up secret in 64 decrypts to something that
///   looks like an id, but it is one of 2¹²² that no receipt has.
///
/// The key never changes, so a page can be found for as long as its receipt is kept. Cheap to
/// clone.
#[derive(Clone)]
pub struct ReceiptSecrets {
    encrypts: Arc<EncryptingKey>,
    decrypts: Arc<DecryptingKey>,
}

impl ReceiptSecrets {
    /// Agrees on the key with everybody who shares `store`; the first one makes it.
    ///
    /// # Errors
    /// The store does not answer, or what it keeps is not a key.
    pub async fn load(store: &dyn SessionStore) -> Result<Self, StoreUnavailable> {
        let bytes = Zeroizing::new(
            store
                .get_or_insert(KEY_NAME, random_bytes::<KEY_BYTES>().to_vec())
                .await?,
        );
        Self::of(&bytes).map_err(|Unspecified| {
            log::error!("the store's {KEY_NAME} is not a key");
            StoreUnavailable
        })
    }

    fn of(bytes: &[u8]) -> Result<Self, Unspecified> {
        let key = || UnboundCipherKey::new(&AES_256, bytes);
        Ok(Self {
            encrypts: Arc::new(EncryptingKey::ecb(key()?)?),
            decrypts: Arc::new(DecryptingKey::ecb(key()?)?),
        })
    }

    /// The secret of this receipt: 22 characters of base64url. Always the same one.
    #[expect(
        clippy::expect_used,
        reason = "AES refuses no block of sixteen bytes, and an id that is not encrypted must not go out"
    )]
    pub fn secret(&self, receipt: ReceiptId) -> String {
        let mut block = *receipt.as_bytes();
        self.encrypts
            .encrypt(&mut block)
            .expect("encrypting one block failed");
        URL_SAFE_NO_PAD.encode(block)
    }

    /// The receipt with this secret, in its one spelling; `None` for what cannot be anybody's.
    /// Whether there is such a receipt is for the store to say.
    pub fn receipt(&self, secret: &str) -> Option<ReceiptId> {
        // The engine takes neither padding nor stray bits at the end, so no second spelling leads
        // to the same page.
        let mut block: [u8; ID_BYTES] = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        self.decrypts
            .decrypt(&mut block, DecryptionContext::None)
            .ok()?;
        is_version_7(&block).then(|| ReceiptId::from_bytes(block))
    }
}

impl fmt::Debug for ReceiptSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptSecrets(redacted)")
    }
}

/// RFC 9562, sections 4.1 and 4.2.
fn is_version_7(id: &[u8; ID_BYTES]) -> bool {
    id[6] >> 4 == 7 && id[8] >> 6 == 0b10
}

/// Sends the browser to the public page of the receipt after sign-outs that ask for no return
/// address.
#[derive(Debug)]
pub struct SecretReceiptPages {
    secrets: ReceiptSecrets,
    base: String,
}

impl SecretReceiptPages {
    /// Pages at `{base}/receipts/{secret}`. `base` is the hub's own public address, out of the
    /// configuration: absolute with http or https and without query and fragment, or empty or a
    /// path for the platform's own host. A slash at its end does not count.
    ///
    /// # Errors
    /// No browser may be sent there.
    pub fn new(secrets: ReceiptSecrets, base: impl AsRef<str>) -> Result<Self, RedirectError> {
        let base = base.as_ref().trim_end_matches('/').to_owned();
        if base.contains(['?', '#']) {
            return Err(RedirectError::Unparsable);
        }
        ApprovedUrl::from_operator(&format!("{base}/receipts/"))?;
        Ok(Self { secrets, base })
    }

    /// Reads the secrets in the addresses that it hands out.
    pub fn secrets(&self) -> &ReceiptSecrets {
        &self.secrets
    }
}

impl ReceiptPages for SecretReceiptPages {
    fn address(&self, receipt: ReceiptId) -> Option<ApprovedUrl> {
        ApprovedUrl::from_operator(&format!(
            "{}/receipts/{}",
            self.base,
            self.secrets.secret(receipt)
        ))
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use futures_executor::block_on;
    use logout_core::time::Timestamp;
    use logout_store::MemoryStore;

    use super::*;

    fn secrets() -> ReceiptSecrets {
        block_on(ReceiptSecrets::load(&MemoryStore::new())).unwrap()
    }

    fn receipt() -> ReceiptId {
        ReceiptId::at(Timestamp::from_millis(1_750_000_000_000))
    }

    #[test]
    fn every_receipt_has_its_own_secret_that_leads_back_to_it() {
        let secrets = secrets();
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let receipt = receipt();
            let secret = secrets.secret(receipt);
            assert!(
                secret.len() == 22
                    && secrets.receipt(&secret) == Some(receipt)
                    && secrets.secret(receipt) == secret
            );
            assert!(seen.insert(secret));
        }
    }

    #[test]
    fn the_block_is_aes_256_as_published() {
        // FIPS 197, appendix C.3.
        let key: Vec<u8> = (0..32).collect();
        let plain: [u8; 16] = std::array::from_fn(|at| (at * 0x11) as u8);
        let cipher = 0x8ea2_b7ca_5167_45bf_eafc_4990_4b49_6089_u128.to_be_bytes();
        assert_eq!(
            ReceiptSecrets::of(&key)
                .unwrap()
                .secret(ReceiptId::from_bytes(plain)),
            URL_SAFE_NO_PAD.encode(cipher)
        );
    }

    #[test]
    fn a_receipt_s_id_is_not_its_secret() {
        let (secrets, receipt) = (secrets(), receipt());
        assert_ne!(
            secrets.secret(receipt),
            URL_SAFE_NO_PAD.encode(receipt.as_bytes())
        );
        assert_eq!(secrets.receipt(&receipt.to_string()), None);
        assert_ne!(
            secrets.receipt(&URL_SAFE_NO_PAD.encode(receipt.as_bytes())),
            Some(receipt)
        );
    }

    #[test]
    fn only_the_one_spelling_of_a_secret_is_read() {
        let secrets = secrets();
        let secret = secrets.secret(receipt());
        let (head, last) = secret.split_at(21);
        // Of the last character only the upper two of six bits count; the next letters differ in
        // the others.
        let sloppy = char::from(last.as_bytes()[0] + 1);
        for other in [
            String::new(),
            head.to_owned(),
            format!("{head}{sloppy}"),
            format!("{secret}="),
            format!("{secret}=="),
            format!(" {secret}"),
            format!("{secret}A"),
            format!("{secret}{secret}"),
            secret.replace(last, "%"),
            secret.replace(last, "ä"),
        ] {
            assert_eq!(secrets.receipt(&other), None, "{other}");
        }
    }

    #[test]
    fn what_decrypts_to_no_id_of_version_7_is_nobody_s() {
        let secrets = secrets();
        let id = *receipt().as_bytes();
        for (at, byte) in [
            (6, 0x40 | id[6] & 0x0f),
            (6, 0x60 | id[6] & 0x0f),
            (8, id[8] & 0x3f),
            (8, id[8] | 0xc0),
        ] {
            let mut other = id;
            other[at] = byte;
            assert_eq!(
                secrets.receipt(&secrets.secret(ReceiptId::from_bytes(other))),
                None,
                "{at} {byte}"
            );
        }
        let made_up = (0..6400)
            .filter(|_| {
                secrets
                    .receipt(&URL_SAFE_NO_PAD.encode(random_bytes::<16>()))
                    .is_some()
            })
            .count();
        assert!(
            made_up < 200,
            "about one in 64 may look like an id, not {made_up} of 6400"
        );
    }

    #[test]
    fn hubs_on_one_store_share_the_secrets_and_others_do_not() {
        let store = MemoryStore::new();
        let (one, two) = (
            block_on(ReceiptSecrets::load(&store)).unwrap(),
            block_on(ReceiptSecrets::load(&store)).unwrap(),
        );
        let receipt = receipt();
        assert_eq!(one.secret(receipt), two.secret(receipt));
        assert_ne!(one.secret(receipt), secrets().secret(receipt));
    }

    #[test]
    fn what_the_store_keeps_must_be_a_key() {
        let store = MemoryStore::new();
        block_on(store.get_or_insert(KEY_NAME, vec![1; 16])).unwrap();
        assert!(block_on(ReceiptSecrets::load(&store)).is_err());
    }

    #[test]
    fn the_address_is_the_page_behind_the_base_address() {
        let receipt = receipt();
        for (base, front) in [
            ("https://hub.example", "https://hub.example/receipts/"),
            (
                "https://hub.example/out/",
                "https://hub.example/out/receipts/",
            ),
            ("", "/receipts/"),
        ] {
            let pages = SecretReceiptPages::new(secrets(), base).unwrap();
            let address = pages.address(receipt).unwrap();
            assert_eq!(
                pages
                    .secrets()
                    .receipt(address.as_str().strip_prefix(front).unwrap()),
                Some(receipt)
            );
        }
    }

    #[test]
    fn a_base_where_no_browser_may_go_is_refused_at_the_start() {
        for base in [
            "javascript:x",
            "hub.example",
            "//evil.test",
            "https://a@b",
            "https://a/?b",
            "https://a/#b",
            "https://a\nb",
        ] {
            assert!(SecretReceiptPages::new(secrets(), base).is_err(), "{base}");
        }
    }

    #[test]
    fn neither_key_nor_secret_prints_itself() {
        let store = MemoryStore::new();
        block_on(store.get_or_insert(KEY_NAME, b"canarycanarycanarycanarycanary!!".to_vec()))
            .unwrap();
        let pages =
            SecretReceiptPages::new(block_on(ReceiptSecrets::load(&store)).unwrap(), "").unwrap();
        let printed = format!("{pages:?}");
        assert!(
            !printed.contains("canary") && !printed.contains("99, 97"),
            "{printed}"
        );
    }
}
