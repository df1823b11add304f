//! The plain pages of a stand-in: no script, nothing loaded, everything escaped.

use askama::Template;

use crate::message::Response;

/// A page with a heading, a few lines and perhaps a form.
#[derive(Clone, Debug, Default, Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}label{display:block;margin:.5rem 0}</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for line in lines %}<p>{{ line }}</p>
{% endfor %}{% if let Some(form) = form %}<form method="post" action="{{ form.action }}">
{% for field in form.fields %}{% if field.label.is_empty() %}<input type="hidden" name="{{ field.name }}" value="{{ field.value }}">
{% else %}<label>{{ field.label }} <input type="{{ field.kind }}" name="{{ field.name }}" value="{{ field.value }}"></label>
{% endif %}{% endfor %}<button type="submit">{{ form.button }}</button>
</form>
{% endif %}</body>
</html>
"#
)]
pub struct HtmlPage {
    /// The heading, also the title.
    pub title: String,
    /// One paragraph each.
    pub lines: Vec<String>,
    /// A form that is posted to the same site.
    pub form: Option<Form>,
}

/// A form on a page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Where it is posted.
    pub action: String,
    /// What it asks for.
    pub fields: Vec<Field>,
    /// The text on its button.
    pub button: String,
}

/// A field of a form.
#[derive(Clone, Debug)]
pub struct Field {
    /// What stands before it; empty for a hidden field.
    pub label: String,
    /// Its name.
    pub name: &'static str,
    /// The `type` of its input.
    pub kind: &'static str,
    /// What it holds at first.
    pub value: String,
}

impl Field {
    /// A field that the person fills in.
    pub fn visible(label: &str, name: &'static str, kind: &'static str) -> Self {
        Self {
            label: label.to_owned(),
            name,
            kind,
            value: String::new(),
        }
    }

    /// A field that the person does not see.
    pub fn hidden(name: &'static str, value: impl Into<String>) -> Self {
        Self {
            label: String::new(),
            name,
            kind: "hidden",
            value: value.into(),
        }
    }
}

impl HtmlPage {
    /// A page that says who is signed in at a platform: what the landing page of a stand-in shows.
    pub fn who_is_signed_in(platform: &str, name: Option<&str>) -> Self {
        let line = name.map_or_else(
            || "Nobody is signed in.".to_owned(),
            |name| format!("Signed in: {name}."),
        );
        Self {
            title: platform.to_owned(),
            lines: vec![line],
            form: None,
        }
    }

    /// The page as an answer.
    pub fn response(&self, status: u16) -> Response {
        match self.render() {
            Ok(html) => Response::html(status, html),
            Err(fault) => {
                log::error!(fault:%; "a page could not be rendered");
                Response::html(status, "")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_shown_is_escaped() {
        let evil = "<script>\"'&";
        let form = Form {
            action: evil.into(),
            fields: vec![Field::hidden("x", evil), Field::visible(evil, "y", "text")],
            button: evil.into(),
        };
        let page = HtmlPage {
            title: evil.into(),
            lines: vec![evil.into()],
            form: Some(form),
        };
        let response = page.response(200);
        let html = String::from_utf8_lossy(response.body()).into_owned();
        assert!(
            !html.contains("<script")
                && !html.contains("=\"<")
                && html.matches("script").count() == 7,
            "{html}"
        );
    }
}
