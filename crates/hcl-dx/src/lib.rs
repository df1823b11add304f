//! The sign-out dialect of HCL Digital Experience
