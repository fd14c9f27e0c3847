//! Credentials: made once, kept private, refused when they are not.
