#version 450
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_vote : require
layout(local_size_x = 32) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 24u;
    uvec4 b = subgroupBallot((i % 3u) == 0u);
    o[n] = b.x; o[n + 1u] = subgroupBallotBitCount(b); o[n + 2u] = subgroupBallotInclusiveBitCount(b); o[n + 3u] = subgroupBallotExclusiveBitCount(b);
    o[n + 4u] = subgroupBallotFindLSB(b); o[n + 5u] = subgroupBallotFindMSB(b); o[n + 6u] = uint(subgroupInverseBallot(b)); o[n + 7u] = uint(subgroupBallotBitExtract(b, i & 7u));
    o[n + 8u] = subgroupBroadcast(i, 2u); o[n + 9u] = subgroupBroadcastFirst(i * 2u); o[n + 10u] = uint(subgroupElect());
    o[n + 11u] = uint(subgroupAll(i < 100u)); o[n + 12u] = uint(subgroupAny(i == 3u)); o[n + 13u] = uint(subgroupAllEqual(vec2(i / 8u, 1.0)));
    o[n + 14u] = gl_SubgroupEqMask.x; o[n + 15u] = gl_SubgroupGeMask.x; o[n + 16u] = gl_SubgroupGtMask.x; o[n + 17u] = gl_SubgroupLeMask.x; o[n + 18u] = gl_SubgroupLtMask.x;
    o[n + 19u] = gl_SubgroupSize; o[n + 20u] = gl_SubgroupInvocationID; o[n + 21u] = gl_SubgroupID; o[n + 22u] = gl_NumSubgroups;
    if ((i & 1u) == 0u) { subgroupBarrier(); o[n + 23u] = subgroupBallot(true).x + uint(subgroupBroadcastFirst((i & 4u) == 0u)); }
}
