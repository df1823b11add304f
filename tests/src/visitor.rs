//! A browser without scripts, which fills in the forms of npm's oidc-provider.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use url::Url;

use crate::http::{Answer, Request};

/// The most redirects and forms between the beginning of a login and its end.
const STEPS: usize = 20;

/// A browser with a jar for each address, since the servers of a test differ by port alone.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    jars: BTreeMap<SocketAddr, BTreeMap<String, String>>,
}

impl Visitor {
    /// Sends a request for a page with the cookies for `address`, and keeps those of the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn send(&mut self, address: SocketAddr, request: Request) -> Answer {
        let jar = self.jars.entry(address).or_default();
        let cookies = jar.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<_> = cookies.collect();
        let answer = request
            .header("Accept", "text/html")
            .header("Cookie", &cookies.join("; "))
            .send(address);
        for cookie in answer.headers_named("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Begins at `start` and follows redirects, until one leads to an address that `is_end`
    /// accepts, and gives that. On the way it logs in as `name`, and agrees where that is asked
    /// for.
    ///
    /// # Panics
    /// When it does not get there.
    pub fn follow(&mut self, start: &Url, name: &str, is_end: impl Fn(&Url) -> bool) -> Url {
        let mut url = start.clone();
        for _ in 0..STEPS {
            let address = address_of(&url);
            let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
            let mut answer = self.send(address, Request::get(target));
            if answer.status == 200 {
                let prompt = attribute(&answer, "name=\"prompt\" value=\"");
                let mut fields = vec![("prompt", prompt.as_str())];
                if prompt == "login" {
                    fields.extend([("login", name), ("password", "x")]);
                }
                answer = self.send(address, Request::post(target).form(&fields));
            }
            let location = answer.header("location");
            let location =
                location.unwrap_or_else(|| panic!("{url}: {} {}", answer.status, answer.text()));
            url = url.join(location).unwrap();
            if is_end(&url) {
                return url;
            }
        }
        panic!("the login has no end: {url}")
    }
}

/// The address of a URL on loopback.
///
/// # Panics
/// When it has none.
pub(crate) fn address_of(url: &Url) -> SocketAddr {
    let addresses = url.socket_addrs(|| None).unwrap();
    addresses[0]
}

/// What stands in a page between `before` and the next quotation mark.
///
/// # Panics
/// When the page has no `before`.
pub(crate) fn attribute(page: &Answer, before: &str) -> String {
    let text = page.text();
    let rest = text.split(before).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("{} {text}", page.status));
    rest.split('"').next().unwrap_or_default().to_owned()
}
