//! Mounts sign-out providers in any actix-web app
