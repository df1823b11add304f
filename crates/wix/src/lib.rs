//! The sign-out dialect of Wix Headless
