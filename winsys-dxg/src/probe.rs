//! What a node can do, found out without changing anything; and who makes the GPUs behind it.

use dxg_abi::{Errno, Ioctl, Node};

/// The table of requests of a node's kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Whether the file speaks this interface at all.
    pub is_dxg: bool,
    /// The highest number it knows, at least [`Table::BASE`]. Meaningless if it does not speak the interface.
    pub highest: u8,
    /// Requests of today's table that it lacks.
    pub missing: Vec<Ioctl>,
}

impl Table {
    /// The last number that every kernel with the interface has: tables were only ever extended behind it.
    pub const BASE: u8 = 0x42;

    /// Asks a node. Only requests that fail for a null adapter, device or list without doing anything are issued: kernels that
    /// lack one answer ENOTTY, the others something else.
    pub fn of(node: &dyn Node) -> Self {
        let knows = |ioctl: &Ioctl| {
            let mut arg = vec![0; ioctl.arg_size()];
            node.ioctl(ioctl.request(), &mut arg) != -Errno::ENOTTY.0
        };
        // Closing what was never opened is refused by every kernel, with another error.
        if !knows(&Ioctl::CloseAdapter) {
            return Self::default();
        }
        let later = || Ioctl::ALL.iter().filter(|i| i.nr() > Self::BASE);
        let missing: Vec<Ioctl> = later().filter(|i| !knows(i)).copied().collect();
        let highest = later().filter(|i| !missing.contains(i)).map(|i| i.nr()).max().unwrap_or(Self::BASE);
        Self { is_dxg: true, highest, missing }
    }
}

/// A maker of GPUs, and how far this driver is with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// PCI vendor id.
    pub id: u32,
    /// Name.
    pub name: &'static str,
    /// Why its adapters are not driven, where no crate drives them.
    pub state: &'static str,
}

/// The makers whose adapters are met behind `/dev/dxg`.
pub const VENDORS: &[Vendor] = &[
    Vendor { id: 0x8086, name: "Intel", state: "no crate drives Intel GPUs yet; Xe is the first that is planned" },
    Vendor { id: 0x1002, name: "AMD", state: "no crate drives AMD GPUs yet; RDNA is planned after Intel Xe" },
    Vendor { id: 0x10de, name: "NVIDIA", state: "no crate drives NVIDIA GPUs" },
    Vendor {
        id: 0x1414,
        name: "Microsoft",
        state: "the host's software renderer is a renderer of Direct3D, not a GPU that executes commands",
    },
    Vendor { id: 0x4d4f_4351, name: "Qualcomm", state: "no crate drives Qualcomm GPUs" },
    Vendor { id: 0x17cb, name: "Qualcomm", state: "no crate drives Qualcomm GPUs" },
    Vendor { id: 0x5143, name: "Qualcomm", state: "no crate drives Qualcomm GPUs" },
];

impl Vendor {
    /// The vendor with this id, if it is a known one.
    pub fn find(id: u32) -> Option<&'static Self> {
        VENDORS.iter().find(|v| v.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel whose table ends early.
    #[derive(Debug)]
    struct Old(u8);

    impl Node for Old {
        fn ioctl(&self, request: u32, _arg: &mut [u8]) -> i32 {
            let known = Ioctl::from_request(request).is_some_and(|i| i.nr() <= self.0);
            -if known { Errno::EINVAL } else { Errno::ENOTTY }.0
        }

        fn describe(&self) -> String {
            "old".into()
        }
    }

    #[test]
    fn tables_end_where_kernels_say() {
        for (last, lacks) in [(0x42, 7), (0x43, 6), (0x47, 2), (0x49, 0)] {
            let table = Table::of(&Old(last));
            assert!(table.is_dxg);
            assert_eq!((table.highest, table.missing.len()), (last, lacks));
        }
        assert!(!Table::of(&Old(0)).is_dxg);
    }

    #[test]
    fn vendors_are_told_apart() {
        assert_eq!(Vendor::find(0x8086).map(|v| v.name), Some("Intel"));
        assert_eq!(Vendor::find(1), None);
        for (i, v) in VENDORS.iter().enumerate() {
            assert!(VENDORS[..i].iter().all(|o| o.id != v.id), "{:#x} twice", v.id);
        }
    }
}
