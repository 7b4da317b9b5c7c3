//! The limiting middlewares as written: `rateLimit` and `plugin.distributedRateLimit`.
//!
//! Words of Tollgate's own options are texts here: one that nobody knows disables its middleware, not its file.

use crate::decode::section;
use crate::duration::SignedDuration;
use crate::dynamic::values::Url;
use crate::redacted::Redacted;

section! {
    /// `rateLimit` of Traefik (3.7).
    pub struct RateLimit: "dynamic.RateLimit" {
        /// Requests per period; 0 or less means unlimited.
        "average" => average: i64,
        /// What `average` is counted over; 0 means one second.
        "period" => period: SignedDuration = SignedDuration::from_secs(1),
        /// How many requests may come at once; below 1 means 1.
        "burst" => burst: i64 = 1,
        /// Whose requests share a bucket.
        "sourceCriterion" => source_criterion: Option<SourceCriterion>,
        /// Where buckets are kept; absent means in memory.
        "redis" => redis: Option<Redis>,
        /// Tollgate's own: what to answer while the store is away, `deny`, `allow` or `local`.
        "failurePolicy" => failure_policy: String,
        /// Tollgate's own: what a bucket belongs to, `middleware` (the default) or `router`.
        "scope" => scope: String,
        /// Tollgate's own: whether to decide without a call where that is safe; absent means yes.
        "leases" => leases: Option<bool>,
        /// Tollgate's own: how many requests may pass in longer windows.
        "quotas" => quotas: Vec<WindowQuota>,
    }
}

section! {
    /// How many requests may pass in a longer window; Tollgate's own.
    pub struct WindowQuota: "WindowQuota" {
        /// Requests per window.
        "limit" => limit: i64,
        /// `hour`, `day`, `week`, `month`, or a duration.
        "window" => window: String,
        /// Where the day begins: a name of the IANA, `Europe/Berlin`; absent means UTC.
        "timeZone" => time_zone: String,
        /// Whether it is any stretch of that length rather than one by the calendar.
        "sliding" => sliding: Option<bool>,
    }
}

section! {
    /// Whose requests share a bucket. One of the three; none means the client's address.
    pub struct SourceCriterion: "dynamic.SourceCriterion" {
        /// The address of the client.
        "ipStrategy" => ip_strategy: Option<IpStrategy>,
        /// The value of a header.
        "requestHeaderName" => request_header_name: String,
        /// The host the request is for.
        "requestHost" => request_host: bool,
    }
}

section! {
    /// Which address is the client's.
    pub struct IpStrategy: "dynamic.IPStrategy" {
        /// Position in `X-Forwarded-For`, counted from the right; 0 means not by position.
        "depth" => depth: i64,
        /// Addresses to pass over in `X-Forwarded-For`, from the right.
        "excludedIPs" => excluded_ips: Vec<String>,
        /// IPv6 addresses with the same first bits are one client.
        "ipv6Subnet" => ipv6_subnet: Option<i64>,
    }
}

section! {
    /// `rateLimit.redis`.
    pub struct Redis: "dynamic.Redis" {
        /// `host:port`; two or more are the seeds of a cluster.
        "endpoints" => endpoints: Vec<Url> = vec![Url("localhost:6379".to_owned())],
        /// TLS to Redis.
        "tls" => tls: Option<ClientTls>,
        /// ACL user.
        "username" => username: Redacted<String>,
        /// Password.
        "password" => password: Redacted<String>,
        /// Database number; not used in a cluster.
        "db" => db: i64,
        /// Accepted for compatibility: one connection to each server carries all requests.
        "poolSize" => pool_size: i64,
        /// Accepted for compatibility.
        "minIdleConns" => min_idle_conns: i64,
        /// Accepted for compatibility.
        "maxActiveConns" => max_active_conns: i64,
        /// How long an answer may take; 0 or less means no bound.
        "readTimeout" => read_timeout: Option<SignedDuration> = Some(SignedDuration::from_secs(3)),
        /// How long a command may take to send; 0 or less means no bound.
        "writeTimeout" => write_timeout: Option<SignedDuration> = Some(SignedDuration::from_secs(3)),
        /// How long connecting may take; 0 or less means 5 s.
        "dialTimeout" => dial_timeout: Option<SignedDuration> = Some(SignedDuration::from_secs(5)),
        /// Tollgate's own: grant nothing, after a loss of data, that might have been granted before.
        "strict" => strict: bool,
    }
}

section! {
    /// TLS to a server. Material is a path or PEM text.
    pub struct ClientTls: "types.ClientTLS" {
        /// Certificates to trust; absent means the system's.
        "ca" => ca: String,
        /// The certificate to present.
        "cert" => cert: String,
        /// Its key.
        "key" => key: Redacted<String>,
        /// Do not verify the server.
        "insecureSkipVerify" => insecure_skip_verify: bool,
    }
}

section! {
    /// `plugin.distributedRateLimit` of Traefik Hub.
    pub struct DistributedRateLimit: "distributedRateLimit" {
        /// Requests per period; 0 or less means unlimited.
        "limit" => limit: i64,
        /// What `limit` is counted over; 0 means one second.
        "period" => period: SignedDuration = SignedDuration::from_secs(1),
        /// How many requests may come at once; below 1 means 1.
        "burst" => burst: i64 = 1,
        /// Whether requests are refused while the store cannot be asked; absent means yes.
        "denyOnError" => deny_on_error: Option<bool>,
        /// Whether responses tell the state of the bucket.
        "responseHeaders" => response_headers: bool,
        /// Whose requests share a bucket.
        "sourceCriterion" => source_criterion: Option<SourceCriterion>,
        /// Where buckets are kept.
        "store" => store: Option<Store>,
        /// Tollgate's own: what to answer while the store is away, `deny`, `allow` or `local`.
        "failurePolicy" => failure_policy: String,
        /// Tollgate's own: what a bucket belongs to, `middleware` (the default) or `router`.
        "scope" => scope: String,
        /// Tollgate's own: whether to decide without a call where that is safe; absent means yes.
        "leases" => leases: Option<bool>,
        /// Tollgate's own: how many requests may pass in longer windows.
        "quotas" => quotas: Vec<WindowQuota>,
    }
}

section! {
    /// `distributedRateLimit.store`.
    pub struct Store: "distributedRateLimit.Store" {
        /// Redis or Valkey.
        "redis" => redis: Option<StoreRedis>,
    }
}

section! {
    /// `distributedRateLimit.store.redis`.
    pub struct StoreRedis: "distributedRateLimit.Redis" {
        /// `host:port`; of the sentinels when `sentinel` is set.
        "endpoints" => endpoints: Vec<Url>,
        /// ACL user.
        "username" => username: Redacted<String>,
        /// Password.
        "password" => password: Redacted<String>,
        /// Database number; not used in a cluster.
        "database" => database: i64,
        /// Present: the endpoints are those of a cluster.
        "cluster" => cluster: Option<Cluster>,
        /// How long connecting, sending and answering may each take.
        "timeout" => timeout: Option<SignedDuration>,
        /// TLS to Redis.
        "tls" => tls: Option<StoreTls>,
        /// Present: the endpoints are those of sentinels.
        "sentinel" => sentinel: Option<Sentinel>,
        /// Tollgate's own: grant nothing, after a loss of data, that might have been granted before.
        "strict" => strict: bool,
    }
}

section! {
    /// A cluster has no settings.
    pub struct Cluster: "distributedRateLimit.Cluster", allow_empty {}
}

section! {
    /// TLS to a store. Material is a path or PEM text.
    pub struct StoreTls: "distributedRateLimit.TLS" {
        /// Certificates to trust; absent means the system's.
        "ca" => ca: String,
        /// Older spelling of `ca`.
        "caBundle" => ca_bundle: String,
        /// The certificate to present.
        "cert" => cert: String,
        /// Its key.
        "key" => key: Redacted<String>,
        /// Do not verify the server.
        "insecureSkipVerify" => insecure_skip_verify: bool,
    }
}

section! {
    /// Who knows the master.
    pub struct Sentinel: "distributedRateLimit.Sentinel" {
        /// The name of the master set.
        "masterSet" => master_set: String,
        /// ACL user at the sentinels.
        "username" => username: Redacted<String>,
        /// Password at the sentinels.
        "password" => password: Redacted<String>,
    }
}
