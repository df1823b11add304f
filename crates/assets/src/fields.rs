//! What a login carries: in the query, in a form, or in a multipart body (all three observed).

use std::borrow::Cow;
use std::convert::Infallible;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use futures_util::stream;
use logout_core::credential::Secret;
use logout_core::message::{Parameters, Request};
use logout_core::sign_out::Refusal;
use multer::Multipart;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decoded parameters, those of the query first. Of several with one name the first counts.
pub(crate) struct Fields<'a> {
    query: Parameters<'a>,
    body: Parameters<'a>,
}

impl<'a> Fields<'a> {
    /// Reads them all. A body of any other type carries none.
    pub(crate) async fn read(request: &'a Request<'_>) -> Result<Self, Refusal> {
        let body = if request
            .media_type()
            .eq_ignore_ascii_case("multipart/form-data")
        {
            multipart(request).await.map_err(|_| Refusal::Malformed {
                field: "body",
                rule: "multipart",
            })?
        } else {
            request.form()
        };
        Ok(Self {
            query: request.query(),
            body,
        })
    }

    /// The first value of `name`, unless that is empty.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|value| !value.is_empty())
    }

    /// All values of `name`.
    pub(crate) fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &str> + use<'_, 'a, 'n> {
        self.query.all(name).chain(self.body.all(name))
    }

    /// Whether the value of `name` is `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.first(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Who wants to log in. `username` and `password` win over `cred`; a `cred` that cannot be read
    /// is a login that fails.
    pub(crate) fn name_and_password(&self) -> Option<(String, Secret)> {
        if let (Some(name), Some(password)) = (self.first("username"), self.first("password")) {
            return Some((name.to_owned(), Secret::new(password)));
        }
        // A `+` that was not encoded has become a space on its way through a query.
        let encoded: String = self
            .first("cred")?
            .trim_end_matches(['\r', '\n'])
            .chars()
            .map(standard_alphabet)
            .collect();
        let decoded = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        Some((name.to_owned(), Secret::new(password)))
    }
}

fn standard_alphabet(character: char) -> char {
    match character {
        ' ' | '-' => '+',
        '_' => '/',
        other => other,
    }
}

/// The fields of a multipart body. A part with a file name is a file, not a field.
async fn multipart(request: &Request<'_>) -> Result<Parameters<'static>, multer::Error> {
    let boundary = multer::parse_boundary(request.header("content-type").unwrap_or_default())?;
    let whole = stream::iter([Ok::<_, Infallible>(request.body().to_vec())]);
    let mut parts = Multipart::new(whole, boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await? {
        let name = part
            .name()
            .filter(|_| part.file_name().is_none())
            .map(str::to_owned);
        let value = part.text().await?;
        fields.extend(name.map(|name| (Cow::Owned(name), Cow::Owned(value))));
    }
    Ok(Parameters::from_pairs(fields))
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use logout_core::Method;
    use proptest::prelude::*;

    use super::*;

    fn read(request: &Request<'_>) -> Option<(String, String)> {
        let fields = block_on(Fields::read(request)).ok()?;
        fields
            .name_and_password()
            .map(|(name, password)| (name, password.reveal().to_owned()))
    }

    fn multipart_body(fields: &[(&str, &str)]) -> String {
        let part = |(name, value): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        format!("{}--b--\r\n", fields.iter().map(part).collect::<String>())
    }

    fn post(media_type: &'static str, body: impl Into<Vec<u8>>) -> Request<'static> {
        Request::new(Method::Post, "/services/login")
            .with_header("content-type", media_type)
            .with_body(body)
    }

    #[test]
    fn a_password_means_the_same_in_every_encoding() {
        let password = "a&b+c%d é=ü:/?#\"";
        let requested = Some(("alice".to_owned(), password.to_owned()));
        let encoded = "username=alice&password=a%26b%2Bc%25d%20%C3%A9%3D%C3%BC%3A%2F%3F%23%22";
        assert_eq!(
            read(&Request::new(Method::Post, "/").with_query(encoded)),
            requested
        );
        assert_eq!(
            read(&post("application/x-www-form-urlencoded", encoded)),
            requested
        );
        let body = multipart_body(&[("username", "alice"), ("password", password)]);
        assert_eq!(
            read(&post("multipart/form-data; boundary=b", body)),
            requested
        );
        let cred = BASE64.encode(format!("alice:{password}"));
        assert_eq!(
            read(&post(
                "multipart/form-data; boundary=\"b\"",
                multipart_body(&[("cred", &cred)])
            )),
            requested
        );
    }

    #[test]
    fn cred_is_read_with_and_without_padding_and_with_a_plus_that_became_a_space() {
        for (cred, found) in [
            ("YTo%2BPj8%3D", Some("\u{3e}\u{3e}\u{3f}")),
            ("YTo+Pj8=", Some(">>?")),
            ("YTo-Pj8", Some(">>?")),
            ("YTo", Some("")),
            ("YQ==", None),
            ("%%%", None),
            ("Og", Some("")),
            ("/w==", None),
            ("", None),
        ] {
            let request = Request::new(Method::Post, "/").with_query(format!("cred={cred}"));
            assert_eq!(
                read(&request).map(|(_, password)| password).as_deref(),
                found,
                "{cred}"
            );
        }
    }

    #[test]
    fn name_and_password_win_over_cred_and_the_query_over_the_body() {
        let both = Request::new(Method::Post, "/").with_query("cred=YTph&username=b&password=c");
        assert_eq!(read(&both), Some(("b".into(), "c".into())));
        let half = Request::new(Method::Post, "/").with_query("cred=YTph&username=b");
        assert_eq!(read(&half), Some(("a".into(), "a".into())));
        let twice = post(
            "application/x-www-form-urlencoded",
            "username=x&password=y&password=z",
        )
        .with_query("username=q");
        assert_eq!(read(&twice), Some(("q".into(), "y".into())));
    }

    #[test]
    fn a_file_is_no_field() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"username\"; filename=\"x\"\r\n\r\nalice\r\n--b--\r\n";
        assert_eq!(read(&post("multipart/form-data; boundary=b", body)), None);
    }

    #[test]
    fn a_broken_multipart_body_is_malformed() {
        let whole = multipart_body(&[("username", "alice"), ("password", "x")]);
        for (media_type, body) in [
            ("multipart/form-data", whole.as_str()),
            ("multipart/form-data; boundary=c", whole.as_str()),
            ("multipart/form-data; boundary=b", &whole[..whole.len() - 8]),
            ("multipart/form-data; boundary=b", ""),
        ] {
            let request = post(media_type, body);
            assert!(
                matches!(
                    block_on(Fields::read(&request)),
                    Err(Refusal::Malformed { .. })
                ),
                "{media_type} {body:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..256), cut in 0usize..200) {
            let mut framed = multipart_body(&[("cred", "YTph")]).into_bytes();
            framed.truncate(cut);
            framed.extend_from_slice(&body);
            for media_type in ["multipart/form-data; boundary=b", "multipart/form-data; boundary=", "application/x-www-form-urlencoded", "\u{fffd}"] {
                let request = post(media_type, framed.clone());
                if let Ok(fields) = block_on(Fields::read(&request)) {
                    let _ = fields.name_and_password();
                }
            }
        }
    }
}
