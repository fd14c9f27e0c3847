//! QUIC links with mutual TLS, and the in-memory link of the embedded cluster.
