//! The doorbell and the worker loop. The only place that names apalis or redis.
