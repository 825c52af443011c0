//! `libdxcore.so`: what the user-mode drivers of WSL load to speak to `/dev/dxg`, over any node.
//!
//! On WSL the library comes from Microsoft and speaks to the kernel. This one speaks to the kernel or to the in-process model,
//! as the environment says, so that drivers that other people made run against the model. It has
//! * the `D3DKMT…` calls (`kmt`): one for each request of the device, and older forms of some (`legacy`);
//! * `DXCoreCreateAdapterFactory` and the three objects behind it (`com`);
//! * a hook for the dynamic linker (`audit`), so that a driver that asks for the library under WSL's path gets this one.
//!
//! # Differences between the two sides
//!
//! The arguments of the calls have the same layout as those of the requests (`generated::arguments` is compared with the ABI
//! in a test). What differs: results are an NTSTATUS, not an errno (`status`), and characters have 4 bytes, as `wchar_t` has
//! on Linux, not 2 as on the wire (`text`).

mod audit;
mod com;
mod facts;
#[rustfmt::skip]
mod generated;
mod kmt;
mod legacy;
mod node;
mod status;
mod text;
