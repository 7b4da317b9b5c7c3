//! Saying what happened: metrics and access logs.
