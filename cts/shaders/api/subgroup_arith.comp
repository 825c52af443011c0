#version 450
// target: vulkan1.2
// variant: subgroup_arith_u32 T=uint INT
// variant: subgroup_arith_i32 T=int INT
// variant: subgroup_arith_f32 T=float
// variant: subgroup_arith_u64 T=uint64_t INT EXT
// variant: subgroup_arith_i64 T=int64_t INT EXT
// variant: subgroup_arith_f64 T=double
// variant: subgroup_arith_u16 T=uint16_t INT EXT
// variant: subgroup_arith_i16 T=int16_t INT EXT
// variant: subgroup_arith_f16 T=float16_t EXT
// variant: subgroup_arith_u8 T=uint8_t INT EXT
// variant: subgroup_arith_i8 T=int8_t INT EXT
// variant: subgroup_clustered_u32 T=uint INT CLUSTERED
// variant: subgroup_clustered_f32 T=float CLUSTERED
// variant: subgroup_clustered_i64 T=int64_t INT EXT CLUSTERED
// variant: subgroup_clustered_i16 T=int16_t INT EXT CLUSTERED
// variant: subgroup_partitioned_u32 T=uint INT PARTITIONED
// variant: subgroup_partitioned_f32 T=float PARTITIONED
// variant: subgroup_partitioned_i64 T=int64_t INT EXT PARTITIONED
// variant: subgroup_partitioned_u8 T=uint8_t INT EXT PARTITIONED
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#ifdef CLUSTERED
#extension GL_KHR_shader_subgroup_clustered : require
#endif
#ifdef PARTITIONED
#extension GL_NV_shader_subgroup_partitioned : require
#extension GL_KHR_shader_subgroup_ballot : require
#endif
#ifdef EXT
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_subgroup_extended_types_int8 : require
#extension GL_EXT_shader_subgroup_extended_types_int16 : require
#extension GL_EXT_shader_subgroup_extended_types_int64 : require
#extension GL_EXT_shader_subgroup_extended_types_float16 : require
#endif
// Operation k of invocation i goes to o[k * n + i]; invocations whose bit in the mask is off stay out.
layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer V { T v[]; };
layout(std430, binding = 1) buffer O { T o[]; };
layout(std430, binding = 2) buffer Ids { uvec4 ids[]; };
layout(push_constant) uniform Push { uint n, mask; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    ids[i] = uvec4(gl_SubgroupID, gl_SubgroupInvocationID, gl_SubgroupSize, gl_NumSubgroups);
    if (((mask >> (i & 31)) & 1) == 0) return;
    T x = v[i];
    uint k = 0;
#define OUT(e) o[(k++) * n + i] = (e)
#ifdef CLUSTERED
#define FORMS(OP) OUT(subgroupClustered##OP(x, 2)); OUT(subgroupClustered##OP(x, 4)); OUT(subgroupClustered##OP(x, 8));
#elif defined(PARTITIONED)
    // Which one of five an invocation belongs to does not follow from its place.
    uvec4 part = subgroupPartitionNV(i * i % 5);
#define FORMS(OP) OUT(subgroupPartitioned##OP##NV(x, part)); OUT(subgroupPartitionedInclusive##OP##NV(x, part)); \
    OUT(subgroupPartitionedExclusive##OP##NV(x, part));
#else
#define FORMS(OP) OUT(subgroup##OP(x)); OUT(subgroupInclusive##OP(x)); OUT(subgroupExclusive##OP(x));
#endif
    FORMS(Add)
    FORMS(Mul)
    FORMS(Min)
    FORMS(Max)
#ifdef INT
    FORMS(And)
    FORMS(Or)
    FORMS(Xor)
#endif
}
