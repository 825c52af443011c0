//! Enumeration, opening, closing.

use dxg_abi::*;

use crate::call::Call;
use crate::case::*;
use crate::common::{call, ok, Pages, EINVAL, EOVERFLOW};
use crate::world::World;

const ENTRY: u64 = size_of::<AdapterInfo>() as u64;

fn open(w: &mut World) -> Call {
    let a = OpenAdapterFromLuid { adapter_luid: w.rig.luid, ..Default::default() };
    Call::new(a).effect(|c| c.adapters += 1)
}

fn enumerate2(w: &mut World) -> Call {
    let adapters = w.room(4 * ENTRY);
    let a = EnumAdapters2 { num_adapters: 4, adapters, ..Default::default() };
    let c = Call::new(a).changes(&["num_adapters"]).effect(|c| c.adapters += 1);
    c.writes("adapters", "adapters[]", adapters, ENTRY)
}

fn enumerate3(w: &mut World) -> Call {
    let adapters = w.room(4 * ENTRY);
    let filter = EnumAdaptersFilter::INCLUDE_COMPUTE_ONLY;
    let a = EnumAdapters3 { filter, adapter_count: 4, adapters, ..Default::default() };
    let count = 1 + u64::from(w.mode.two);
    let c = Call::new(a).effect(move |c| c.adapters += count as usize);
    c.writes("adapters", "adapters[]", adapters, count * ENTRY)
}

fn close(w: &mut World) -> Call {
    // A second handle, so that the first is not the last.
    let a = OpenAdapterFromLuid { adapter_luid: w.rig.luid, ..Default::default() };
    let adapter_handle = ok(&w.rig.node, a).adapter_handle;
    Call::new(CloseAdapter { adapter_handle }).effect(|c| c.adapters -= 1)
}

/// Leaves fewer entries than there are adapters.
fn too_small(c: &mut Call) {
    c.set("adapter_count", 1);
}

pub fn rows() -> Vec<Row> {
    let unknown = |_: &mut World, c: &mut Call| c.set("adapter_luid.a", c.get("adapter_luid.a") ^ 0x100);
    let null2 = |_: &mut World, c: &mut Call| c.set("adapters", 0);
    vec![
        row(
            Ioctl::OpenAdapterFromLuid,
            open,
            [
                check(
                    "luid unknown and adapter_handle==0 on entry -> EINVAL",
                    [case("luid unknown", INVALID, move |w, c| {
                        unknown(w, c);
                        c.set("adapter_handle", 0);
                    })],
                ),
                check(
                    "luid unknown and adapter_handle!=0 on entry -> 0, nothing written (bug)",
                    [case("luid unknown", Want::Quirk(0, EINVAL), move |w, c| {
                        unknown(w, c);
                        c.set("adapter_handle", 77);
                    })
                    .alone()],
                ),
            ],
        ),
        row(
            Ioctl::EnumAdapters2,
            enumerate2,
            [
                check(
                    "adapters NULL -> count only",
                    [case("NULL", Want::Is(0), null2).writes(Writes::Fields(&["num_adapters"])).alone()],
                ),
                check(
                    "num_adapters < total -> EOVERFLOW, nothing written",
                    [
                        set("num_adapters", 0, Want::Is(EOVERFLOW)).alone(),
                        // The total takes in what is not listed.
                        set("num_adapters", 1, Want::Quirk(EOVERFLOW, 0))
                            .writes(Writes::AsValid)
                            .alone()
                            .only(|m| m.two && m.quirks),
                    ],
                ),
                check(">64 -> EINVAL", [set("num_adapters", 65, INVALID)]),
            ],
        ),
        row(
            Ioctl::EnumAdapters3,
            enumerate3,
            [
                check(
                    "adapters NULL or count 0 -> count only",
                    [
                        case("NULL", Want::Is(0), null2).writes(Writes::Fields(&["adapter_count"])).alone(),
                        set("adapter_count", 0, Want::Is(0)).writes(Writes::Fields(&["adapter_count"])).alone(),
                    ],
                ),
                check("count >65535 -> EINVAL", [set("adapter_count", 65536, INVALID)]),
                check(
                    "too small -> 0 with the total count written and no array (bug)",
                    [Case {
                        leaks: 2,
                        ..case("too small", Want::Quirk(0, EOVERFLOW), |_, c| too_small(c))
                            .writes(Writes::Fields(&["adapter_count"]))
                            .only(|m| m.two)
                            .alone()
                    }],
                ),
            ],
        ),
        row(
            Ioctl::CloseAdapter,
            close,
            [
                check("0 -> 0", [set("adapter_handle", 0, Want::Is(0))]),
                check("unknown -> EINVAL", bad_handles("adapter_handle").into_iter().filter(|c| c.what != "null")),
            ],
        ),
    ]
}

#[test]
fn filters_and_totals() {
    use crate::common::{config, Rig};
    let rig = Rig::with(dxg_model::Config { compute_only: true, ..config() });
    let node = &rig.node;
    assert_eq!(ok(node, EnumAdapters2::default()).num_adapters, 2, "the total takes in what is not listed");
    assert_eq!(ok(node, EnumAdapters3::default()).adapter_count, 1);
    let filter = EnumAdaptersFilter::INCLUDE_COMPUTE_ONLY;
    assert_eq!(ok(node, EnumAdapters3 { filter, ..Default::default() }).adapter_count, 2);
    let page = Pages::private(4096);
    let list = EnumAdapters3 { filter, adapter_count: 2, adapters: page.address, ..Default::default() };
    ok(node, list);
    let word = |at: u64| u32::from_le_bytes(crate::common::peek_bytes(page.address + at, 4).try_into().unwrap());
    let compute = Handle(word(ENTRY));
    // It says what it is and is good for nothing else.
    let mut kind = [0u8; 4];
    let a = QueryAdapterInfo {
        adapter: compute,
        r#type: QueryAdapterInfoType::ADAPTERTYPE,
        private_data: kind.as_mut_ptr() as u64,
        private_data_size: 4,
        ..Default::default()
    };
    ok(node, a);
    assert_eq!(u32::from_le_bytes(kind), (AdapterType::COMPUTE_ONLY | AdapterType::PARAVIRTUALIZED).bits());
    assert_eq!(call(node, &mut CreateDevice { adapter: compute, ..Default::default() }), EINVAL);
    // Its handles do not keep the GPU's devices.
    ok(node, CloseAdapter { adapter_handle: Handle(word(0)) });
    ok(node, GetDeviceState { device: rig.device, state_type: DeviceStateType::EXECUTION, ..Default::default() });
    ok(node, CloseAdapter { adapter_handle: rig.adapter });
    assert_eq!(call(node, &mut DestroyDevice { device: rig.device }), EINVAL);
    ok(node, CloseAdapter { adapter_handle: compute });
    assert_eq!(node.census().adapters, 0);
}
