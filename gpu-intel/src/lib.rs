//! Intel GPUs.
//!
//! So far only the half below the kernel, and of it only what a driver asks before it gives work: the adapter that the model
//! presents in place of a host's, with its private data ([`engine`]). Commands are refused.

pub mod engine;
