#version 450
layout(local_size_x = 8) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
layout(std430, binding = 1) readonly buffer In { uint a[]; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 12u, x = a[i];
    vec4 v = unpackSnorm4x8(x), w = unpackUnorm4x8(x);
    vec2 s = unpackSnorm2x16(x), u = unpackUnorm2x16(x), h = unpackHalf2x16(x & 0x7bff7bffu);
    o[n] = floatBitsToUint(v.x + v.w); o[n + 1u] = floatBitsToUint(w.y * w.z); o[n + 2u] = floatBitsToUint(s.x - s.y); o[n + 3u] = floatBitsToUint(u.x - u.y); o[n + 4u] = floatBitsToUint(h.x + h.y);
    o[n + 5u] = packSnorm4x8(v * 1.5); o[n + 6u] = packUnorm4x8(w); o[n + 7u] = packSnorm2x16(s); o[n + 8u] = packUnorm2x16(u * 0.5); o[n + 9u] = packHalf2x16(h * 2.0);
    o[n + 10u] = packUnorm4x8(vec4(-1.0, 0.5, 2.0, 0.25)); o[n + 11u] = floatBitsToUint(uintBitsToFloat(x)) ^ uint(floatBitsToInt(w.x));
}
