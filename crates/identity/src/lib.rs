//! Accounts and tokens of a stand-in: argon2id passwords and signed JWTs
