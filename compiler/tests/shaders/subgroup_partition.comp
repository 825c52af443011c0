#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_NV_shader_subgroup_partitioned : require
layout(local_size_x = 16) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 8u;
    uvec4 thirds = subgroupPartitionNV(i % 3u);
    o[n] = thirds.x; o[n + 1u] = subgroupPartitionNV(vec2(i / 4u, i % 2u)).x;
    o[n + 2u] = subgroupPartitionedAddNV(i, thirds); o[n + 3u] = subgroupPartitionedInclusiveMaxNV(i ^ 5u, thirds);
    o[n + 4u] = subgroupPartitionedExclusiveXorNV(i, thirds);
    o[n + 5u] = 0u; o[n + 6u] = 0u;
    if (i % 8u != 6u) {
        o[n + 5u] = subgroupPartitionNV(i % 3u == 0u).x;
        o[n + 6u] = uint(subgroupPartitionedMulNV(vec2(i, 2.0), thirds).y);
    }
    o[n + 7u] = uint(subgroupPartitionedOrNV(i == 4u, thirds));
}
