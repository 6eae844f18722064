//! Everything that takes jobs out: the executor, the handlers, rescue, the traffic arithmetic.
