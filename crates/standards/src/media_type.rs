//! Media types of bodies.

/// Whether a `Content-Type` names this media type, whatever its parameters.
pub(crate) fn is_media_type(content_type: Option<&str>, expected: &str) -> bool {
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|own| own.trim().eq_ignore_ascii_case(expected))
}

/// Whether it names a urlencoded form.
pub(crate) fn is_form(content_type: Option<&str>) -> bool {
    is_media_type(content_type, "application/x-www-form-urlencoded")
}
