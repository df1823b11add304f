use std::sync::Barrier;
use std::thread;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::time::Timestamp;

use super::*;

fn keys(lines: &[&str]) -> SealKeys {
    SealKeys::read(lines.join("\n").as_bytes()).unwrap()
}

fn line(byte: u8) -> String {
    STANDARD.encode([byte; KEY_BYTES])
}

/// Writes `text` where it may lie: other users cannot read it.
fn write_private(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

fn session() -> SessionId {
    SessionId::at(Timestamp::from_millis(1_750_000_000_000))
}

#[test]
fn what_is_sealed_opens_for_the_same_session_only() {
    let (keys, mine) = (SealKeys::random(), session());
    for plain in [b"".as_slice(), b"cookie=a%3Db", &[0; 5000]] {
        let sealed = keys.seal(mine, plain);
        assert_eq!(keys.open(mine, &sealed).as_deref(), Ok(plain));
        assert_eq!(keys.open(session(), &sealed), Err(SealError));
    }
}

#[test]
fn what_is_sealed_shows_nothing_of_the_plain_text_and_never_looks_the_same() {
    let (keys, mine) = (SealKeys::random(), session());
    let (one, two) = (
        keys.seal(mine, b"canary canary canary"),
        keys.seal(mine, b"canary canary canary"),
    );
    assert_ne!(
        one.as_bytes()[1 + ID_BYTES..],
        two.as_bytes()[1 + ID_BYTES..]
    );
    assert!(!one.as_bytes().windows(6).any(|part| part == b"canary"));
}

#[test]
fn every_change_and_every_cut_is_noticed() {
    let (keys, mine) = (SealKeys::random(), session());
    let whole = keys.seal(mine, b"bearer=abc").as_bytes().to_vec();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert_eq!(
            keys.open(mine, &Sealed::new(changed)),
            Err(SealError),
            "changed at {at}"
        );
        assert_eq!(
            keys.open(mine, &Sealed::new(&whole[..at])),
            Err(SealError),
            "cut at {at}"
        );
    }
    assert_eq!(
        keys.open(mine, &Sealed::new([whole.as_slice(), &[0]].concat())),
        Err(SealError)
    );
    assert!(keys.open(mine, &Sealed::new(whole)).is_ok());
}

#[test]
fn a_new_first_key_seals_and_the_old_one_still_opens_until_it_is_dropped() {
    let mine = session();
    let (old_line, new_line) = (line(1), line(2));
    let (old, both, new) = (
        keys(&[&old_line]),
        keys(&[&new_line, &old_line]),
        keys(&[&new_line]),
    );
    let before = old.seal(mine, b"before");
    let after = both.seal(mine, b"after");

    assert_eq!(
        both.open(mine, &before).as_deref(),
        Ok(b"before".as_slice())
    );
    assert_ne!(
        before.as_bytes()[..=ID_BYTES],
        after.as_bytes()[..=ID_BYTES]
    );
    assert_eq!(new.open(mine, &after).as_deref(), Ok(b"after".as_slice()));
    assert_eq!(old.open(mine, &after), Err(SealError));
    assert_eq!(new.open(mine, &before), Err(SealError));
}

#[test]
fn a_key_may_be_written_in_either_alphabet_with_or_without_padding() {
    let bytes = [0xfb; KEY_BYTES];
    let (standard, url_safe) = (STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes));
    assert!(standard.contains('+') && url_safe.contains('-'));
    let mine = session();
    let sealed = keys(&[&standard]).seal(mine, b"x");
    for text in [
        standard.trim_end_matches('=').to_owned(),
        url_safe.clone(),
        format!("{url_safe}="),
        format!("  {url_safe}\t\r"),
    ] {
        assert!(
            keys(&["# ours", "", &text, ""]).open(mine, &sealed).is_ok(),
            "{text}"
        );
    }
}

#[test]
fn a_line_that_is_no_key_is_named_by_its_number_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.keys");
    for wrong in [
        &line(1)[4..],
        "canary",
        &format!("{} canary", line(1)),
        &STANDARD.encode([7; 33]),
        &"Y2FuYXJ5".repeat(40),
        "\u{feff}",
    ] {
        write_private(&path, format!("# one\n\n{}\n{wrong}\n", line(3)));
        let fault = SealKeys::load(&path).unwrap_err();
        assert!(
            matches!(fault.fault(), SealKeysUnusable::Line { line: 4 }),
            "{fault}"
        );
        let said = format!("{fault} {fault:?}");
        assert!(
            said.contains("seal.keys") && !said.contains("canary") && !said.contains("Y2Fu"),
            "{said}"
        );
        assert!(
            SealKeys::load_or_generate(&path).is_err(),
            "a broken file is not replaced"
        );
    }
}

#[test]
fn a_file_without_keys_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.keys");
    for text in ["", "\n\n", "# nothing yet\n"] {
        write_private(&path, text);
        let fault = SealKeys::load_or_generate(&path).unwrap_err();
        assert!(matches!(fault.fault(), SealKeysUnusable::Empty));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[cfg(unix)]
#[test]
fn keys_that_every_user_of_the_machine_can_read_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.keys");
    write_private(&path, line(1));
    set_mode(&path, 0o644);
    let said = SealKeys::load_or_generate(&path).unwrap_err().to_string();
    let file = path.display();
    assert_eq!(
        said,
        format!(
            "{file}: mode 0644 lets every user of this machine read it; run `chmod 600 {file}`"
        )
    );
    set_mode(&path, 0o640);
    assert!(SealKeys::load_or_generate(&path).is_ok());
}

#[test]
fn a_missing_file_is_made_once_and_for_the_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.keys");
    assert!(SealKeys::load(&path).is_err());

    let mine = session();
    let sealed = SealKeys::load_or_generate(&path).unwrap().seal(mine, b"x");
    let text = fs::read(&path).unwrap();
    assert!(
        SealKeys::load_or_generate(&path)
            .unwrap()
            .open(mine, &sealed)
            .is_ok()
    );
    assert_eq!(fs::read(&path).unwrap(), text);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn hubs_that_start_at_once_agree_on_one_key() {
    const HUBS: usize = 8;
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.keys");
        let start = Barrier::new(HUBS);
        let hubs: Vec<SealKeys> = thread::scope(|scope| {
            let hub = || {
                start.wait();
                SealKeys::load_or_generate(&path).unwrap()
            };
            let running: Vec<_> = (0..HUBS).map(|_| scope.spawn(hub)).collect();
            running.into_iter().map(|hub| hub.join().unwrap()).collect()
        });
        let mine = session();
        let sealed = hubs[0].seal(mine, b"x");
        assert!(hubs.iter().all(|hub| hub.open(mine, &sealed).is_ok()));
    }
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let fault =
        SealKeys::load_or_generate(&folder.path().join("missing").join("seal.keys")).unwrap_err();
    assert!(
        matches!(fault.fault(), SealKeysUnusable::File(_))
            && fault.to_string().contains("seal.keys")
    );
    assert!(
        std::error::Error::source(&fault).is_none(),
        "the text says all, so a report does not say it twice"
    );
}

#[test]
fn keys_do_not_print_themselves() {
    let text = STANDARD.encode(b"canarycanarycanarycanarycanary!!");
    let printed = format!("{:?}", keys(&[&text]));
    assert!(
        printed.starts_with("SealKeys")
            && !printed.contains("canary")
            && !printed.contains("99, 97")
            && !printed.contains(&text)
    );
}
