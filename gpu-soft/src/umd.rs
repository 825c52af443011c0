//! What the adapter's driver-private query answers, so that the user half knows its own hardware.

/// The private capability blob of the software GPU (QueryAdapterInfo type 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UmdInfo {
    /// Version of the packet format.
    pub packet_version: u32,
}

/// First bytes of the blob.
const MAGIC: [u8; 12] = *b"vkdxg-soft\0\0";

/// Bytes of the blob.
pub const UMD_INFO_BYTES: usize = 16;

impl UmdInfo {
    /// What this build speaks.
    pub const CURRENT: UmdInfo = UmdInfo { packet_version: 1 };

    /// The blob.
    pub fn to_bytes(self) -> [u8; UMD_INFO_BYTES] {
        let mut out = [0; UMD_INFO_BYTES];
        out[..12].copy_from_slice(&MAGIC);
        out[12..].copy_from_slice(&self.packet_version.to_le_bytes());
        out
    }

    /// The blob's content; `None` if it is another GPU's.
    pub fn from_bytes(bytes: &[u8]) -> Option<UmdInfo> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        Some(UmdInfo { packet_version: u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_round_trips_and_others_are_refused() {
        assert_eq!(UmdInfo::from_bytes(&UmdInfo::CURRENT.to_bytes()), Some(UmdInfo::CURRENT));
        assert_eq!(UmdInfo::from_bytes(&[0; 16]), None);
        assert_eq!(UmdInfo::from_bytes(b"vkdxg-soft\0\0"), None);
    }
}
