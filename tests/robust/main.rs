//! What happens when things go wrong: killed commands, thousands of containers, broken and hostile documents.

/// Facts about cofferdam: other runtimes make no such promises.
macro_rules! own {
    ($(fn $name:ident($t:ident) $body:block)*) => { cofferdam_tests::facts! {$(
        fn $name($t) {
            $t.need($t.runtime.name == "cofferdam", "it is about cofferdam only")?;
            $body
        }
    )*} };
}

mod cycles;
mod errors;
mod hostile;
mod kill;
mod left;
