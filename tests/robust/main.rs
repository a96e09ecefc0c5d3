//! What happens when things go wrong: killed commands, thousands of containers, broken and hostile documents.

mod cycles;
mod errors;
mod hostile;
mod kill;
mod left;
