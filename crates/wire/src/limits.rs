//! How large the parts of a message may be.

/// How large the parts of a message may be.
///
/// hyper has limits of its own. Give it `max_headers` of at least [`fields`](Self::fields) and
/// `max_buf_size` above [`head_bytes`](Self::head_bytes), or hyper is the one that refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, from its request line to its empty line: 1 MiB, as Go and Traefik.
    pub head_bytes: usize,
    /// Bytes of a target: 65534, the most hyper can hold.
    pub target_bytes: usize,
    /// Fields of a head, and once more of the trailers: 100, as Envoy, Apache and hyper. Traefik has no such limit;
    /// beyond 100 hyper pays two allocations per request, and no honest client comes near.
    pub fields: usize,
    /// Bytes of all chunk extensions of one body: 4 KiB. Nobody uses them but those who hide in them.
    pub extension_bytes: usize,
    /// Bytes of all trailers of one body: 16 KiB, as hyper.
    pub trailer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 1 << 20,
            target_bytes: 65_534,
            fields: 100,
            extension_bytes: 4 << 10,
            trailer_bytes: 16 << 10,
        }
    }
}
