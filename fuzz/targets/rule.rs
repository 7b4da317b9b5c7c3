//! See [`tollgate_fuzz::rule`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::rule(data));
