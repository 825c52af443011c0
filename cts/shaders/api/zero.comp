#version 450
// target: vulkan1.3
#extension GL_EXT_null_initializer : require
// Workgroup memory that starts as zero, in every workgroup.
layout(local_size_x = 64) in;
struct S { uint a; vec3 b; };
shared uint z[300] = {};
shared S s[4] = {};
layout(std430, binding = 0) buffer O { uint o[]; };
void main() {
    uint l = gl_LocalInvocationID.x;
    uint bad = 0;
    for (uint k = l; k < 300; k += 64) bad |= z[k];
    if (l < 4) bad |= s[l].a | floatBitsToUint(s[l].b.x) | floatBitsToUint(s[l].b.z);
    atomicOr(o[gl_WorkGroupID.x], bad);
    barrier();
    for (uint k = l; k < 300; k += 64) z[k] = 0xffffffff;
    if (l < 4) { s[l].a = 7; s[l].b = vec3(9.0); }
    atomicAdd(o[1000 + gl_WorkGroupID.x], z[l] == 0xffffffff ? 1 : 0);
}
