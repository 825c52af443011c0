#version 450
#extension GL_NV_compute_shader_derivatives : require
#extension GL_KHR_shader_subgroup_quad : require
layout(local_size_x = 6, local_size_y = 4, local_size_z = 2) in;
layout(derivative_group_quadsNV) in;
layout(std430, binding = 0) buffer Out { float o[]; };
void main() {
    uvec3 id = gl_LocalInvocationID;
    uint n = gl_LocalInvocationIndex * 8u;
    float v = float(id.x * id.x * 3u + id.y * id.y * 50u + id.z * 7u);
    o[n] = dFdx(v); o[n + 1u] = dFdyFine(v); o[n + 2u] = fwidthCoarse(v);
    vec2 w = dFdxCoarse(vec2(float(id.x * id.y), v));
    o[n + 3u] = w.x; o[n + 4u] = w.y;
    o[n + 5u] = subgroupQuadBroadcast(v, 3u);
    o[n + 6u] = float(gl_GlobalInvocationID.x * 100u + gl_GlobalInvocationID.y * 10u + gl_GlobalInvocationID.z);
    o[n + 7u] = subgroupQuadSwapDiagonal(float(gl_LocalInvocationIndex));
}
