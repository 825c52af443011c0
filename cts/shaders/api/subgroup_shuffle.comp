#version 450
// target: vulkan1.2
// variant: subgroup_shuffle_u32 T=uint
// variant: subgroup_shuffle_f32 T=float
// variant: subgroup_shuffle_u64 T=uint64_t EXT
// variant: subgroup_shuffle_u16 T=uint16_t EXT
// variant: subgroup_shuffle_f16 T=float16_t EXT
// variant: subgroup_shuffle_u8 T=uint8_t EXT
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_shuffle_relative : require
#extension GL_KHR_shader_subgroup_quad : require
#ifdef EXT
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_subgroup_extended_types_int8 : require
#extension GL_EXT_shader_subgroup_extended_types_int16 : require
#extension GL_EXT_shader_subgroup_extended_types_int64 : require
#extension GL_EXT_shader_subgroup_extended_types_float16 : require
#endif
layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer V { T v[]; };
layout(std430, binding = 1) buffer O { T o[]; };
layout(std430, binding = 2) buffer Ids { uvec4 ids[]; };
layout(push_constant) uniform Push { uint n, mask; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint lane = gl_SubgroupInvocationID, size = gl_SubgroupSize;
    ids[i] = uvec4(gl_SubgroupID, lane, size, gl_NumSubgroups);
    if (((mask >> (i & 31)) & 1) == 0) return;
    T x = v[i];
    uint k = 0;
#define OUT(e) o[(k++) * n + i] = (e)
    OUT(subgroupBroadcast(x, 2));
    OUT(subgroupBroadcastFirst(x));
    OUT(subgroupShuffle(x, (lane * 5 + 1) % size));
    OUT(subgroupShuffleXor(x, 1));
    OUT(subgroupShuffleXor(x, 3));
    OUT(subgroupShuffleUp(x, 1));
    OUT(subgroupShuffleUp(x, 2));
    OUT(subgroupShuffleDown(x, 1));
    OUT(subgroupShuffleDown(x, 2));
    OUT(subgroupQuadBroadcast(x, 0));
    OUT(subgroupQuadBroadcast(x, 3));
    OUT(subgroupQuadSwapHorizontal(x));
    OUT(subgroupQuadSwapVertical(x));
    OUT(subgroupQuadSwapDiagonal(x));
}
