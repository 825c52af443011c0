// variant: scan_shared
// variant: scan_subgroup SUBGROUP
#version 450
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
// Inclusive sums of blocks of 1024 words, four per invocation, and the sum of each block.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) writeonly buffer B { uint b[]; };
layout(std430, binding = 2) writeonly buffer S { uint sums[]; };
shared uint part[256];
void main() {
    uint l = gl_LocalInvocationID.x, at = gl_WorkGroupID.x * 1024 + l * 4;
    uint v0 = a[at];
    uint v1 = v0 + a[at + 1];
    uint v2 = v1 + a[at + 2];
    uint v3 = v2 + a[at + 3];
#ifdef SUBGROUP
    uint before = subgroupExclusiveAdd(v3);
    if (gl_SubgroupInvocationID == gl_SubgroupSize - 1) {
        part[gl_SubgroupID] = before + v3;
    }
    barrier();
    for (uint s = 0; s < gl_SubgroupID; ++s) {
        before += part[s];
    }
#else
    part[l] = v3;
    barrier();
    for (uint d = 1; d < 256; d *= 2) {
        uint other = l >= d ? part[l - d] : 0;
        barrier();
        part[l] += other;
        barrier();
    }
    uint before = part[l] - v3;
#endif
    b[at] = before + v0;
    b[at + 1] = before + v1;
    b[at + 2] = before + v2;
    b[at + 3] = before + v3;
    if (l == 255) {
        sums[gl_WorkGroupID.x] = before + v3;
    }
}
