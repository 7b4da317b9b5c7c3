//! What a rate limit means: quotas, schedules of slots, keys and verdicts, without clocks or I/O.
