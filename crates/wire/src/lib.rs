//! What bytes may pass as an HTTP/1 request: a strict reader in front of the HTTP engine.
