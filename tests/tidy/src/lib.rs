//! Checks the shape of the workspace.
