//! See [`tollgate_fuzz::static_config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::static_config(data));
