//! The sign-out dialect of WoodWing Assets and Elvis
