//! The WIT interface of a component, read from its bytes, and what fits what. Pure.
