//! The data plane: entry points, connections, routers and reload.
