#version 450
layout(local_size_x = 64) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
layout(std430, binding = 1) readonly buffer In { uint a[]; };
shared uint s[64];
void step_(uint i, uint w) { if (i < w) s[i] += s[i + w]; barrier(); }
void main() {
    uint i = gl_LocalInvocationIndex;
    s[i] = a[gl_GlobalInvocationID.x];
    barrier();
    for (uint w = 32u; w > 0u; w >>= 1) step_(i, w);
    memoryBarrierBuffer(); groupMemoryBarrier(); memoryBarrierShared();
    if (i == 0u) o[gl_WorkGroupID.x] = s[0];
}
