//! Every property of the schemas has a test.
