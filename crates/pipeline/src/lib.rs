//! How a request passes: handlers, middlewares, bodies and the record of one exchange.
