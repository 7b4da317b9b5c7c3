//! Looking inside: the API and ping.
