//! See [`tollgate_fuzz::answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::answer(data));
