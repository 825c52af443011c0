var<workgroup> bins: array<atomic<u32>, 8>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
fn bin_of(v: u32) -> u32 { switch (v) { case 0u, 1u: { return 0u; } case 7u: { return 7u; } default: { return v % 5u + 1u; } } }
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) i: u32) {
    atomicAdd(&bins[bin_of(src[i % arrayLength(&src)])], 1u);
    workgroupBarrier();
    var total = 0u;
    loop {
        if (total > 3u) { break; }
        continuing { total = total + 1u; break if total == i; }
    }
    if (i < 8u) { out[i] = atomicLoad(&bins[i]); } else { out[i] = total; }
}
