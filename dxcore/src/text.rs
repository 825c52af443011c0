//! Payloads of adapter queries that hold text: 2-byte characters on the wire, 4-byte ones for the caller.

use dxg_abi::payload::{QueryRegistryInfo, QueryRegistryStatus, QueryRegistryType, QUERY_REGISTRY_OUTPUT_OFFSET};
use dxg_abi::{NtStatus, QueryAdapterInfoType};
use zerocopy::{FromBytes, IntoBytes};

use crate::generated::payloads::PAYLOADS;

/// One field.
#[derive(Debug)]
pub(crate) struct Part {
    /// Offset on the wire, bytes.
    pub(crate) wire: usize,
    /// Offset in the caller's structure, bytes.
    pub(crate) wide: usize,
    /// Size on the wire; text has twice as much in the caller's structure.
    pub(crate) bytes: usize,
    /// Whether it is text.
    pub(crate) text: bool,
}

/// One structure.
#[derive(Debug)]
pub(crate) struct Payload {
    /// The queries that take it.
    pub(crate) kinds: &'static [QueryAdapterInfoType],
    /// Size on the wire, bytes.
    pub(crate) wire: usize,
    /// Size of the caller's structure, bytes.
    pub(crate) wide: usize,
    /// Its fields.
    pub(crate) parts: &'static [Part],
}

/// What stands in paths of the host before the folder of a driver, in lower case.
const STORE: &str = "\\filerepository\\";
/// Where a guest sees these folders.
const GUEST_STORE: &str = "/usr/lib/wsl/drivers/";

/// Registry types whose values are text.
const TEXT_VALUES: [u32; 3] = [1, 2, 7];

/// A path of the host's driver store as the guest sees it; any other text as it is.
fn translate(text: &str) -> String {
    match text.to_ascii_lowercase().find(STORE) {
        Some(at) => format!("{GUEST_STORE}{}", text[at + STORE.len()..].replace('\\', "/")),
        None => text.to_owned(),
    }
}

fn units(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
}

/// Puts text into a field of wide characters, with zeros behind it; false if it had to be cut.
fn put_wide(text: &str, into: &mut [u8]) -> bool {
    into.fill(0);
    let room = (into.len() / 4).saturating_sub(1);
    for (slot, c) in into.chunks_exact_mut(4).zip(text.chars().take(room)) {
        slot.copy_from_slice(&u32::from(c).to_le_bytes());
    }
    text.chars().count() <= room
}

/// Takes text out of a field of wide characters; `None` if it is none.
fn get_wide(from: &[u8]) -> Option<String> {
    from.chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .take_while(|c| *c != 0)
        .map(char::from_u32)
        .collect()
}

impl Payload {
    /// The structure of a query, if it has text.
    pub(crate) fn of(kind: QueryAdapterInfoType) -> Option<&'static Payload> {
        PAYLOADS.iter().find(|p| p.kinds.contains(&kind))
    }

    /// The caller's structure as it goes to the node, all of it inside the two slices.
    fn narrow(&self, wide: &[u8], wire: &mut [u8]) {
        for part in self.parts {
            let to = &mut wire[part.wire..part.wire + part.bytes];
            if !part.text {
                to.copy_from_slice(&wide[part.wide..part.wide + part.bytes]);
                continue;
            }
            // Where text is an answer the field may hold anything yet.
            let text = get_wide(&wide[part.wide..part.wide + 2 * part.bytes]).unwrap_or_default();
            for (slot, unit) in to.chunks_exact_mut(2).zip(text.encode_utf16()) {
                slot.copy_from_slice(&unit.to_le_bytes());
            }
        }
    }

    /// The node's answer as the caller sees it.
    fn widen(&self, wire: &[u8], wide: &mut [u8]) {
        for part in self.parts {
            let from = &wire[part.wire..part.wire + part.bytes];
            if part.text {
                let text = dxg_abi::payload::from_utf16(&units(from));
                put_wide(&translate(&text), &mut wide[part.wide..part.wide + 2 * part.bytes]);
            } else {
                wide[part.wide..part.wide + part.bytes].copy_from_slice(from);
            }
        }
    }

    /// Asks with the caller's bytes; `ask` passes the wire's form to the node.
    ///
    /// # Errors
    /// INVALID_PARAMETER for a size that is not the structure's; else what `ask` says, and then the bytes are as they were.
    pub(crate) fn query(
        &self,
        wide: &mut [u8],
        ask: impl FnOnce(&mut [u8]) -> Result<NtStatus, NtStatus>,
    ) -> Result<NtStatus, NtStatus> {
        if self.kinds.contains(&QueryAdapterInfoType::QUERYREGISTRY) {
            return self.query_registry(wide, ask);
        }
        if wide.len() != self.wide {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let mut wire = vec![0; self.wire];
        self.narrow(wide, &mut wire);
        let status = ask(&mut wire)?;
        self.widen(&wire, wide);
        Ok(status)
    }

    /// The query of the registry, whose value follows the structure.
    fn query_registry(
        &self,
        wide: &mut [u8],
        ask: impl FnOnce(&mut [u8]) -> Result<NtStatus, NtStatus>,
    ) -> Result<NtStatus, NtStatus> {
        let extra = wide.len().checked_sub(self.wide).ok_or(NtStatus::INVALID_PARAMETER)?;
        let mut wire = vec![0; self.wire];
        self.narrow(wide, &mut wire);
        let mut head = QueryRegistryInfo::read_from_bytes(&wire[..]).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let paths = [QueryRegistryType::DRIVERSTOREPATH, QueryRegistryType::DRIVERIMAGEPATH];
        let text = paths.contains(&head.query_type) || TEXT_VALUES.contains(&head.value_type);
        (head.output_value_size, head.status) = (0, QueryRegistryStatus::FAIL);
        wire.copy_from_slice(head.as_bytes());
        wire.resize(self.wire + if text { extra / 2 } else { extra }, 0);
        let status = ask(&mut wire)?;
        let mut head = QueryRegistryInfo::read_from_bytes(&wire[..self.wire]).map_err(|_| NtStatus::UNSUCCESSFUL)?;
        let value = &wire[QUERY_REGISTRY_OUTPUT_OFFSET..];
        let value = &value[..(head.output_value_size as usize).min(value.len())];
        let (start, room) = wide.split_at_mut(self.parts.last().map_or(0, |p| p.wide));
        if head.status == QueryRegistryStatus::SUCCESS {
            let fits = if text {
                // Several strings may follow each other; each is a path or is not one.
                let all = String::from_utf16_lossy(&units(value));
                let translated: Vec<String> = all.trim_end_matches('\0').split('\0').map(translate).collect();
                put_wide(&translated.join("\0"), room)
            } else {
                room.get_mut(..value.len()).map(|r| r.copy_from_slice(value)).is_some()
            };
            if !fits {
                head.status = QueryRegistryStatus::BUFFER_OVERFLOW;
            }
        }
        if text {
            head.output_value_size = head.output_value_size.saturating_mul(2);
        }
        for part in self.parts.iter().filter(|p| !p.text && p.wire < QUERY_REGISTRY_OUTPUT_OFFSET) {
            let from = &head.as_bytes()[part.wire..part.wire + part.bytes];
            start[part.wide..part.wide + part.bytes].copy_from_slice(from);
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dxg_abi::payload::{to_utf16, DriverDescription, NodeMetadata};

    #[test]
    fn sizes_are_those_of_four_byte_characters() {
        let size = |kind| Payload::of(kind).map(|p| (p.wire, p.wide));
        assert_eq!(size(QueryAdapterInfoType::UMDRIVERNAME), Some((524, 1044)));
        assert_eq!(size(QueryAdapterInfoType::NODEMETADATA), Some((78, 142)));
        assert_eq!(size(QueryAdapterInfoType::QUERYREGISTRY), Some((552, 1072)));
        assert_eq!(size(QueryAdapterInfoType::DRIVER_DESCRIPTION), Some((8192, 16384)));
        assert_eq!(size(QueryAdapterInfoType::ADAPTERTYPE), None);
    }

    #[test]
    fn text_widens_and_the_rest_stays() {
        let p = Payload::of(QueryAdapterInfoType::NODEMETADATA).expect("has text");
        let mut wide = vec![0xcc; p.wide];
        let status = p.query(&mut wide, |wire| {
            let mut answer = NodeMetadata::read_from_bytes(&wire[..]).expect("size");
            assert_eq!({ answer.node_ordinal_and_adapter_index }, 0xcccc_cccc);
            answer.node_data.friendly_name = to_utf16("Rechen\u{1f9ee}");
            answer.node_data.gpu_mmu_supported = 1;
            wire.copy_from_slice(answer.as_bytes());
            Ok(NtStatus::SUCCESS)
        });
        assert_eq!(status, Ok(NtStatus::SUCCESS));
        assert_eq!(get_wide(&wide[8..8 + 128]).as_deref(), Some("Rechen\u{1f9ee}"));
        assert_eq!(wide[140], 1);
    }

    #[test]
    fn wrong_sizes_are_refused_and_failures_change_nothing() {
        let p = Payload::of(QueryAdapterInfoType::DRIVER_DESCRIPTION).expect("has text");
        let mut wide = vec![7; size_of::<DriverDescription>()];
        assert_eq!(p.query(&mut wide, |_| Ok(NtStatus::SUCCESS)), Err(NtStatus::INVALID_PARAMETER));
        let mut wide = vec![7; p.wide];
        assert_eq!(p.query(&mut wide, |_| Err(NtStatus::NO_MEMORY)), Err(NtStatus::NO_MEMORY));
        assert!(wide.iter().all(|b| *b == 7));
    }

    /// Asks a host with this path in its registry; the answer, and the room that the host saw.
    fn registry(extra: usize, path: &str) -> (Vec<u8>, usize) {
        let p = Payload::of(QueryAdapterInfoType::QUERYREGISTRY).expect("has text");
        let mut wide = vec![0; p.wide + extra];
        wide[0] = 2;
        let mut room = 0;
        p.query(&mut wide, |wire| {
            room = wire.len() - QUERY_REGISTRY_OUTPUT_OFFSET;
            let value: Vec<u8> = path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            let fits = value.len() <= room;
            let mut head = QueryRegistryInfo::read_from_bytes(&wire[..552]).expect("size");
            head.output_value_size = value.len() as u32;
            head.status = if fits { QueryRegistryStatus::SUCCESS } else { QueryRegistryStatus::BUFFER_OVERFLOW };
            wire[..552].copy_from_slice(head.as_bytes());
            if fits {
                wire[544..544 + value.len()].copy_from_slice(&value);
            }
            Ok(NtStatus::SUCCESS)
        })
        .expect("answered");
        (wide, room)
    }

    #[test]
    fn store_paths_of_the_registry_are_the_guests() {
        let path = r"C:\Windows\System32\DriverStore\FileRepository\x.inf_amd64_1\sub";
        let (wide, _) = registry(0, path);
        let field = |wide: &[u8], at: usize| u32::from_le_bytes(wide[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(field(&wide, 1060), QueryRegistryStatus::BUFFER_OVERFLOW.0);
        let size = field(&wide, 1056) as usize;
        assert_eq!(size, (path.len() + 1) * 4);
        let (wide, _) = registry(size, path);
        assert_eq!(field(&wide, 1060), QueryRegistryStatus::SUCCESS.0);
        assert_eq!(get_wide(&wide[1064..]).as_deref(), Some("/usr/lib/wsl/drivers/x.inf_amd64_1/sub"));
    }

    #[test]
    fn text_that_fits_the_wire_but_not_the_caller_is_an_overflow() {
        let (wide, room) = registry(8, "/abcd");
        assert_eq!(room, 12);
        assert_eq!(wide[1060], QueryRegistryStatus::BUFFER_OVERFLOW.0 as u8);
        let (wide, _) = registry(16, "/abcd");
        assert_eq!(wide[1060], QueryRegistryStatus::SUCCESS.0 as u8);
    }
}
