//! The seam between a client and a device.

/// Something that answers dxg ioctls: the kernel, a model of it, a recorder in
/// front of either, or a recording.
///
/// # Contract
///
/// [`ioctl`](Node::ioctl) does what `ioctl(fd, request, arg)` on `/dev/dxg`
/// does in this process:
///
/// * `request` is the full 32-bit request code. A number that is not in the
///   table, or whose size or direction differs from the table's, is ENOTTY.
/// * `arg` is the argument structure. The caller passes exactly as many bytes
///   as the size field of the request says; a node answers EFAULT when there
///   are fewer and ignores any beyond.
/// * Addresses inside `arg`, and inside what they point to, are addresses of
///   this process. The node reads and writes there during the call. What stays
///   in use afterwards is what the kernel keeps too: pages given as existing
///   system memory until the allocation is destroyed, and the object behind an
///   eventfd until it has fired.
/// * The result is as from the kernel, with errno made negative: 0 for
///   success; a positive NTSTATUS, in practice 0x103 (pending); −1..=−4095 for
///   an errno; below −4095 a raw NTSTATUS that the kernel let through.
///   [`Ret`](crate::Ret) sorts them. Only a negative result is a failure.
/// * On failure, fields of `arg` may or may not have been written.
/// * Any thread may call at any time. A call may block when the kernel's
///   would: a CPU wait without an event blocks without a limit.
///
/// A node that is dropped behaves like a closed descriptor: everything made
/// through it goes away.
pub trait Node: Send + Sync + core::fmt::Debug {
    /// Answers one request; see the contract above.
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32;

    /// What this node is, for logs and tools: a path, or a word.
    fn describe(&self) -> String {
        "node".to_owned()
    }
}

impl<N: Node + ?Sized> Node for std::sync::Arc<N> {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        (**self).ioctl(request, arg)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }
}
