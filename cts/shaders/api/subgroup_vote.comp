#version 450
// target: vulkan1.2
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_vote : require
#extension GL_KHR_shader_subgroup_ballot : require
layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer V { uint v[]; };
layout(std430, binding = 1) buffer O { uint o[]; };
layout(std430, binding = 2) buffer Ids { uvec4 ids[]; };
layout(push_constant) uniform Push { uint n, mask; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint lane = gl_SubgroupInvocationID;
    ids[i] = uvec4(gl_SubgroupID, lane, gl_SubgroupSize, gl_NumSubgroups);
    if (((mask >> (i & 31)) & 1) == 0) return;
    uint x = v[i];
    bool odd = (x & 1) != 0;
    uint k = 0;
#define OUT(e) o[(k++) * n + i] = uint(e)
    OUT(subgroupElect());
    OUT(subgroupAll(odd));
    OUT(subgroupAny(odd));
    OUT(subgroupAllEqual(x >> 4));
    uvec4 b = subgroupBallot(odd);
    OUT(b.x);
    OUT(b.y | b.z | b.w);
    OUT(subgroupInverseBallot(b));
    OUT(subgroupBallotBitExtract(b, 1));
    OUT(subgroupBallotBitCount(b));
    OUT(subgroupBallotInclusiveBitCount(b));
    OUT(subgroupBallotExclusiveBitCount(b));
    OUT(b.x == 0 ? 99 : subgroupBallotFindLSB(b));
    OUT(b.x == 0 ? 99 : subgroupBallotFindMSB(b));
    OUT(gl_SubgroupEqMask.x);
    OUT(gl_SubgroupGeMask.x);
    OUT(gl_SubgroupGtMask.x);
    OUT(gl_SubgroupLeMask.x);
    OUT(gl_SubgroupLtMask.x);
}
