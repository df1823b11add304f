//! Bodies of the hub's own answers. Each ends with a newline, so that a shell's prompt stands on a
//! line of its own after `curl`.

use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use serde_json::Value;

/// Ends an answer with a body.
pub(crate) trait Answer {
    /// Answers with a JSON document, as `application/json`.
    fn json_line(&mut self, document: &Value) -> HttpResponse;

    /// Answers with a line of plain text.
    fn text_line(&mut self, text: &str) -> HttpResponse;
}

impl Answer for HttpResponseBuilder {
    fn json_line(&mut self, document: &Value) -> HttpResponse {
        self.content_type("application/json")
            .body(format!("{document}\n"))
    }

    fn text_line(&mut self, text: &str) -> HttpResponse {
        self.content_type("text/plain; charset=utf-8")
            .body(format!("{text}\n"))
    }
}

/// The page as HTML. The template engine drops the newline at the end of a template.
pub(crate) fn html(page: &impl Template) -> askama::Result<String> {
    let mut html = page.render()?;
    html.push('\n');
    Ok(html)
}
