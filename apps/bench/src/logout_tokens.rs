//! Logout tokens of an identity provider: how many a hub verifies and carries out in a second, and
//! how long its answers take, over the number of sessions that one token ends.

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use logout_core::idp::IdpLogin;
use logout_core::platform::PlatformName;
use logout_core::ports::Clock as _;
use logout_core::session::Session;
use logout_core::store::Join;
use logout_hub::SystemClock;
use serde_json::{Value, json};

use crate::client::{Expected, Load, Turn};
use crate::dialect::stand_in_secret;
use crate::hub::{self, configuration};
use crate::process::{BoxError, block_on};
use crate::requests::Requests;
use crate::session::{PLATFORM, login};
use crate::stores::{self, EMBEDDED};

const ISSUER: &str = "https://idp.example";
const CLIENT: &str = "logout-hub";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const VENDOR: &str = "hcl-dx";

/// What is measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogoutTokens {
    /// How many tokens of each kind.
    #[arg(long, default_value_t = 4_000)]
    tokens: usize,
    /// How many sessions each person has; 0 for tokens that end nothing.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 10, 100])]
    sessions: Vec<usize>,
    /// How many sessions there are at most at once.
    #[arg(long, default_value_t = 100_000)]
    most: usize,
    /// Connections that send tokens.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Worker threads of the hub.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// The provider's keys.
struct Keys {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl LogoutTokens {
    /// Prints a table, a line for each algorithm and number of sessions.
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        println!("| algorithm | sessions a person | tokens | tokens/s | p50 ms | p99 ms |");
        println!("|---|---:|---:|---:|---:|---:|");
        let keys = Keys::generate()?;
        for algorithm in ["RS256", "ES256"] {
            for sessions in &self.sessions {
                let most = self.most.checked_div(*sessions).unwrap_or(self.tokens);
                let tokens = self.tokens.min(most.max(1));
                let turn = self.measure(&keys, algorithm, *sessions, tokens)?;
                println!(
                    "| {algorithm} | {sessions} | {tokens} | {:.0} | {:.2} | {:.2} |",
                    turn.rate(),
                    turn.millis(0.5),
                    turn.millis(0.99)
                );
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        keys: &Keys,
        algorithm: &str,
        sessions: usize,
        tokens: usize,
    ) -> Result<Turn, BoxError> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("jwks.json"), keys.set()?.to_string())?;
        let configuration = format!(
            "{}\n[[idp]]\nname = \"op\"\nissuer = \"{ISSUER}\"\nclient_id = \"{CLIENT}\"\n\
             algorithms = [\"RS256\", \"ES256\"]\njwks_file = \"jwks.json\"\n",
            configuration(VENDOR, self.workers)
        );
        let hub = Running::start(configuration, folder.path(), (tokens, sessions))?;
        let now = SystemClock.now().as_secs();
        let requests = (0..tokens).map(|person| {
            let claims = json!({
                "iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 120,
                "jti": format!("{person}"), "sub": subject(person), "events": { EVENT: {} },
            });
            Ok(request(&keys.token(algorithm, &claims)?))
        });
        let requests = requests.collect::<Result<Vec<Vec<u8>>, BoxError>>()?;
        let requests: Requests = requests.iter().map(Vec::as_slice).collect();
        let load = Load {
            address: hub.address,
            requests: Rc::new(requests),
            connections: self.connections,
            expected: None::<Expected>,
        };
        block_on(async { Ok(load.closed(None, false).await?) })
    }
}

fn subject(person: usize) -> String {
    format!("user{person}")
}

fn request(token: &str) -> Vec<u8> {
    let body = format!("logout_token={token}");
    format!(
        "POST /idp/op/backchannel-logout HTTP/1.1\r\nhost: bench\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Keys {
    fn generate() -> Result<Self, BoxError> {
        Ok(Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048)?,
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        })
    }

    fn set(&self) -> Result<Value, BoxError> {
        let rsa = self.rsa.public_key().as_der()?;
        let keys = [
            ("RS256", DecodingKey::from_rsa_der(rsa.as_ref())),
            (
                "ES256",
                DecodingKey::from_ec_der(self.ec.public_key().as_ref()),
            ),
        ];
        let keys = keys.map(|(name, key)| {
            let mut jwk = serde_json::to_value(Jwk::from_decoding_key(&key, None)?)?;
            jwk["kid"] = name.into();
            Ok::<_, BoxError>(jwk)
        });
        let keys = keys.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "keys": keys }))
    }

    /// A token whose key is called as the algorithm.
    fn token(&self, algorithm: &str, claims: &Value) -> Result<String, BoxError> {
        let header = json!({ "alg": algorithm, "typ": "logout+jwt", "kid": algorithm });
        let message = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = message.join(".");
        let random = SystemRandom::new();
        let signature = if algorithm == "RS256" {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(
                &RSA_PKCS1_SHA256,
                &random,
                message.as_bytes(),
                &mut signature,
            )?;
            signature
        } else {
            self.ec.sign(&random, message.as_bytes())?.as_ref().to_vec()
        };
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A hub in this process, on threads of its own, with so many sessions of so many persons.
struct Running {
    address: SocketAddr,
    _stop: mpsc::Sender<()>,
}

impl Running {
    fn start(
        configuration: String,
        folder: &Path,
        (persons, sessions): (usize, usize),
    ) -> Result<Self, BoxError> {
        let folder = folder.to_owned();
        let (started, has_started) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let starting = async {
                    let store = stores::open(EMBEDDED, &folder)?.store;
                    let hub = hub::start(&configuration, &folder, Some(store.clone())).await?;
                    let tokens = &*hub.services.tokens;
                    for number in 0..persons * sessions {
                        let session = session(tokens, number, number / sessions)?;
                        store.open(session, Join::Always, SystemClock.now()).await?;
                    }
                    Ok::<_, BoxError>(hub)
                };
                match starting.await {
                    Err(fault) => drop(started.send(Err(fault.to_string()))),
                    Ok(hub) => {
                        drop(started.send(Ok(hub.address)));
                        let _ = actix_web::rt::task::spawn_blocking(move || stopped.recv()).await;
                        hub.stop().await;
                    }
                }
            });
        });
        Ok(Self {
            address: has_started.recv()??,
            _stop: stop,
        })
    }
}

/// A session of this number, that came from the login of this person.
fn session(
    tokens: &dyn logout_core::ports::Tokens,
    number: usize,
    person: usize,
) -> Result<Session, BoxError> {
    let (platform, now) = (PlatformName::new(PLATFORM), SystemClock.now());
    let life = (now, now.plus(Duration::from_secs(12 * 60 * 60)));
    let secret = stand_in_secret(tokens, VENDOR, &platform, number as u64, life)?;
    Ok(Session {
        idp: IdpLogin::new(
            ISSUER,
            Some(&subject(person)),
            Some(&format!("sid{number}")),
        ),
        person: None,
        ..login(VENDOR, platform, number as u64, &secret, life)?
    })
}
