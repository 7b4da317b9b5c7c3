//! The middlewares, one file each, named as Traefik names them.
