//! One address of the listener and the methods it takes.

use actix_web::dev::Handler;
use actix_web::http::Method;
use actix_web::{FromRequest, Resource, Responder, Route, guard, web};

use super::problem::Problem;

/// One address. `HEAD` is answered wherever `GET` is; a method that it does not take is answered
/// 405, with those it takes.
pub(super) struct Address {
    path: &'static str,
    /// Empty for one that takes every method.
    allow: Vec<Method>,
    routes: Vec<Route>,
}

impl Address {
    /// An address that takes nothing yet.
    pub(super) fn new(path: &'static str) -> Self {
        Self {
            path,
            allow: Vec::new(),
            routes: Vec::new(),
        }
    }

    /// Takes `GET` and `HEAD`.
    pub(super) fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let either = guard::Any(guard::Get()).or(guard::Head());
        self.with(
            &[Method::GET, Method::HEAD],
            web::route().guard(either).to(handler),
        )
    }

    /// Takes `POST`.
    pub(super) fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&[Method::POST], web::post().to(handler))
    }

    /// Takes `DELETE`.
    pub(super) fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&[Method::DELETE], web::delete().to(handler))
    }

    /// Takes every method.
    pub(super) fn any<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&[], web::route().to(handler))
    }

    fn with(mut self, methods: &[Method], route: Route) -> Self {
        self.allow.extend_from_slice(methods);
        self.routes.push(route);
        self
    }

    /// To be mounted.
    pub(super) fn service(self) -> Resource {
        let allow = self
            .allow
            .iter()
            .map(Method::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let resource = self
            .routes
            .into_iter()
            .fold(web::resource(self.path), Resource::route);
        resource.default_service(web::to(move || {
            let refused = Problem::method_not_allowed(allow.clone());
            async move { refused }
        }))
    }

    /// Its path.
    #[cfg(test)]
    pub(super) fn path(&self) -> &'static str {
        self.path
    }

    /// What it takes, as an OpenAPI document names it, without `HEAD` where that is only the shadow
    /// of `GET`.
    #[cfg(test)]
    pub(super) fn methods(&self) -> Vec<String> {
        if self.allow.is_empty() {
            return [
                "delete", "get", "head", "options", "patch", "post", "put", "trace",
            ]
            .map(str::to_owned)
            .into();
        }
        let mut methods: Vec<_> = self
            .allow
            .iter()
            .filter(|method| **method != Method::HEAD)
            .map(|method| method.as_str().to_lowercase())
            .collect();
        methods.sort();
        methods
    }
}
