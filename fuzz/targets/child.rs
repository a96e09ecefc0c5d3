//! What the child reads: its program's bytes, frames, and a hostile /etc/passwd.
#![no_main]

use cofferdam_child::frame::Frame;
use cofferdam_child::op::Op;
use cofferdam_child::passwd;
use cofferdam_child::wire::Cursor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut cursor = Cursor(bytes);
    while let Some(op) = Op::take(&mut cursor) {
        assert!(!op.name().is_empty());
    }
    let _ = Frame::decode(bytes);
    if let Some(home) = passwd::search(bytes, 1000) {
        assert!(home.starts_with(b"/") && !home.contains(&b'\n') && !home.contains(&0));
    }
});
