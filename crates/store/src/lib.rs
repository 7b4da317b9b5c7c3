//! Who remembers the buckets: in memory and in Redis or Valkey.
