//! The spellings of a credential that decoders take.

use logout_hub::Vendor;

use super::Headers;

/// The spellings that the product's own decoder takes for `secret`.
pub(super) fn spellings(vendor: Vendor, secret: &str) -> Vec<Headers> {
    let cookie = |text: String| vec![("Cookie", text)];
    match vendor {
        Vendor::Assets => {
            let mut all: Vec<Headers> = signature_spellings(secret)
                .into_iter()
                .map(|token| cookie(format!("authToken={token}")))
                .collect();
            all.push(cookie(format!("authToken=\"{secret}\"")));
            let schemes = ["Bearer ", "bearer ", "BEARER  ", "Bearer"];
            all.extend(schemes.map(|scheme| vec![("Authorization", format!("{scheme}{secret}"))]));
            all
        }
        Vendor::Wix => {
            let mut all: Vec<Headers> = signature_spellings(secret)
                .into_iter()
                .map(|token| vec![("Authorization", token)])
                .collect();
            all.extend(
                ["Bearer ", "bearer "]
                    .map(|scheme| vec![("Authorization", format!("{scheme}{secret}"))]),
            );
            all.push(vec![("Authorization", format!("{secret},IST.key"))]);
            all
        }
        Vendor::Sitefinity => {
            let standard = secret.replace('-', "+").replace('_', "/");
            let padded = format!("{secret}{}", "=".repeat((4 - secret.len() % 4) % 4));
            let mut values = with_unused_bits(secret);
            values.extend([
                standard.clone(),
                padded,
                standard.replace('+', "%2B").replace('/', "%2F"),
                format!("{}%20{}", &secret[..9], &secret[9..]),
                format!("{}++++{}", &secret[..12], &secret[12..]),
            ]);
            let mut all: Vec<Headers> = values
                .into_iter()
                .map(|value| cookie(format!(".AspNet.Cookies={value}")))
                .collect();
            all.extend(
                [".aspnet.cookies", ".ASPNET.COOKIES"]
                    .map(|name| cookie(format!("{name}={secret}"))),
            );
            let (one, two) = secret.split_at(secret.len() / 2);
            all.push(cookie(format!(
                ".AspNet.Cookies=chunks:2; .AspNet.CookiesC2={two}; .AspNet.CookiesC1={one}"
            )));
            all
        }
        Vendor::HclDx => {
            let mut values = with_unused_bits(secret.trim_end_matches('='));
            values.retain(|value| value.len().is_multiple_of(4) || !secret.ends_with('='));
            let pads = secret.len() - secret.trim_end_matches('=').len();
            values.extend(
                with_unused_bits(secret.trim_end_matches('='))
                    .into_iter()
                    .map(|bare| format!("{bare}{}", "=".repeat(pads))),
            );
            // The decoder reads what is outside its alphabet as an A.
            values.extend(['-', '!', '.', '='].map(|stray| replaced_inside(secret, stray)));
            let mut all: Vec<Headers> = values
                .into_iter()
                .map(|value| cookie(format!("LtpaToken2={value}")))
                .collect();
            all.extend(
                ["ltpatoken2", "LTPATOKEN2", "$LtpaToken2", "$ltpatoken2"]
                    .map(|name| cookie(format!("{name}={secret}"))),
            );
            all
        }
    }
}

/// What servers and decoders other than the product's make of an ended credential.
pub(super) fn foreign_spellings(vendor: Vendor, secret: &str) -> Headers {
    match vendor {
        Vendor::Assets => {
            vec![
                ("Cookie", format!("x=1, authToken={secret}")),
                (
                    "Cookie",
                    format!("authToken={}", secret.replace('.', "%2E")),
                ),
            ]
        }
        Vendor::Wix => vec![("Authorization", format!("Bearer {secret}, Bearer {secret}"))],
        Vendor::Sitefinity => vec![
            ("Cookie", format!("x=1, .AspNet.Cookies={secret}")),
            ("Cookie", format!(".AspNet.Cookies=\"{secret}\"")),
            (
                "Cookie",
                format!(".AspNet.Cookies={}!{}", &secret[..5], &secret[5..]),
            ),
        ],
        Vendor::HclDx => {
            let inserted = ['-', '!', '.'].map(|stray| {
                (
                    "Cookie",
                    format!("LtpaToken2={}{stray}{}", &secret[..7], &secret[7..]),
                )
            });
            let url = secret.replace('+', "-").replace('/', "_");
            let mut all = Headers::from(inserted);
            all.extend([
                ("Cookie", format!("LtpaToken2=\"{secret}\"")),
                ("Cookie", format!("LtpaToken2={url}")),
                (
                    "Cookie",
                    format!("LtpaToken2={}", secret.trim_end_matches('=')),
                ),
                (
                    "Cookie",
                    format!("LtpaToken2={}", secret.replacen('=', "A", 1)),
                ),
                ("Cookie", format!("LtpaToken2={}", secret.replace('=', "A"))),
                (
                    "Cookie",
                    format!(
                        "LtpaToken2={}",
                        secret
                            .replace('+', "%2B")
                            .replace('/', "%2F")
                            .replace('=', "%3D")
                    ),
                ),
            ]);
            all
        }
    }
}

/// A signed token, with the unused bits of its signature set in every way, and padded.
fn signature_spellings(token: &str) -> Vec<String> {
    let mut all = with_unused_bits(token);
    all.push(format!("{token}="));
    all
}

/// `text` with every value of the bits of its last character that no byte holds; its last part is
/// base64 without padding.
fn with_unused_bits(text: &str) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let encoded = text.rsplit('.').next().unwrap().len();
    let free = match encoded % 4 {
        2 => 16,
        3 => 4,
        _ => 1,
    };
    let (front, last) = text.split_at(text.len() - 1);
    let Some(value) = ALPHABET
        .iter()
        .position(|known| *known == last.as_bytes()[0])
    else {
        return vec![text.to_owned()];
    };
    // The two characters behind these differ between the alphabets.
    let group = (value - value % free)..(value - value % free + free).min(ALPHABET.len());
    group
        .map(|value| format!("{front}{}", char::from(ALPHABET[value])))
        .collect()
}

/// `secret` with `stray` for each of its `A` but the last characters; a token without an `A` stays
/// as it is.
fn replaced_inside(secret: &str, stray: char) -> String {
    let (front, tail) = secret.split_at(secret.len() - 4);
    format!("{}{tail}", front.replace('A', &stray.to_string()))
}
