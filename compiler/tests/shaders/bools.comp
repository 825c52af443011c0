#version 450
layout(local_size_x = 8) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
struct B { bool a; bvec3 v; float f; };
shared bool flags[8];
shared B sb;
void main() {
    uint i = gl_LocalInvocationIndex;
    flags[i] = (i & 2u) != 0u;
    if (i == 0u) sb = B(true, bvec3(false, true, true), 2.0);
    barrier();
    B l = sb; bool arr[4] = bool[4](true, false, l.a, l.v.y);
    l.v[i % 3u] = flags[(i + 1u) & 7u];
    uint r = 0;
    for (uint k = 0; k < 8u; ++k) if (flags[k] != arr[k & 3u]) r |= 1u << k;
    o[i * 2u] = r; o[i * 2u + 1u] = uint(all(l.v)) | uint(any(l.v)) << 1 | uint(l.a && arr[i & 3u]) << 2 | uint(l.a ^^ arr[i & 3u]) << 3;
}
