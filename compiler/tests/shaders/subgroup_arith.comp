#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_clustered : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_shuffle_relative : require
#extension GL_KHR_shader_subgroup_quad : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_subgroup_extended_types_int64 : require
#extension GL_EXT_shader_subgroup_extended_types_int8 : require
layout(local_size_x = 16) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 24u;
    o[n] = subgroupAdd(i); o[n + 1u] = subgroupInclusiveAdd(i); o[n + 2u] = subgroupExclusiveAdd(i); o[n + 3u] = subgroupMul(i + 1u);
    o[n + 4u] = uint(subgroupMin(int(i) - 3)); o[n + 5u] = subgroupMax(i); o[n + 6u] = subgroupAnd(i | 8u); o[n + 7u] = subgroupOr(i); o[n + 8u] = subgroupXor(i);
    o[n + 9u] = floatBitsToUint(subgroupAdd(float(i) * 0.5)); o[n + 10u] = floatBitsToUint(subgroupExclusiveMax(vec2(i, 1.0)).x); o[n + 11u] = uint(subgroupExclusiveAnd(i < 3u));
    o[n + 12u] = subgroupClusteredAdd(i, 4u); o[n + 13u] = subgroupClusteredMax(i, 2u); o[n + 14u] = uint(subgroupClusteredOr(i == 2u, 4u));
    o[n + 15u] = subgroupShuffle(i, i ^ 1u); o[n + 16u] = subgroupShuffleXor(i, 2u); o[n + 17u] = (i & 7u) >= 1u ? subgroupShuffleUp(i, 1u) : 0u; o[n + 18u] = (i & 7u) < 6u ? subgroupShuffleDown(i, 1u) : 0u;
    o[n + 19u] = subgroupQuadBroadcast(i, 1u); o[n + 20u] = subgroupQuadSwapHorizontal(i); o[n + 21u] = subgroupQuadSwapVertical(i) * 100u + subgroupQuadSwapDiagonal(i);
    o[n + 22u] = uint(subgroupAdd(uint64_t(i) << 33) >> 32); o[n + 23u] = uint(subgroupAdd(int8_t(i)));
}
