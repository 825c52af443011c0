#version 450
// Samples a 2D array image with mip levels at given places: (u, v, layer, lod).
layout(local_size_x = 16) in;
layout(binding = 0) uniform sampler2DArray tex;
layout(std430, binding = 1) readonly buffer P { vec4 places[]; };
layout(std430, binding = 2) buffer O { vec4 o[]; };
layout(push_constant) uniform Push { uint count; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= count) return;
    vec4 p = places[i];
    if (p.w >= 0) o[i] = textureLod(tex, p.xyz, p.w);
    else if (p.w == -1) o[i] = texelFetch(tex, ivec3(p.xyz), 0);
    else o[i] = vec4(textureSize(tex, 0), textureQueryLevels(tex));
}
