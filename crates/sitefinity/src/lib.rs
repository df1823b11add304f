//! The sign-out dialect of Sitefinity
