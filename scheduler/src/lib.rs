//! The scheduler's shell: sessions, uploads, checks, links to workers; it drives the core.
