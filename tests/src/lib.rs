//! The whole thing against real SQL, real Redis and the simulator.
