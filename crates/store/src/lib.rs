//! Durable stores of Logout Hub
