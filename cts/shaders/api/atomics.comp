#version 450
// variant: atomics_u32 TYPE=uint INT
// variant: atomics_i32 TYPE=int INT
// variant: atomics_u64 TYPE=uint64_t INT WIDE
// variant: atomics_i64 TYPE=int64_t INT WIDE
// variant: atomics_f32 TYPE=float
// variant: atomics_f64 TYPE=double
#ifdef WIDE
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_atomic_int64 : require
#endif
#ifndef INT
#extension GL_EXT_shader_atomic_float : require
#endif
// Atomics on a buffer and in shared memory. out: [0..8) buffer results, [8..16) shared results of all workgroups.
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer V { TYPE values[]; };
layout(std430, binding = 1) buffer O { TYPE o[]; };
layout(std430, binding = 2) buffer Seen { uint seen[]; };
shared TYPE s[8];
void main() {
    uint i = gl_GlobalInvocationID.x;
    TYPE v = values[i];
    uint l = gl_LocalInvocationID.x;
#ifdef INT
    atomicAdd(o[0], v);
    atomicMin(o[1], v);
    atomicMax(o[2], v);
    atomicAnd(o[3], v);
    atomicOr(o[4], v);
    atomicXor(o[5], v);
    // A ticket: each value must be seen exactly once.
    atomicAdd(seen[uint(atomicAdd(o[6], TYPE(1)))], 1);
    // Increment by compare-and-swap.
    TYPE old = o[7];
    for (;;) {
        TYPE was = atomicCompSwap(o[7], old, old + TYPE(3));
        if (was == old) break;
        old = was;
    }
    if (l == 0) {
        for (int k = 0; k < 8; ++k) s[k] = TYPE(0);
        s[3] = ~TYPE(0);
    }
    barrier();
    atomicAdd(s[0], v);
    atomicMin(s[1], v);
    atomicMax(s[2], v);
    atomicAnd(s[3], v);
    atomicOr(s[4], v);
    atomicXor(s[5], v);
    atomicAdd(s[6], TYPE(1));
    atomicExchange(s[7], TYPE(5));
    barrier();
    if (l == 0) {
        atomicAdd(o[8], s[0]);
        atomicMin(o[9], s[1]);
        atomicMax(o[10], s[2]);
        atomicAnd(o[11], s[3]);
        atomicOr(o[12], s[4]);
        atomicXor(o[13], s[5]);
        atomicAdd(o[14], s[6]);
        atomicAdd(o[15], s[7]);
    }
#else
    atomicAdd(o[0], v);
    if (i == 17) atomicExchange(o[1], v);
    if (l < 8) s[l] = TYPE(0);
    barrier();
    atomicAdd(s[l & 3], v);
    barrier();
    if (l == 0) atomicAdd(o[8], s[0] + s[1] + s[2] + s[3]);
#endif
}
