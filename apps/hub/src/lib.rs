//! One sign-out for every platform you run
