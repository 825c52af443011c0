#version 450
// Levels of detail from the derivatives of coordinates that grow by `step` from invocation to invocation of a quad.
// variant: implicit_lod_quads QUADS
// variant: implicit_lod_linear
#extension GL_NV_compute_shader_derivatives : require
#extension GL_KHR_shader_subgroup_basic : require
layout(local_size_x = 8, local_size_y = 4) in;
#ifdef QUADS
layout(derivative_group_quadsNV) in;
#else
layout(derivative_group_linearNV) in;
#endif
layout(binding = 0) uniform sampler2DArray tex;
layout(std430, binding = 1) buffer O { vec4 o[]; };
layout(push_constant) uniform Push { float step; };
void main() {
    uint i = gl_LocalInvocationIndex;
#ifdef QUADS
    uvec2 at = gl_LocalInvocationID.xy;
#else
    uvec2 at = uvec2(i & 1, i >> 1 & 1);
#endif
    vec2 p = vec2(at) * vec2(step, step * 0.5);
    o[i * 4] = texture(tex, vec3(p, 0));
    o[i * 4 + 1] = texture(tex, vec3(p, 0), 1.0);
    o[i * 4 + 2] = vec4(textureQueryLod(tex, p), dFdx(p.x), dFdyFine(p.y));
    o[i * 4 + 3] = vec4(fwidth(p.x * p.x), dFdxFine(float(at.x * at.x + at.y)), dFdyFine(float(at.x * at.y)), gl_SubgroupInvocationID & 3);
}
