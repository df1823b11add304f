//! What relying parties learn of the hub: the keys that sign its tokens, and its metadata.

use std::path::PathBuf;
use std::thread;

use logout_tests::front::{admin, login};
use logout_tests::http::Request;
use logout_tests::hub::{Accounts, TestHub, stand_in};
use logout_tests::relying_party::{OK, TestRelyingParty, part};
use logout_tests::secret_file;
use logout_tests::server::{self, Server};
use logout_tests::signing_key::SigningKey;
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::portal;

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/.well-known/jwks.json";

pub(crate) fn add(run: &mut Run) {
    on_every_store! { run, "published";
        the_key_that_is_kept_in_the_store_is_the_same_after_a_restart
    }
    for (store, need) in [
        (StoreKind::Postgres, Need::Postgres),
        (StoreKind::Redis, Need::Redis),
    ] {
        let engine = store.name().expect("an engine");
        let name = format!("{engine}::published::hubs_that_share_a_store_share_its_key");
        run.add(&name, &[need], move || {
            hubs_that_share_a_store_share_its_key(store);
        });
    }
    for (name, body) in [
        (
            "a_key_is_exchanged_without_a_token_that_nobody_can_verify",
            a_key_is_exchanged_without_a_token_that_nobody_can_verify as fn(),
        ),
        (
            "a_file_that_is_no_strong_key_of_the_hub_s_own_is_refused_at_its_place",
            a_file_that_is_no_strong_key_of_the_hub_s_own_is_refused_at_its_place,
        ),
        (
            "the_documents_are_read_and_cached_and_nothing_else",
            the_documents_are_read_and_cached_and_nothing_else,
        ),
        (
            "the_issuer_is_the_public_url_whatever_the_request_says",
            the_issuer_is_the_public_url_whatever_the_request_says,
        ),
        (
            "without_relying_parties_that_are_told_there_are_none",
            without_relying_parties_that_are_told_there_are_none,
        ),
    ] {
        run.test(&format!("published::{name}"), &[], body);
    }
}

/// A hub with a stand-in, where `alice` can log in.
fn tables(parties: &str) -> String {
    let waits = "[single_logout]\nwait = \"0ms\"\n";
    format!("{waits}{parties}{}", stand_in("hcl-dx", &[]))
}

/// The ids of the published keys.
fn kids(hub: &TestHub) -> Vec<String> {
    let keys = Request::get(KEYS).send(hub.address());
    assert_eq!(keys.status, 200, "{}", keys.text());
    let keys = keys.json()["keys"].as_array().unwrap().clone();
    keys.iter()
        .map(|key| {
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert_eq!(key.get(private), None, "{private}");
            }
            key["kid"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// Logs `alice` in and signs her out everywhere. Gives the next token that `wiki` gets.
fn next_token(hub: &TestHub, wiki: &TestRelyingParty) -> String {
    let before = wiki.tokens().len();
    login(hub, "hcl-dx", "alice", Accounts::ALICE);
    let order = json!({ "person": "alice@example.com" });
    let answer = admin(hub, Request::post("/api/logouts").json(&order));
    assert_eq!(answer.json()["ended"], 2, "{}", answer.text());
    wiki.wait_for(before + 1).pop().unwrap()
}

/// Whether it verifies with the keys that `hub` publishes.
fn assert_verifies(hub: &TestHub, wiki: &TestRelyingParty, token: &str) {
    let issuer = part(token, 1)["iss"].as_str().unwrap().to_owned();
    let now = hub.services().clock.now();
    wiki.verified(hub.address(), &issuer, token, now);
}

fn the_key_that_is_kept_in_the_store_is_the_same_after_a_restart(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", OK);
    let mut hub = TestHub::on(store, &tables(&wiki.table(""))).unwrap();
    let before = kids(&hub);
    assert_eq!(before.len(), 1);
    let token = next_token(&hub, &wiki);
    hub.restart().unwrap();
    assert_eq!(kids(&hub), before);
    assert_verifies(&hub, &wiki, &token);
    let token = next_token(&hub, &wiki);
    assert_eq!(part(&token, 0)["kid"], before[0].as_str());
    assert_verifies(&hub, &wiki, &token);
    // Another store has another key.
    let other = TestHub::on(store, &tables(&wiki.table(""))).unwrap();
    assert_ne!(kids(&other), before);
}

/// They start at the same time, each with a key of its own at hand.
fn hubs_that_share_a_store_share_its_key(store: StoreKind) {
    let wiki = TestRelyingParty::start("wiki", OK);
    let (url, tables) = (store.empty(), tables(&wiki.table("")));
    let start = || TestHub::on_store(&url, &tables).unwrap();
    let hubs: Vec<TestHub> = thread::scope(|scope| {
        let starting: Vec<_> = (0..3).map(|_| scope.spawn(start)).collect();
        let started = starting.into_iter();
        started.map(|hub| hub.join().unwrap()).collect()
    });
    let agreed = kids(&hubs[0]);
    for hub in &hubs {
        assert_eq!(kids(hub), agreed);
        // Whichever of them delivers it.
        let token = next_token(hub, &wiki);
        assert_eq!(part(&token, 0)["kid"], agreed[0].as_str());
        for verifying in &hubs {
            assert_verifies(verifying, &wiki, &token);
        }
    }
}

/// Files of keys, the first of which signs.
struct Files {
    folder: TempDir,
    keys: Vec<SigningKey>,
}

impl Files {
    fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<SigningKey> = (0..count).map(|_| SigningKey::generate()).collect();
        for (number, key) in keys.iter().enumerate() {
            secret_file::write(&folder.path().join(format!("{number}.pem")), key.pem());
        }
        Self { folder, keys }
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("{number}.pem"))
    }

    /// The line of the configuration with these.
    fn line(&self, numbers: &[usize]) -> String {
        let paths: Vec<PathBuf> = numbers.iter().map(|number| self.path(*number)).collect();
        format!("signing_key_files = {paths:?}")
    }

    fn kids(&self, numbers: &[usize]) -> Vec<String> {
        let kids = numbers.iter().map(|number| self.keys[*number].kid());
        kids.map(str::to_owned).collect()
    }
}

fn a_key_is_exchanged_without_a_token_that_nobody_can_verify() {
    let (wiki, files) = (TestRelyingParty::start("wiki", OK), Files::new(2));
    let line = files.line(&[0]);
    let parties = format!("[logout_tokens]\n{line}\n{}", wiki.table(""));
    let mut hub = TestHub::on(StoreKind::Disk, &tables(&parties)).unwrap();
    let mut tokens: Vec<(usize, String)> = Vec::new();
    let mut last = vec![0];
    for numbers in [vec![0], vec![0, 1], vec![1, 0], vec![1]] {
        hub.reconfigure(&files.line(&last), &files.line(&numbers));
        hub.restart().unwrap();
        assert_eq!(kids(&hub), files.kids(&numbers));
        let token = next_token(&hub, &wiki);
        assert_eq!(part(&token, 0)["kid"], files.keys[numbers[0]].kid());
        tokens.push((numbers[0], token));
        for (_, token) in tokens.iter().filter(|(key, _)| numbers.contains(key)) {
            assert_verifies(&hub, &wiki, token);
        }
        last = numbers;
    }
    // Without a file it is the store's, and a file takes its place again.
    hub.reconfigure(&files.line(&last), "");
    hub.restart().unwrap();
    let [own] = &kids(&hub)[..] else {
        panic!("not one key");
    };
    assert!(!files.kids(&[0, 1]).contains(own));
}

/// What `check-config` and `serve` say about a file of a key, which is the same.
fn said(file: &std::path::Path, parties: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let listeners = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let configuration =
        format!("{listeners}[logout_tokens]\nsigning_key_files = [{file:?}]\n{parties}");
    std::fs::write(folder.path().join("hub.toml"), configuration).unwrap();
    let [checked, served] = ["check-config", "serve"]
        .map(|command| server::run(&[command, "--config", "hub.toml"], folder.path()));
    let text = |ended: &logout_tests::process::Ended| {
        assert!(!ended.status.success(), "{}", file.display());
        let place = "hub.toml:6:21: ";
        let (_, said) = ended.stderr.split_once(place).unwrap_or_else(|| {
            panic!("{place} is not named: {}", ended.stderr);
        });
        said.lines().next().unwrap().to_owned()
    };
    assert!(text(&served).starts_with(&text(&checked)));
    text(&checked)
}

fn a_file_that_is_no_strong_key_of_the_hub_s_own_is_refused_at_its_place() {
    let files = Files::new(1);
    let (good, folder) = (files.path(0), files.folder.path());
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        secret_file::write(&path, text);
        path
    };
    let public = file("public.pem", files.keys[0].pem());
    secret_file::set_mode(&public, 0o644);
    let writable = file("writable.pem", files.keys[0].pem());
    secret_file::set_mode(&writable, 0o602);
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let missing = folder.join("missing.pem");
    let garbled = files.keys[0].pem().replacen("MII", "MI*", 1);
    let of_other_users = |path: &PathBuf, mode: &str, access: &str| {
        format!(
            "mode {mode} lets every user of this machine {access} it; run `chmod 600 {}`",
            path.display()
        )
    };
    let none = "there is no PEM private key (BEGIN PRIVATE KEY) in it; make one by \
                `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`";
    let unsupported = "the private key is not an RSA key of 2048 bits or more";
    let party = TestRelyingParty::start("wiki", OK).table("");
    for (path, why) in [
        (&public, of_other_users(&public, "0644", "read")),
        (&writable, of_other_users(&writable, "0602", "change")),
        (
            &missing,
            "cannot be read: No such file or directory (os error 2)".to_owned(),
        ),
        (&file("empty.pem", ""), none.to_owned()),
        (&file("text.pem", "no key at all"), none.to_owned()),
        (&file("garbled.pem", &garbled), none.to_owned()),
        (&file("elliptic.pem", &elliptic), unsupported.to_owned()),
    ] {
        let expected = format!(
            "`logout_tokens.signing_key_files`: {}: {why}",
            path.display()
        );
        assert_eq!(said(path, &party), expected);
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = format!("[logout_tokens]\nsigning_key_files = [{good:?}]\n{party}");
    std::fs::write(folder.path().join("hub.toml"), configuration).unwrap();
    let checked = server::run(&["check-config", "--config", "hub.toml"], folder.path());
    assert!(checked.status.success(), "{}", checked.stderr);
}

fn the_documents_are_read_and_cached_and_nothing_else() {
    let wiki = TestRelyingParty::start("wiki", OK);
    let hub = TestHub::on(StoreKind::Disk, &tables(&wiki.table(""))).unwrap();
    for path in [CONFIGURATION, KEYS] {
        let got = Request::get(path).send(hub.address());
        assert_eq!(
            (got.status, got.header("content-type")),
            (200, Some("application/json"))
        );
        assert_eq!(got.header("cache-control"), Some("public, max-age=3600"));
        assert_eq!(got.header("set-cookie"), None);
        let head = Request::new("HEAD", path).send(hub.address());
        assert_eq!((head.status, head.text()), (200, String::new()));
        for name in ["content-type", "cache-control", "content-length"] {
            assert_eq!(head.header(name), got.header(name), "{name}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let refused = Request::new(method, path).send(hub.address());
            assert_eq!(
                (refused.status, refused.header("allow")),
                (405, Some("GET, HEAD")),
                "{method}"
            );
        }
        for other in [
            format!("{path}/"),
            format!("{path}/x"),
            path.to_uppercase(),
            format!("/idp{path}"),
        ] {
            let answer = Request::get(&other).send(hub.address());
            assert_eq!(answer.status, 404, "{other}");
        }
    }
    // The admin listener has those of receipts at the same path.
    let of_receipts = Request::get(KEYS).send(hub.admin_address());
    let own = kids(&hub);
    assert!(own.iter().all(|kid| !of_receipts.text().contains(kid)));
    let admin = Request::get(CONFIGURATION).send(hub.admin_address());
    assert_eq!(admin.status, 404);
}

fn the_issuer_is_the_public_url_whatever_the_request_says() {
    let wiki = TestRelyingParty::start("wiki", OK);
    for (public_url, issuer) in [
        ("https://sso.example", "https://sso.example"),
        ("https://sso.example/", "https://sso.example"),
        (
            "https://SSO.example:8443/hub/",
            "https://sso.example:8443/hub",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let configuration = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{public_url}\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n{}{}",
            wiki.table(""),
            portal("")
        );
        std::fs::write(folder.path().join("hub.toml"), configuration).unwrap();
        let server = Server::serve(folder.path());
        let asked = Request::get(CONFIGURATION)
            .header("Host", "evil.example")
            .header("X-Forwarded-Host", "evil.example")
            .header("Forwarded", "host=evil.example;proto=http");
        let document = asked.send(server.address()).json();
        assert_eq!(
            [
                &document["issuer"],
                &document["jwks_uri"],
                &document["end_session_endpoint"],
            ],
            [
                &json!(issuer),
                &json!(format!("{issuer}{KEYS}")),
                &json!(format!("{issuer}/end-session")),
            ]
        );
        let lists = document.as_object().unwrap().values();
        assert!(
            lists
                .filter_map(Value::as_array)
                .all(|list| !list.is_empty())
        );
    }
}

fn without_relying_parties_that_are_told_there_are_none() {
    for parties in [
        "",
        "[[relying_party]]\nclient_id = \"wiki\"\n",
        "[[relying_party]]\nclient_id = \"wiki\"\n\
         frontchannel_logout_uri = \"https://wiki.example/out\"\n",
    ] {
        let hub = TestHub::on(StoreKind::Disk, &tables(parties)).unwrap();
        for path in [CONFIGURATION, KEYS] {
            let answer = Request::get(path).send(hub.address());
            assert_eq!(answer.status, 404, "{parties}");
            assert_eq!(answer.header("cache-control"), None);
        }
    }
}
