// variant: sort_local LOCAL FIRST
// variant: sort_merge LOCAL
// variant: sort_global
#version 450
// Bitonic sort: blocks of 512 in workgroup memory; steps with a wider reach in the buffer.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer A { uint a[]; };
layout(push_constant) uniform P { uint size; uint reach; };
#ifdef LOCAL
shared uint v[512];
void order(uint i, uint j, bool up) {
    uint x = v[i], y = v[j];
    if ((x > y) == up) {
        v[i] = y;
        v[j] = x;
    }
}
#endif
void main() {
    uint t = gl_GlobalInvocationID.x;
#ifdef LOCAL
    uint l = gl_LocalInvocationID.x, base = gl_WorkGroupID.x * 512;
    v[l] = a[base + l];
    v[l + 256] = a[base + l + 256];
#ifdef FIRST
    for (uint s = 2; s <= 512; s *= 2) {
#else
    uint s = size;
    {
#endif
        for (uint r = min(s, 512u) / 2; r > 0; r /= 2) {
            barrier();
            uint i = 2 * l - (l & (r - 1));
            order(i, i + r, ((base + i) & s) == 0);
        }
    }
    barrier();
    a[base + l] = v[l];
    a[base + l + 256] = v[l + 256];
#else
    uint i = 2 * t - (t & (reach - 1)), j = i + reach;
    uint x = a[i], y = a[j];
    if ((x > y) == ((i & size) == 0)) {
        a[i] = y;
        a[j] = x;
    }
#endif
}
