//! Checkpoint and restore: what CRIU is asked, and what becomes of its answers, against one that only plays its part;
//! and whole containers, where there is a CRIU that this kernel lets work.

mod criu;
mod fake;
mod kinds;
mod nsinit;
mod options;
mod real;
