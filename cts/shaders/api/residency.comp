#version 450
#extension GL_ARB_sparse_texture2 : require
#extension GL_ARB_sparse_texture_clamp : require
// Reads a texel of a partly resident image in several ways; stores the value where there is one, and the ways in which there was
// one.
layout(local_size_x = 8, local_size_y = 8) in;
layout(binding = 0, r32ui) uniform readonly uimage2D img;
layout(binding = 1) uniform usampler2D tex;
layout(std430, binding = 2) buffer O { uvec2 o[]; };
layout(push_constant) uniform Push { uvec2 size; int level; };
void main() {
    uvec2 p = gl_GlobalInvocationID.xy;
    if (any(greaterThanEqual(p, size))) return;
    uvec4 a = uvec4(0), b, c, d;
    uint ways = 0;
    vec2 uv = (vec2(p) + 0.5) / vec2(textureSize(tex, level));
    if (sparseTexelsResidentARB(sparseTexelFetchARB(tex, ivec2(p), level, b))) ways |= 1;
    if (sparseTexelsResidentARB(sparseTextureLodARB(tex, uv, level, c))) ways |= 2;
    // The clamp makes it the level that is wanted, whatever the gradient says.
    if (sparseTexelsResidentARB(sparseTextureGradClampARB(tex, uv, vec2(0), vec2(0), level, d))) ways |= 4;
    if (level == 0 && sparseTexelsResidentARB(sparseImageLoadARB(img, ivec2(p), a))) ways |= 8;
    if (b.x != c.x || b.x != d.x || level == 0 && a.x != b.x) ways |= 64;
    o[p.y * size.x + p.x] = uvec2(ways == 0 ? 0 : b.x, ways);
}
