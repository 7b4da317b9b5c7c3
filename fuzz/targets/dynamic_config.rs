//! See [`tollgate_fuzz::dynamic_config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::dynamic_config(data));
