//! The words of the hosting trade as value types.
