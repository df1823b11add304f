//! Chromium on the page of a receipt, which asks it to sign out at relying parties (OpenID Connect
//! Front-Channel Logout 1.0).

use std::time::Duration;

use logout_core::receipt::ReceiptId;
use logout_tests::browser::Browser;
use logout_tests::front::{SIGNED_OUT, admin, platform, wait_until};
use logout_tests::http::{Request, percent_encode};
use logout_tests::hub::TestHub;
use logout_tests::skip::{Need, Run};
use logout_tests::stores::StoreKind;
use logout_tests::upstream::{Behaviour, ScriptedUpstream};
use serde_json::{Value, json};

/// The cookie that the relying party knows the browser by.
const COOKIE: &str = "wiki-session=4711";
const SID: &str = "s&1";

pub(crate) fn add(run: &mut Run) {
    for (name, body) in [
        (
            "the_page_of_a_receipt_loads_the_address_with_its_cookie_in_a_hidden_frame",
            hidden as fn(),
        ),
        ("a_page_that_loads_itself_again_ends_no_newer_login", again),
        (
            "the_page_loads_no_other_frame_and_none_leads_it_away",
            shut_in,
        ),
    ] {
        run.test(&format!("front_channel::{name}"), &[Need::Chromium], body);
    }
}

/// A relying party that logs in at `/login`, and whose `/out` is this page.
fn relying_party(out: &str) -> ScriptedUpstream {
    let out = out.to_owned();
    let play = move |request: &str| {
        let html = "content-type: text/html\r\ncache-control: no-store\r\n";
        let login = format!("{html}set-cookie: {COOKIE}; Path=/; HttpOnly; SameSite=Lax\r\n");
        if request.starts_with("GET /login ") {
            Behaviour::bytes("200 OK", &login, "in")
        } else if request.starts_with("GET /out?") {
            let gone = format!("{html}set-cookie: wiki-session=; Path=/; Max-Age=0\r\n");
            Behaviour::bytes("200 OK", &gone, &out)
        } else if ["/script-has-run", "/favicon.ico"]
            .iter()
            .any(|path| request.starts_with(&format!("GET {path} ")))
        {
            Behaviour::bytes("204 No Content", "", "")
        } else {
            Behaviour::bytes("404 Not Found", "", "")
        }
    };
    ScriptedUpstream::start([], Behaviour::play(play))
}

/// A product with one session of a person who is signed out, and a relying party that only
/// browsers are sent to.
struct SignedOut {
    hub: TestHub,
    receipt: String,
    product: ScriptedUpstream,
}

impl SignedOut {
    fn at(party: &ScriptedUpstream) -> Self {
        let signed_out = Self::pending(party);
        signed_out.confirm();
        signed_out
    }

    /// With a product that does not answer yet. The page loads itself again.
    fn pending(party: &ScriptedUpstream) -> Self {
        let product = ScriptedUpstream::start([], Behaviour::Slam);
        let tables = format!(
            "[single_logout]\nwait = \"0ms\"\nverify = false\nshow_receipt = true\n\
             first_retry = \"10ms\"\nlast_retry = \"20ms\"\n\
             [[relying_party]]\nclient_id = \"wiki\"\nsession_required = true\n\
             frontchannel_logout_uri = \"{}/out?from=hub\"\n{}",
            party.base(),
            platform("hcl-dx", &product.base(), "")
        );
        let hub = TestHub::on(StoreKind::Disk, &tables).unwrap();
        let session = json!({
            "platform": "hcl-dx", "subject": "alice", "cookies": { "LtpaToken2": "cookie" },
            "person": "alice@x.example",
            "idp": { "iss": "https://idp.example", "sub": "a-1", "sid": SID },
        });
        let answer = admin(&hub, Request::post("/api/sessions").json(&session));
        assert_eq!(answer.status, 201, "{}", answer.text());
        let order = json!({ "person": "alice@x.example" });
        let answer = admin(&hub, Request::post("/api/logouts").json(&order)).json();
        assert_eq!(answer["ended"], 2, "{answer}");
        let receipt = answer["receipt"].as_str().unwrap().to_owned();
        Self {
            hub,
            receipt,
            product,
        }
    }

    /// Lets the product confirm.
    fn confirm(&self) {
        let json = "content-type: application/json\r\n";
        self.product
            .now(Behaviour::answer("200 OK", json, SIGNED_OUT));
        wait_until("the product has confirmed", || {
            self.hub.advance(Duration::from_millis(20));
            self.session("hcl-dx")["delivery"]["state"] == "confirmed"
        });
    }

    /// What the receipt says of the session there.
    fn session(&self, name: &str) -> Value {
        let path = format!("/api/receipts/{}", self.receipt);
        let receipt = admin(&self.hub, Request::get(&path)).json();
        let mut sessions = receipt["sessions"].as_array().unwrap().iter();
        let session = sessions.find(|session| session["platform"] == name);
        session.unwrap_or_else(|| panic!("{receipt}")).clone()
    }

    /// The address of its page.
    fn page(&self) -> String {
        let pages = self.hub.services().receipt_pages.as_ref().unwrap();
        let address = pages.address(ReceiptId::parse(&self.receipt).unwrap());
        address.unwrap().as_str().to_owned()
    }
}

/// The requests of the party for its address of sign-outs.
fn asked(party: &ScriptedUpstream) -> Vec<String> {
    let requests = party.requests().into_iter();
    requests
        .filter(|request| request.starts_with("GET /out?"))
        .collect()
}

/// Whether the browser is logged in at the relying party.
fn has_cookie(browser: &Browser) -> bool {
    let mut jar = browser.whole_jar().into_iter();
    jar.any(|cookie| cookie.name == "wiki-session")
}

fn hidden() {
    let party = relying_party("<script>fetch('/script-has-run')</script>");
    let (signed_out, browser) = (SignedOut::at(&party), Browser::start());
    browser.open(&format!("{}/login", party.base()));
    assert!(has_cookie(&browser));

    browser.open(&signed_out.page());
    let asked = asked(&party);
    let issuer = percent_encode(&signed_out.hub.base());
    let [request] = &asked[..] else {
        panic!("{asked:?}");
    };
    let head = request.to_ascii_lowercase();
    let target = format!("get /out?from=hub&iss={issuer}&sid=s%261 http/1.1\r\n");
    assert!(head.starts_with(&target.to_ascii_lowercase()), "{request}");
    assert!(
        head.contains(&format!("\r\ncookie: {COOKIE}\r\n")),
        "{request}"
    );
    assert!(head.contains("\r\nsec-fetch-dest: iframe\r\n"), "{request}");
    // The address of the page is a secret.
    assert!(!head.contains("\r\nreferer:"), "{request}");
    // What it answers counts: its cookie is gone, and its script has run.
    wait_until("its script has run", || {
        let mut requests = party.requests().into_iter();
        requests.any(|request| request.starts_with("GET /script-has-run "))
    });
    assert!(!has_cookie(&browser));

    let frame = browser.run(
        "const frames = [...document.querySelectorAll('iframe')];
         return [frames.length, frames.map(frame => frame.getClientRects().length)]",
        &[],
    );
    assert_eq!(frame, json!([1, [0]]));
    assert!(browser.text().contains("asked"), "{}", browser.text());
    assert_eq!(browser.console(), [] as [String; 0]);
    // It is asked, and nothing says that it has done so.
    let session = signed_out.session("wiki");
    assert_eq!(
        (&session["channel"], &session["delivery"]),
        (&json!("browser"), &Value::Null)
    );
    assert!(!session.to_string().contains("confirmed"), "{session}");
}

fn again() {
    let party = relying_party("");
    let (signed_out, browser) = (SignedOut::pending(&party), Browser::start());
    browser.open(&format!("{}/login", party.base()));
    let page = signed_out.page();
    browser.open(&page);
    assert!(!has_cookie(&browser));
    let again = format!("{page}?again");
    browser.wait_for_url(|url| url == again);
    browser.open(&format!("{}/login", party.base()));
    assert!(has_cookie(&browser));
    browser.open(&again);
    browser.wait_for_text(|text| text.contains("1 pending") && text.contains("asked"));
    signed_out.confirm();
    browser.wait_for_text(|text| text.contains("1 of 1 confirmed") && text.contains("asked"));
    assert!(has_cookie(&browser));
    assert_eq!(asked(&party).len(), 1);
}

fn shut_in() {
    let party = relying_party("<script>top.location = '/elsewhere'</script>");
    let other = relying_party("");
    let (signed_out, browser) = (SignedOut::at(&party), Browser::start());
    let page = signed_out.page();
    browser.open(&page);
    assert_eq!(asked(&party).len(), 1);
    let refused = browser.run(
        "return new Promise(done => {
             document.addEventListener('securitypolicyviolation', event =>
                 done([event.effectiveDirective, event.blockedURI]));
             const frame = document.createElement('iframe');
             frame.src = arguments[0];
             document.body.append(frame);
         })",
        &[json!(format!("{}/out?x", other.base()))],
    );
    assert_eq!(refused[0], "frame-src", "{refused}");
    assert!(
        refused[1].as_str().unwrap().starts_with(&other.base()),
        "{refused}"
    );
    assert_eq!(other.requests(), [] as [String; 0]);
    // The frame's script has tried, and the browser says why it could not.
    wait_until("the browser has refused the way out", || {
        let mut said = browser.console().into_iter();
        said.any(|line| line.contains("allow-top-navigation"))
    });
    assert_eq!(browser.url(), page);
    let mut requests = party.requests().into_iter();
    assert!(!requests.any(|request| request.starts_with("GET /elsewhere")));
}
