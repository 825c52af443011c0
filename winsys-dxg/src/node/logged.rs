//! A node that tells what passes through it.

use dxg_abi::{layout, Ioctl, Node, Ret};
use std::io::Write as _;
use std::time::Instant;

/// Writes one line for each request to standard error: name, the fields that are not zero as
/// passed, result, the fields as they came back where they changed, and the time it took.
#[derive(Debug)]
pub struct Logged<N> {
    inner: N,
}

impl<N: Node> Logged<N> {
    /// Logs what passes to `inner`.
    pub fn new(inner: N) -> Self {
        Self { inner }
    }
}

/// The line for one request.
fn line(request: u32, before: &[u8], after: &[u8], result: i32, micros: u128) -> String {
    let ret = Ret::from_raw(result);
    match Ioctl::from_request(request) {
        None => format!("dxg: request {request:#010x} = {ret} ({micros} us)"),
        Some(ioctl) => {
            let sent = layout::describe(ioctl.layout(), before);
            let back = if before == after {
                String::new()
            } else {
                format!(" -> {}", layout::describe(ioctl.layout(), after))
            };
            format!("dxg: {ioctl} {sent} = {ret}{back} ({micros} us)")
        }
    }
}

impl<N: Node> Node for Logged<N> {
    fn ioctl(&self, request: u32, arg: &mut [u8]) -> i32 {
        let before = arg.to_vec();
        let start = Instant::now();
        let result = self.inner.ioctl(request, arg);
        let text = line(request, &before, arg, result, start.elapsed().as_micros());
        // One write, so that lines of several threads do not mix; nothing to do if it fails.
        let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
        result
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::line;
    use dxg_abi::zerocopy::IntoBytes;
    use dxg_abi::{CreateDevice, Handle, Ioctl};

    #[test]
    fn lines_show_what_counts() {
        let before = CreateDevice { adapter: Handle(0x4000_0000), ..Default::default() };
        let after = CreateDevice { device: Handle(0x4000_0040), ..before };
        let request = Ioctl::CreateDevice.request();
        assert_eq!(
            line(request, before.as_bytes(), after.as_bytes(), 0, 5),
            "dxg: CreateDevice {adapter=0x40000000} = 0 -> {adapter=0x40000000 device=0x40000040} (5 us)"
        );
        assert_eq!(
            line(request, before.as_bytes(), before.as_bytes(), -22, 1),
            "dxg: CreateDevice {adapter=0x40000000} = EINVAL (1 us)"
        );
        assert_eq!(line(0x1234, &[], &[], -25, 0), "dxg: request 0x00001234 = ENOTTY (0 us)");
    }
}
