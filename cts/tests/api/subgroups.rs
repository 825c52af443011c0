//! Subgroup operations of every kind and type against a reference on the CPU, at every size, also with some lanes off.

use crate::support::*;
use ash::vk;
use half::f16;
use vk::SubgroupFeatureFlags as F;

tests! {
    layout_of_subgroups, arithmetic_32, arithmetic_64, arithmetic_16, arithmetic_8, arithmetic_float, clustered, partitioned,
    shuffles, votes_and_ballots,
}

/// Masks of invocations (of each 32) that take part.
const MASKS: [u32; 4] = [u32::MAX, 0x5b6d_b6d3, 0x0000_8001, 0xffff_0ff0];

/// A number type subgroups compute with.
trait Num: bytemuck::Pod + PartialEq + std::fmt::Debug {
    fn of(v: i32) -> Self;
    fn add(self, o: Self) -> Self;
    fn mul(self, o: Self) -> Self;
    fn min(self, o: Self) -> Self;
    fn max(self, o: Self) -> Self;
    /// And, or, xor; meaningless for floats.
    fn bits(self, o: Self, op: usize) -> Self;
    /// Identities of add, mul, min, max, and, or, xor.
    fn identity(op: usize) -> Self;
    const INT: bool;
}

macro_rules! ints {
    ($($t:ty),*) => {$(
        impl Num for $t {
            fn of(v: i32) -> $t { v as $t }
            fn add(self, o: $t) -> $t { self.wrapping_add(o) }
            fn mul(self, o: $t) -> $t { self.wrapping_mul(o) }
            fn min(self, o: $t) -> $t { Ord::min(self, o) }
            fn max(self, o: $t) -> $t { Ord::max(self, o) }
            fn bits(self, o: $t, op: usize) -> $t {
                match op { 0 => self & o, 1 => self | o, _ => self ^ o }
            }
            fn identity(op: usize) -> $t { [0, 1, <$t>::MAX, <$t>::MIN, !0, 0, 0][op] }
            const INT: bool = true;
        }
    )*};
}
ints!(u8, i8, u16, i16, u32, i32, u64, i64);

macro_rules! floats {
    ($($t:ty, $of:expr, $one:expr, $inf:expr, $neg:expr, $zero:expr;)*) => {$(
        impl Num for $t {
            // Multiples of 1/2 up to 4, so that sums are exact; products are kept in range by the test data.
            fn of(v: i32) -> $t { $of(v) }
            fn add(self, o: $t) -> $t { self + o }
            fn mul(self, o: $t) -> $t { self * o }
            fn min(self, o: $t) -> $t { if o < self { o } else { self } }
            fn max(self, o: $t) -> $t { if o > self { o } else { self } }
            fn bits(self, _: $t, _: usize) -> $t { self }
            fn identity(op: usize) -> $t { [$zero, $one, $inf, $neg, $zero, $zero, $zero][op] }
            const INT: bool = false;
        }
    )*};
}
/// A power of two between 1/2 and 2 with a sign.
fn power(v: i32) -> f32 {
    [0.5, 1.0, 2.0, -1.0, 1.0, 2.0, 0.5, -2.0, -0.5][v.rem_euclid(9) as usize]
}
floats! {
    f16, |v| f16::from_f32(power(v)), f16::ONE, f16::INFINITY, f16::NEG_INFINITY, f16::ZERO;
    f32, power, 1.0, f32::INFINITY, f32::NEG_INFINITY, 0.0;
    f64, |v| f64::from(power(v)), 1.0, f64::INFINITY, f64::NEG_INFINITY, 0.0;
}

fn op<N: Num>(k: usize, a: N, b: N) -> N {
    match k {
        0 => a.add(b),
        1 => a.mul(b),
        2 => a.min(b),
        3 => a.max(b),
        _ => a.bits(b, k - 4),
    }
}

/// One run: results by operation and invocation, and where each invocation stood.
struct Run<N> {
    n: usize,
    local: usize,
    out: Vec<N>,
    ids: Vec<[u32; 4]>,
    values: Vec<N>,
    mask: u32,
}

impl<N: Num> Run<N> {
    fn active(&self, i: usize) -> bool {
        self.mask >> (i % 32) & 1 != 0
    }

    /// The invocation in the same subgroup at a lane, if there is one and it takes part.
    fn at(&self, i: usize, lane: i64) -> Option<usize> {
        let first = i / self.local * self.local;
        (first..first + self.local)
            .find(|j| self.ids[*j][0] == self.ids[i][0] && i64::from(self.ids[*j][1]) == lane && self.active(*j))
    }

    /// All invocations of the same subgroup that take part, by lane.
    fn peers(&self, i: usize) -> Vec<usize> {
        (0..i64::from(self.ids[i][2])).filter_map(|l| self.at(i, l)).collect()
    }

    fn got(&self, k: usize, i: usize) -> N {
        self.out[k * self.n + i]
    }
}

/// Runs a kernel over three workgroups of `local` invocations.
unsafe fn run<N: Num>(t: &T, code: &[u32], operations: usize, size: u32, local: usize, mask: u32) -> R<Run<N>> {
    let n = local * 3;
    let mut random = Random(local as u64 * 31 + u64::from(mask));
    let values: Vec<N> = (0..n).map(|_| N::of(random.word() as i32 >> 8)).collect();
    let v = t.buf_of(&values)?;
    let o = t.zeros((n * operations * size_of::<N>()) as u64)?;
    let ids = t.zeros(n as u64 * 16)?;
    let spec = (local as u32).to_ne_bytes();
    let info = KernelInfo { code, spec: &[(0, &spec)], subgroup: size, ..KernelInfo::default() };
    t.compute_of(&info, &[B::S(v), B::S(o), B::S(ids)], &words(&[n as u32, mask]), [3, 1, 1])?;
    let run = Run { n, local, out: o.get(), ids: ids.get(), values, mask };
    for i in 0..n {
        let id = run.ids[i];
        check!(size == 0 || id[2] == size, "subgroups of {} instead of {size}", id[2]);
        check!(id[1] < id[2], "impossible place {id:?}");
        // (Lavapipe does not count a last subgroup that is not full.)
        check!(id[0] < id[3] || !t.is_ours() && local as u32 % id[2] != 0, "impossible place {id:?}");
    }
    Ok(run)
}

/// Required sizes to try; 0 is whatever the driver likes.
fn sizes(t: &T) -> Vec<u32> {
    let p = t.property::<vk::PhysicalDeviceSubgroupSizeControlProperties<'_>>();
    let mut all = vec![0];
    let mut s = p.min_subgroup_size;
    while t.features.v13.subgroup_size_control != 0
        && p.required_subgroup_size_stages.contains(vk::ShaderStageFlags::COMPUTE)
        && s <= p.max_subgroup_size
    {
        all.push(s);
        s *= 2;
    }
    all
}

unsafe fn device(ops: F) -> R<T> {
    let t = T::new(&[c"VK_NV_shader_subgroup_partitioned"])?;
    let p = t.property::<vk::PhysicalDeviceSubgroupProperties<'_>>();
    need!(p.supported_stages.contains(vk::ShaderStageFlags::COMPUTE), "subgroups in compute");
    need!(p.supported_operations.contains(ops), format!("{:?}", ops & !p.supported_operations));
    Ok(t)
}

/// Reductions and scans of one type over whole subgroups.
unsafe fn arithmetic<N: Num>(t: &T, code: &[u32]) -> R {
    scans::<N>(t, code, |_| 0)
}

/// Reductions and scans over the invocations of the same part of a subgroup.
unsafe fn scans<N: Num>(t: &T, code: &[u32], part: fn(usize) -> usize) -> R {
    let operations = if N::INT { 21 } else { 12 };
    for size in sizes(t) {
        for local in [64usize, 50] {
            for mask in MASKS {
                let r = run::<N>(t, code, operations, size, local, mask)?;
                for i in (0..r.n).filter(|i| r.active(*i)) {
                    let mut peers = r.peers(i);
                    peers.retain(|j| part(*j) == part(i));
                    for k in 0..operations / 3 {
                        let fold = |list: &mut dyn Iterator<Item = usize>| {
                            list.fold(N::identity(k), |a, j| op(k, a, r.values[j]))
                        };
                        let lane = |j: &usize| r.ids[*j][1];
                        let all = fold(&mut peers.iter().copied());
                        let upto = fold(&mut peers.iter().filter(|j| lane(j) <= lane(&i)).copied());
                        let before = fold(&mut peers.iter().filter(|j| lane(j) < lane(&i)).copied());
                        let what = |form| {
                            format!(
                                "{form} {k} of {}, size {size}, local {local}, mask {mask:#x}, invocation {i}",
                                std::any::type_name::<N>()
                            )
                        };
                        same!(r.got(k * 3, i), all, "{}", what("reduction"));
                        same!(r.got(k * 3 + 1, i), upto, "{}", what("inclusive scan"));
                        same!(r.got(k * 3 + 2, i), before, "{}", what("exclusive scan"));
                    }
                }
            }
        }
    }
    Ok(())
}

unsafe fn arithmetic_32() -> R {
    let t = device(F::ARITHMETIC)?;
    arithmetic::<u32>(&t, spv!("subgroup_arith_u32"))?;
    arithmetic::<i32>(&t, spv!("subgroup_arith_i32"))
}

unsafe fn arithmetic_64() -> R {
    let t = device(F::ARITHMETIC)?;
    need!(
        t.features.v12.shader_subgroup_extended_types != 0 && t.features.core.shader_int64 != 0,
        "64-bit integers in subgroups"
    );
    arithmetic::<u64>(&t, spv!("subgroup_arith_u64"))?;
    arithmetic::<i64>(&t, spv!("subgroup_arith_i64"))
}

unsafe fn arithmetic_16() -> R {
    let t = device(F::ARITHMETIC)?;
    need!(
        t.features.v12.shader_subgroup_extended_types != 0 && t.features.core.shader_int16 != 0,
        "16-bit integers in subgroups"
    );
    need!(t.features.v11.storage_buffer16_bit_access != 0, "16-bit storage");
    arithmetic::<u16>(&t, spv!("subgroup_arith_u16"))?;
    arithmetic::<i16>(&t, spv!("subgroup_arith_i16"))
}

unsafe fn arithmetic_8() -> R {
    let t = device(F::ARITHMETIC)?;
    need!(
        t.features.v12.shader_subgroup_extended_types != 0 && t.features.v12.shader_int8 != 0,
        "8-bit integers in subgroups"
    );
    need!(t.features.v12.storage_buffer8_bit_access != 0, "8-bit storage");
    arithmetic::<u8>(&t, spv!("subgroup_arith_u8"))?;
    arithmetic::<i8>(&t, spv!("subgroup_arith_i8"))
}

unsafe fn arithmetic_float() -> R {
    let t = device(F::ARITHMETIC)?;
    arithmetic::<f32>(&t, spv!("subgroup_arith_f32"))?;
    if t.features.core.shader_float64 != 0 {
        arithmetic::<f64>(&t, spv!("subgroup_arith_f64"))?;
    }
    if t.features.v12.shader_float16 != 0 && t.features.v12.shader_subgroup_extended_types != 0 {
        // Products of more than 15 numbers of size 2 or 1/2 could leave the range: few take part.
        need!(t.features.v11.storage_buffer16_bit_access != 0, "16-bit storage");
        halves(&t)?;
    }
    Ok(())
}

/// As `arithmetic`, but float16 products only where they are exact.
unsafe fn halves(t: &T) -> R {
    for size in sizes(t) {
        for mask in MASKS {
            let r = run::<f16>(t, spv!("subgroup_arith_f16"), 12, size, 64, mask)?;
            for i in (0..r.n).filter(|i| r.active(*i)) {
                let peers = r.peers(i);
                for k in [0usize, 2, 3] {
                    let all = peers.iter().fold(f16::identity(k), |a, j| op(k, a, r.values[*j]));
                    same!(
                        r.got(k * 3, i),
                        all,
                        "reduction {k} of float16, size {size}, mask {mask:#x}, invocation {i}"
                    );
                }
                let product: f32 = peers.iter().map(|j| r.values[*j].to_f32()).product();
                if peers.len() < 12 {
                    same!(
                        r.got(3, i).to_f32(),
                        product,
                        "product of float16, size {size}, mask {mask:#x}, invocation {i}"
                    );
                }
            }
        }
    }
    Ok(())
}

unsafe fn clusters<N: Num>(t: &T, code: &[u32]) -> R {
    let operations = if N::INT { 21 } else { 12 };
    for size in sizes(t) {
        for mask in MASKS {
            let r = run::<N>(t, code, operations, size, 64, mask)?;
            for i in (0..r.n).filter(|i| r.active(*i)) {
                for (c, cluster) in [2u32, 4, 8].into_iter().enumerate() {
                    if cluster > r.ids[i][2] {
                        continue;
                    }
                    let mine = |j: &&usize| r.ids[**j][1] / cluster == r.ids[i][1] / cluster;
                    let peers = r.peers(i);
                    for k in 0..operations / 3 {
                        let want = peers.iter().filter(mine).fold(N::identity(k), |a, j| op(k, a, r.values[*j]));
                        same!(
                            r.got(k * 3 + c, i),
                            want,
                            "operation {k} in clusters of {cluster}, size {size}, mask {mask:#x}, invocation {i}"
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

unsafe fn clustered() -> R {
    let t = device(F::CLUSTERED)?;
    clusters::<u32>(&t, spv!("subgroup_clustered_u32"))?;
    clusters::<f32>(&t, spv!("subgroup_clustered_f32"))?;
    if t.features.v12.shader_subgroup_extended_types != 0 && t.features.core.shader_int64 != 0 {
        clusters::<i64>(&t, spv!("subgroup_clustered_i64"))?;
    }
    if t.features.v12.shader_subgroup_extended_types != 0
        && t.features.core.shader_int16 != 0
        && t.features.v11.storage_buffer16_bit_access != 0
    {
        clusters::<i16>(&t, spv!("subgroup_clustered_i16"))?;
    }
    Ok(())
}

unsafe fn partitioned() -> R {
    let t = device(F::PARTITIONED_NV)?;
    let part = |i: usize| i * i % 5;
    scans::<u32>(&t, spv!("subgroup_partitioned_u32"), part)?;
    scans::<f32>(&t, spv!("subgroup_partitioned_f32"), part)?;
    if t.features.v12.shader_subgroup_extended_types == 0 {
        return Ok(());
    }
    if t.features.core.shader_int64 != 0 {
        scans::<i64>(&t, spv!("subgroup_partitioned_i64"), part)?;
    }
    if t.features.v12.shader_int8 != 0 && t.features.v12.storage_buffer8_bit_access != 0 {
        scans::<u8>(&t, spv!("subgroup_partitioned_u8"), part)?;
    }
    Ok(())
}

unsafe fn shuffled<N: Num>(t: &T, code: &[u32]) -> R {
    for size in sizes(t) {
        for local in [64usize, 40] {
            for mask in MASKS {
                let r = run::<N>(t, code, 14, size, local, mask)?;
                for i in (0..r.n).filter(|i| r.active(*i)) {
                    let (lane, size) = (i64::from(r.ids[i][1]), i64::from(r.ids[i][2]));
                    let first = r.peers(i).first().map_or(0, |j| i64::from(r.ids[*j][1]));
                    let from = [
                        2,
                        first,
                        (lane * 5 + 1) % size,
                        lane ^ 1,
                        lane ^ 3,
                        lane - 1,
                        lane - 2,
                        lane + 1,
                        lane + 2,
                        lane & !3,
                        lane & !3 | 3,
                        lane ^ 1,
                        lane ^ 2,
                        lane ^ 3,
                    ];
                    for (k, from) in from.into_iter().enumerate() {
                        // What comes from a lane that does not take part is undefined.
                        if let Some(j) = r.at(i, from) {
                            same!(
                                r.got(k, i),
                                r.values[j],
                                "operation {k} of {}, size {size}, local {local}, mask {mask:#x}, invocation {i}",
                                std::any::type_name::<N>()
                            );
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

unsafe fn shuffles() -> R {
    let t = device(F::SHUFFLE | F::SHUFFLE_RELATIVE | F::BALLOT | F::QUAD)?;
    shuffled::<u32>(&t, spv!("subgroup_shuffle_u32"))?;
    shuffled::<f32>(&t, spv!("subgroup_shuffle_f32"))?;
    if t.features.v12.shader_subgroup_extended_types == 0 {
        return Ok(());
    }
    if t.features.core.shader_int64 != 0 {
        shuffled::<u64>(&t, spv!("subgroup_shuffle_u64"))?;
    }
    let (s16, s8) = (t.features.v11.storage_buffer16_bit_access != 0, t.features.v12.storage_buffer8_bit_access != 0);
    if t.features.core.shader_int16 != 0 && s16 {
        shuffled::<u16>(&t, spv!("subgroup_shuffle_u16"))?;
    }
    if t.features.v12.shader_float16 != 0 && s16 {
        shuffled::<f16>(&t, spv!("subgroup_shuffle_f16"))?;
    }
    if t.features.v12.shader_int8 != 0 && s8 {
        shuffled::<u8>(&t, spv!("subgroup_shuffle_u8"))?;
    }
    Ok(())
}

unsafe fn votes_and_ballots() -> R {
    let t = device(F::VOTE | F::BALLOT)?;
    for size in sizes(&t) {
        for local in [64usize, 33] {
            for mask in MASKS {
                let r = run::<u32>(&t, spv!("subgroup_vote"), 18, size, local, mask)?;
                for i in (0..r.n).filter(|i| r.active(*i)) {
                    let peers = r.peers(i);
                    let (lane, size) = (r.ids[i][1], r.ids[i][2]);
                    need!(size <= 32, "subgroups of at most 32 to check");
                    let odd = |j: &usize| r.values[*j] & 1 != 0;
                    let ballot = peers.iter().filter(|j| odd(j)).fold(0u32, |b, j| b | 1 << r.ids[*j][1]);
                    let all = if size == 32 { u32::MAX } else { (1 << size) - 1 };
                    let below = (1u32 << lane) - 1;
                    let want = [
                        u32::from(peers.first() == Some(&i)),
                        u32::from(peers.iter().all(odd)),
                        u32::from(peers.iter().any(odd)),
                        u32::from(peers.iter().all(|j| r.values[*j] >> 4 == r.values[i] >> 4)),
                        ballot,
                        0,
                        ballot >> lane & 1,
                        ballot >> 1 & 1,
                        ballot.count_ones(),
                        (ballot & (below << 1 | 1)).count_ones(),
                        (ballot & below).count_ones(),
                        if ballot == 0 { 99 } else { ballot.trailing_zeros() },
                        if ballot == 0 { 99 } else { 31 - ballot.leading_zeros() },
                        1 << lane,
                        all & !below,
                        all & !below & !(1 << lane),
                        below | 1 << lane,
                        below,
                    ];
                    for (k, want) in want.into_iter().enumerate() {
                        same!(
                            r.got(k, i),
                            want,
                            "operation {k}, size {size}, local {local}, mask {mask:#x}, invocation {i}"
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

unsafe fn layout_of_subgroups() -> R {
    // Every invocation is in exactly one lane, and the counts agree.
    let t = device(F::BASIC | F::ARITHMETIC)?;
    for local in [1usize, 2, 7, 31, 64, 128] {
        let r = run::<u32>(&t, spv!("subgroup_arith_u32"), 21, 0, local, u32::MAX)?;
        for w in 0..3 {
            let ids = &r.ids[w * local..(w + 1) * local];
            let mut places: Vec<_> = ids.iter().map(|id| (id[0], id[1])).collect();
            places.sort_unstable();
            places.dedup();
            same!(places.len(), local, "places of {local} invocations");
            let size = ids[0][2];
            check!(ids.iter().all(|id| id[2] == size && id[3] == ids[0][3]));
            check!(
                ids[0][3] as usize >= local.div_ceil(size as usize) || !t.is_ours(),
                "too few subgroups: {:?}",
                ids[0]
            );
        }
    }
    Ok(())
}
