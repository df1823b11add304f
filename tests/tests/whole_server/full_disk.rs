//! A full disk: refusals in each vendor's words, never a false success, and recovery without a
//! restart.

use std::thread;
use std::time::{Duration, Instant};

use logout_hub::Vendor;
use logout_tests::disk::SmallDisk;
use logout_tests::http::{Answer, Request};
use logout_tests::server::Server;
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;

use crate::sample::{self, VENDORS, says_done};

/// More sign-outs than fit into what is left of a full disk.
const SESSIONS: usize = 3_000;
/// How long the store may take to notice that there is room again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked whether it has noticed.
const LOOK: Duration = Duration::from_millis(20);

/// The other ways to sign out, whose usual answers are a redirect, a target or an envelope.
const OTHER_DOORS: &[(Vendor, &str, &str)] = &[
    (
        Vendor::Assets,
        "/logout?logoutSuccessUrl=https://www.example.com/",
        "*/*",
    ),
    (
        Vendor::HclDx,
        "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/",
        "text/html",
    ),
    (
        Vendor::HclDx,
        "/wps/myportal/!ut/p/a1/04_SD9OPcrMKyc9PLXZ2iXfUj9SPstSPzMnXL8hxVAQAAFhKBg!!/?autoRedirect=false",
        "*/*",
    ),
    (
        Vendor::Sitefinity,
        "/Sitefinity/SignOut?redirect=false",
        "*/*",
    ),
    (
        Vendor::Sitefinity,
        "/Sitefinity/SignOut?redirect_uri=https://www.example.com/",
        "*/*",
    ),
    (
        Vendor::Wix,
        "/v1/logout?postLogoutRedirectUri=https://www.example.com/goodbye",
        "text/html",
    ),
    (
        Vendor::Wix,
        "/v1/logout?postLogoutRedirectUri=https://www.example.com/goodbye",
        "application/json",
    ),
];

pub(crate) fn add(run: &mut Run) {
    run.test(
        "full_disk::sign_outs_are_refused_with_503_and_succeed_again_when_there_is_room",
        &[Need::SmallDisk],
        refuses_and_recovers,
    );
}

fn refuses_and_recovers() {
    let disk = SmallDisk::mount().unwrap();
    sample::configure(disk.path(), StoreKind::Disk);
    let samples = sample::load(disk.path(), SESSIONS);
    let server = Server::serve(disk.path());
    let address = server.address();
    assert_eq!(readiness(&server), 200);

    let mut next = 0;
    for round in 0..2 {
        let filler = disk.fill();
        let first = next;
        let refusal = loop {
            assert!(
                next < SESSIONS - 100,
                "the disk is full, and all went on as before"
            );
            let answer = samples[next].sign_out().send(address);
            if !says_done(samples[next].vendor, &answer) {
                break answer;
            }
            next += 1;
        };
        let refused = next;
        assert_is_refusal(samples[refused].vendor, &refusal);
        // Of every vendor, at every one of the doors: signing out in each way, and asking who is
        // signed in.
        for sample in &samples[SESSIONS - VENDORS.len()..] {
            assert_is_refusal(sample.vendor, &sample.sign_out().send(address));
            for (target, accept) in OTHER_DOORS
                .iter()
                .filter(|(vendor, ..)| *vendor == sample.vendor)
                .map(|(_, target, accept)| (target, accept))
            {
                let answer = sample
                    .with(Request::get(target).header("Accept", accept))
                    .send(address);
                let shown = format!(
                    "{target}: {} {:?} {}",
                    answer.status,
                    answer.headers,
                    answer.text()
                );
                assert_eq!(
                    (
                        answer.status,
                        answer.header("location"),
                        answer.header("set-cookie")
                    ),
                    (503, None, None),
                    "{shown}"
                );
                assert!(
                    !answer.text().contains("redirectUrl") && !answer.text().contains("statusCode"),
                    "{shown}"
                );
            }
            let (probe, _) = &sample::probes(sample.vendor)[0];
            assert_is_refusal(sample.vendor, &sample.with(probe.clone()).send(address));
        }
        assert_eq!(readiness(&server), 503);
        assert_eq!(
            Request::get("/healthz").send(server.admin_address()).status,
            200,
            "it lives, though it is not ready"
        );
        assert_eq!(server.admin("/api/receipts", disk.path()).status, 503);

        std::fs::remove_file(filler).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while readiness(&server) != 200 {
            assert!(
                Instant::now() < deadline,
                "round {round}: there is room again, and the server does not notice"
            );
            thread::sleep(LOOK);
        }
        for sample in &samples[first..refused] {
            assert!(
                !sample.is_alive(address),
                "round {round}: an acknowledged sign-out of {} is undone",
                sample.vendor
            );
        }
        for sample in &samples[SESSIONS - VENDORS.len()..] {
            let lives = sample.is_alive(address);
            assert!(
                lives || round > 0,
                "round {round}: a refused sign-out of {} was carried out by itself",
                sample.vendor
            );
        }
        for sample in samples[refused + 1..SESSIONS - VENDORS.len()]
            .iter()
            .step_by(23)
        {
            assert!(
                sample.is_alive(address),
                "round {round}: a session of {} is lost",
                sample.vendor
            );
        }
        // The caller still has the credential, and tries again; a caller whose session was ended
        // after all is told so.
        if samples[refused].is_alive(address) {
            assert!(says_done(
                samples[refused].vendor,
                &samples[refused].sign_out().send(address)
            ));
        }
        assert!(!samples[refused].is_alive(address));
        next = refused + 1;
    }
    server.kill();
    let server = Server::serve(disk.path());
    for (number, sample) in samples[..SESSIONS - VENDORS.len()]
        .iter()
        .enumerate()
        .step_by(11)
    {
        assert_eq!(
            sample.is_alive(server.address()),
            number >= next,
            "session {number} of {} after a restart",
            sample.vendor
        );
    }
}

fn readiness(server: &Server) -> u16 {
    Request::get("/readyz").send(server.admin_address()).status
}

/// 503 in the vendor's words, with nothing in it that a client could take for success, and no
/// cookie taken away.
fn assert_is_refusal(vendor: Vendor, answer: &Answer) {
    let shown = format!("{vendor}: {} {}", answer.status, answer.text());
    assert_eq!(answer.status, 503, "{shown}");
    assert_eq!(
        (answer.header("set-cookie"), answer.header("location")),
        (None, None),
        "{shown}"
    );
    match vendor {
        Vendor::Assets => assert_eq!(answer.json()["errorcode"], 503, "{shown}"),
        Vendor::HclDx => assert_eq!(
            answer.json()["error"]["code"],
            "ServiceUnavailable",
            "{shown}"
        ),
        Vendor::Sitefinity => assert!(
            answer
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/plain")),
            "{shown}"
        ),
        Vendor::Wix => assert_eq!(
            answer.json(),
            serde_json::json!({ "message": "", "details": {} }),
            "{shown}"
        ),
    }
}
