#version 450
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_shader_atomic_int64 : require
#extension GL_EXT_shader_atomic_float : require
layout(local_size_x = 16) in;
layout(std430, binding = 0) buffer Out { uint o[16]; int so[4]; uint64_t w[4]; float f[2]; uint old[16]; };
shared uint s; shared int ss; shared float sf;
void main() {
    uint i = gl_LocalInvocationIndex;
    if (i == 0u) { s = 0u; ss = 0; sf = 0.0; }
    barrier();
    atomicAdd(o[0], i); atomicMin(o[1], i); atomicMax(o[2], i); atomicAnd(o[3], ~(1u << i)); atomicOr(o[4], 1u << i); atomicXor(o[5], 3u << i);
    atomicCompSwap(o[6], i, i + 1u);
    atomicMin(so[0], 5 - int(i)); atomicMax(so[1], int(i) - 20); atomicAdd(so[2], -int(i));
    atomicAdd(w[0], uint64_t(i) << 32); atomicMax(w[1], uint64_t(i) << 40); atomicExchange(w[2], 7ul); atomicCompSwap(w[3], 0ul, 1ul << 33);
    atomicAdd(f[0], 0.5); atomicAdd(sf, 0.25); atomicExchange(f[1], 2.5);
    atomicAdd(s, 2u); atomicMax(ss, int(i)); uint t = atomicAdd(s, 0u);
    barrier();
    old[i] = s + uint(ss) + uint(sf * 4.0) + (t & 0u);
    if (i == 3u) atomicExchange(o[7], 77u);
}
