//! The shared suites: every store passes [`store`], [`outbox`] and [`transfer`].
//!
//! A suite is a module of cases and a macro that makes each of them a named test of the crate that
//! calls it, so that a failure says which rule is broken and by whom.

pub mod outbox;
pub mod store;
pub mod transfer;

/// The tests of one suite, or with `@pairs` a list of their names and functions.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    (@pairs $suite:ident $fresh:expr; $($case:ident)+) => {
        vec![$(
            (stringify!($case), (|| {
                let (store, _guard) = $fresh();
                $crate::conformance::$suite::block_on($crate::conformance::$suite::$case(store));
            }) as fn()),
        )+]
    };
    (@cases $suite:ident $fresh:expr; $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                let (store, _guard) = $fresh();
                $crate::conformance::$suite::block_on($crate::conformance::$suite::$case(store));
            }
        )+
    };
}
