#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
// Sum of n words, one per invocation, by subgroups.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) writeonly buffer B { uint b[]; };
layout(push_constant) uniform P { uint n; };
shared uint part[256];
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint sum = subgroupAdd(i < n ? a[i] : 0);
    if (subgroupElect()) {
        part[gl_SubgroupID] = sum;
    }
    barrier();
    if (gl_LocalInvocationID.x == 0) {
        uint all = 0;
        for (uint s = 0; s < gl_NumSubgroups; ++s) {
            all += part[s];
        }
        b[gl_WorkGroupID.x] = all;
    }
}
