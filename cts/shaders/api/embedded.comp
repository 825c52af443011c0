#version 450
// A separate image in one set, samplers in another: with the first, outside of the image; with the second, inside.
layout(local_size_x = 4) in;
layout(set = 0, binding = 0) uniform texture2D tex;
layout(set = 0, binding = 1, std430) buffer O { vec4 o[]; };
layout(set = 1, binding = 0) uniform sampler border;
layout(set = 1, binding = 3) uniform sampler inside;
void main() {
    uint i = gl_LocalInvocationID.x;
    vec2 p = vec2((float(i) + 0.5) / 4.0, 0.5);
    o[i] = textureLod(sampler2D(tex, inside), p, 0.0);
    o[4 + i] = textureLod(sampler2D(tex, border), p + 7.0, 0.0);
}
